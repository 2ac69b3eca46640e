package lease_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/lease"
)

func TestAHolderCanRunAgainAndTakesUpWhatItCouldNotRelease(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		a.hot()
		a.suffer(always(fault{kind: silent}))
		a.stop()
		a.over(lease.Ending{})
		a.suffer(nil)
		begin := r.clock.Now().Boot
		a.done = make(chan struct{})
		a.run().hot()
		if a.workAt != begin {
			t.Errorf("waited %v for its own row", a.workAt-begin)
		}
		a.quit()
	})
}

func TestAHolderDoesNotRunTwiceAtOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		a.hot()
		if _, err := a.holder.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "running already") {
			t.Errorf("got %v", err)
		}
		a.quit()
	})
}

func TestASteadyPairAsksTheDatabaseOncePerUpdate(t *testing.T) {
	inBubble(t, func(r *rig) {
		a, b := r.free().agent("a").run(), r.agent("b").run()
		a.hot()
		r.pass(time.Minute)
		if renewals, looks := a.count(lease.Renewed), b.count(lease.Looked); renewals != 30 || looks < 29 || looks > 32 {
			t.Errorf("%d renewals and %d looks in a minute", renewals, looks)
		}
		b.stop()
		b.over(lease.Ending{})
		a.quit()
	})
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	good := func() lease.Options {
		return lease.Options{Name: "node", Self: identity("a"), Timing: defaultTiming(t), Store: newMemory().store(nil)}
	}
	if _, err := lease.New(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*lease.Options){
		"no name":                      func(o *lease.Options) { o.Name = "" },
		"no instance":                  func(o *lease.Options) { o.Self.Instance = "" },
		"no nonce":                     func(o *lease.Options) { o.Self.Nonce = "" },
		"a proof without a boot":       func(o *lease.Options) { o.ProvenEpoch, o.Self.Boot = 1, "" },
		"no store":                     func(o *lease.Options) { o.Store = nil },
		"a name that cannot be kept":   func(o *lease.Options) { o.Name = "a\x00" },
		"an identity that is not text": func(o *lease.Options) { o.Self.Instance = "\xff" },
		"no timing":                    func(o *lease.Options) { o.Timing = lease.Timing{} },
		"a timing of one's own":        func(o *lease.Options) { o.Timing.Trust += time.Second },
	} {
		o := good()
		if spoil(&o); errOf(lease.New(o)) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestKindsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for k := lease.Looked; k <= lease.MemoRefused; k++ {
		if name := k.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[k.String()] = true
	}
	if lease.Kind(-1).String() != "unknown" || lease.Kind(99).String() != "unknown" {
		t.Error("a kind that is none has a name")
	}
}
