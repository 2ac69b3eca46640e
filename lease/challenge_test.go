package lease

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

var (
	us   = Identity{Instance: "a:/node", Nonce: "nonce-a2", Boot: "boot-a"}
	them = Identity{Instance: "b:/node", Nonce: "nonce-b1", Boot: "boot-b"}
)

// onReading is a look at clocks that agree.
func onReading(d time.Duration) Reading { return Reading{Boot: d, Mono: d} }

// rowOf is a row of id under incarnation 1 with the default timing.
func rowOf(id Identity, epoch, version uint64, edits ...func(*Observation)) Observation {
	t := must(Default().Timing())
	o := Observation{Exists: true, Incarnation: "1", Record: Record{
		Name: "node", Holder: id.Instance, Nonce: id.Nonce, Boot: id.Boot, Epoch: epoch, Version: version,
		Incarnation: "1", Update: t.Update, Wait: t.Wait, Trust: t.Trust, Fence: t.Fence,
	}}
	for _, edit := range edits {
		edit(&o)
	}
	return o
}

func missing() Observation { return Observation{Record: Record{Name: "node"}, Incarnation: "1"} }

func released(o *Observation) { o.Record.Released = true }

func successor(instance string) func(*Observation) {
	return func(o *Observation) { o.Record.Released, o.Record.Successor = true, instance }
}

// under makes the row one of an older database that lives on as another one.
func under(written, answers string) func(*Observation) {
	return func(o *Observation) { o.Record.Incarnation, o.Incarnation = written, answers }
}

func earlier(o *Observation) { o.Record.Nonce = "nonce-a1" }

type look struct {
	at time.Duration
	o  Observation
}

func challengeOf(proven uint64, looks ...look) Challenge {
	c := NewChallenge(must(Default().Timing()), us, proven)
	for _, l := range looks {
		c = c.Observe(l.o, onReading(l.at))
	}
	return c
}

func TestWhenALeaseMayBeTaken(t *testing.T) {
	const sec = time.Second
	for _, row := range []struct {
		name   string
		proven uint64
		looks  []look
		at     time.Duration // of the verdict
		in     time.Duration // zero: claim
	}{
		{name: "nothing is known before the first answer", at: sec, in: 10 * sec},
		{name: "a row that moved a moment ago is left alone", looks: []look{{sec, rowOf(them, 3, 7)}}, at: sec, in: 10 * sec},
		{name: "a row that stands still is waited for", looks: []look{{sec, rowOf(them, 3, 7)}, {9 * sec, rowOf(them, 3, 7)}}, at: 9 * sec, in: 2 * sec},
		{name: "not one nanosecond less", looks: []look{{sec, rowOf(them, 3, 7)}}, at: 11*sec - 1, in: 1},
		{name: "a row that stood still for the wait is taken", looks: []look{{sec, rowOf(them, 3, 7)}}, at: 11 * sec},
		{name: "each write begins the wait anew", looks: []look{{sec, rowOf(them, 3, 7)}, {9 * sec, rowOf(them, 3, 8)}}, at: 11 * sec, in: 8 * sec},
		{name: "a change of holder begins the wait anew", looks: []look{{sec, rowOf(us, 3, 7, earlier)}, {9 * sec, rowOf(them, 4, 8)}}, at: 11 * sec, in: 8 * sec},
		{name: "a missing row is waited for", looks: []look{{sec, missing()}}, at: 2 * sec, in: 9 * sec},
		{name: "a missing row is taken in the end", looks: []look{{sec, missing()}}, at: 11 * sec},
		{name: "a row that appears begins the wait anew", looks: []look{{sec, missing()}, {9 * sec, rowOf(them, 1, 1)}}, at: 11 * sec, in: 8 * sec},
		{name: "a row that vanishes begins the wait anew", looks: []look{{sec, rowOf(them, 1, 1)}, {9 * sec, missing()}}, at: 11 * sec, in: 8 * sec},

		{name: "a released row is taken at once", looks: []look{{sec, rowOf(them, 3, 7, released)}}, at: sec},
		{name: "a row released for us is taken at once", looks: []look{{sec, rowOf(them, 3, 7, successor(us.Instance))}}, at: sec},
		{name: "a row released for another is left to it", looks: []look{{sec, rowOf(them, 3, 7, successor("c:/node"))}}, at: sec, in: 10 * sec},
		{name: "but not for ever", looks: []look{{sec, rowOf(them, 3, 7, successor("c:/node"))}}, at: 11 * sec},

		{name: "our own row is taken at once", looks: []look{{sec, rowOf(us, 3, 7)}}, at: sec},
		{name: "our earlier agent's row is waited for", looks: []look{{sec, rowOf(us, 3, 7, earlier)}}, at: sec, in: 10 * sec},
		{name: "but not if its node is proven gone", proven: 3, looks: []look{{sec, rowOf(us, 3, 7, earlier)}}, at: sec},
		{name: "a proof is for the epochs that it names", proven: 2, looks: []look{{sec, rowOf(us, 3, 7, earlier)}}, at: sec, in: 10 * sec},
		{name: "a proof is for one boot", proven: 3, at: sec, in: 10 * sec,
			looks: []look{{sec, rowOf(us, 3, 7, earlier, func(o *Observation) { o.Record.Boot = "boot-before" })}}},
		{name: "a proof is for one instance", proven: 3, at: sec, in: 10 * sec,
			looks: []look{{sec, rowOf(them, 3, 7, func(o *Observation) { o.Record.Boot = us.Boot })}}},

		{name: "a released row of another database is not believed", looks: []look{{sec, rowOf(them, 3, 7, released, under("1", "2"))}}, at: sec, in: 10 * sec},
		{name: "nor our own", looks: []look{{sec, rowOf(us, 3, 7, under("1", "2"))}}, at: sec, in: 10 * sec},
		{name: "nor one that is proven gone", proven: 3, looks: []look{{sec, rowOf(us, 3, 7, earlier, under("1", "2"))}}, at: sec, in: 10 * sec},
		{name: "a fail-over begins the wait anew", looks: []look{{sec, rowOf(them, 3, 7)}, {9 * sec, rowOf(them, 3, 7, under("1", "2"))}}, at: 11 * sec, in: 8 * sec},
		{name: "and so does the way back", at: 11 * sec, in: 8 * sec,
			looks: []look{{sec, rowOf(them, 3, 7)}, {2 * sec, rowOf(them, 3, 7, under("1", "2"))}, {9 * sec, rowOf(them, 3, 7)}}},
		{name: "after a fail-over no release is believed for the wait", at: 11 * sec, in: 9 * sec,
			looks: []look{{sec, rowOf(them, 3, 7)}, {9 * sec, rowOf(them, 3, 7, under("1", "2"))}, {10 * sec, rowOf(them, 3, 8, released, under("2", "2"))}}},
		{name: "and is then", at: 19 * sec,
			looks: []look{{sec, rowOf(them, 3, 7)}, {9 * sec, rowOf(them, 3, 7, under("1", "2"))}, {18 * sec, rowOf(them, 3, 8, released, under("2", "2"))}}},
		{name: "a missing row of another database is waited for", at: 11 * sec, in: 8 * sec,
			looks: []look{{sec, missing()}, {9 * sec, func() Observation { o := missing(); o.Incarnation = "2"; return o }()}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			v, err := challengeOf(row.proven, row.looks...).Verdict(onReading(row.at))
			if err != nil {
				t.Fatal(err)
			}
			if v.Claim != (row.in == 0) || v.In != row.in || v.Why == "" {
				t.Fatalf("got %+v, want a wait of %v", v, row.in)
			}
		})
	}
}

func TestAnAgentWithoutABootIDHasNoProof(t *testing.T) {
	self := Identity{Instance: us.Instance, Nonce: us.Nonce}
	c := NewChallenge(must(Default().Timing()), self, math.MaxInt64)
	c = c.Observe(rowOf(us, 3, 7, earlier, func(o *Observation) { o.Record.Boot = "" }), onReading(time.Second))
	if v, _ := c.Verdict(onReading(time.Second)); v.Claim {
		t.Fatalf("claimed: %s", v.Why)
	}
}

func TestAMachineThatSleptHasNotWaited(t *testing.T) {
	c := challengeOf(0, look{time.Second, rowOf(them, 3, 7)})
	v, err := c.Verdict(Reading{Boot: time.Hour, Mono: 2 * time.Second})
	if err != nil || v.Claim || v.In != 9*time.Second {
		t.Fatalf("got %+v, %v", v, err)
	}
}

func TestADeadHolderWithALongerWaitIsOwedItsOwn(t *testing.T) {
	long := func(o *Observation) { o.Record.Wait = 40 * time.Second }
	for _, row := range []struct {
		name string
		o    Observation
	}{
		{"held", rowOf(them, 3, 7, long)},
		{"released in another database", rowOf(them, 3, 7, long, released, under("1", "2"))},
	} {
		c := challengeOf(0, look{0, row.o})
		if v, err := c.Verdict(onReading(40*time.Second - 1)); err != nil || v.Claim {
			t.Errorf("%s: claimed early: %+v %v", row.name, v, err)
		}
		if v, err := c.Verdict(onReading(40 * time.Second)); err != nil || !v.Claim {
			t.Errorf("%s: not claimed: %+v %v", row.name, v, err)
		}
	}
}

func TestWhoIsSeenAlive(t *testing.T) {
	other := func(o *Observation) { o.Record.Update = 3 * time.Second }
	for _, row := range []struct {
		name  string
		looks []Observation
		held  bool
		err   any
	}{
		{"a row that stands still proves nothing", []Observation{rowOf(them, 3, 7), rowOf(them, 3, 7)}, false, nil},
		{"one write may be late", []Observation{rowOf(them, 3, 7), rowOf(them, 3, 8)}, false, nil},
		{"two writes are life", []Observation{rowOf(them, 3, 7), rowOf(them, 3, 8), rowOf(them, 3, 9)}, true, nil},
		{"a claim and a renewal are life", []Observation{rowOf(us, 2, 7, released), rowOf(them, 3, 8), rowOf(them, 3, 9)}, true, nil},
		{"one holder's life is not another's", []Observation{rowOf(them, 3, 7), rowOf(them, 3, 8), rowOf(them, 3, 9), rowOf(us, 4, 10, earlier)}, false, nil},
		{"a released row has no holder", []Observation{rowOf(them, 3, 7), rowOf(them, 3, 8), rowOf(them, 3, 9, released)}, false, nil},
		{"a fail-over proves no life", []Observation{rowOf(them, 3, 7), rowOf(them, 3, 8), rowOf(them, 3, 9), rowOf(them, 3, 8, under("1", "2"))}, false, nil},
		{"our own late writes are not somebody else's life", []Observation{rowOf(them, 3, 7), rowOf(us, 4, 8), rowOf(us, 4, 9)}, false, nil},
		{"a living twin", []Observation{rowOf(us, 3, 7, earlier), rowOf(us, 3, 8, earlier), rowOf(us, 3, 9, earlier)}, true, new(*TwinError)},
		{"a dead earlier agent's late write is no twin", []Observation{rowOf(us, 3, 7, earlier), rowOf(us, 3, 8, earlier)}, false, nil},
		{"a living holder with other timing", []Observation{rowOf(them, 3, 7, other), rowOf(them, 3, 8, other), rowOf(them, 3, 9, other)}, true, new(*DisagreementError)},
		{"a dead holder with other timing", []Observation{rowOf(them, 3, 7, other), rowOf(them, 3, 8, other)}, false, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := challengeOf(0)
			for i, o := range row.looks {
				c = c.Observe(o, onReading(time.Duration(i)*time.Second))
			}
			if c.Held() != row.held {
				t.Errorf("held: %v", c.Held())
			}
			_, err := c.Verdict(onReading(time.Minute))
			switch want := row.err.(type) {
			case nil:
				if err != nil {
					t.Errorf("got %v", err)
				}
			default:
				if err == nil || !errors.As(err, want) {
					t.Errorf("got %v, want a %T", err, want)
				}
			}
		})
	}
}

func TestAClaimHasAGreaterEpochThanAnyKnown(t *testing.T) {
	for _, row := range []struct {
		name  string
		looks []Observation
		floor uint64
		want  uint64
	}{
		{"the first of all", []Observation{missing()}, 0, 1},
		{"one more than the row's", []Observation{rowOf(them, 3, 7)}, 0, 4},
		{"one more than the drive's", []Observation{rowOf(them, 3, 7)}, 9, 10},
		{"one more than what the database lost while we watched",
			[]Observation{rowOf(them, 8, 7), rowOf(them, 3, 5, under("1", "2"))}, 0, 9},
		{"also if it lost the row", []Observation{rowOf(them, 8, 7), missing()}, 0, 9},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := challengeOf(0)
			for i, o := range row.looks {
				c = c.Observe(o, onReading(time.Duration(i)*time.Second))
			}
			if got := c.Next(row.floor).Epoch; got != row.want {
				t.Fatalf("epoch %d, want %d", got, row.want)
			}
		})
	}
}

func TestAClaimSaysWhoAndWithWhichNumbers(t *testing.T) {
	seen := rowOf(them, 3, 7, successor(us.Instance), under("1", "2"), func(o *Observation) { o.Record.Memo = "kept" })
	got := challengeOf(0, look{0, seen}).Next(0)
	want := rowOf(us, 4, 8, under("2", "2"), func(o *Observation) { o.Record.Memo = "kept" }).Record
	if got != want {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestTheReasonToWaitIsSaid(t *testing.T) {
	for _, row := range []struct {
		o    Observation
		want string
	}{
		{missing(), "no row"},
		{rowOf(them, 3, 7), "held by b:/node at epoch 3, version 7"},
		{rowOf(them, 3, 7, under("1", "2")), "failed over or was restored"},
		{rowOf(them, 3, 7, successor("c:/node")), "for c:/node"},
	} {
		if v, _ := challengeOf(0, look{0, row.o}).Verdict(onReading(0)); !strings.Contains(v.Why, row.want) {
			t.Errorf("%q does not say %q", v.Why, row.want)
		}
	}
	if got := missing().String(); !strings.Contains(got, "never been held") {
		t.Error(got)
	}
	for _, err := range []error{&TwinError{Instance: "a:/node"}, &HeldError{Holder: "a:/node", Epoch: 3}} {
		if !strings.Contains(err.Error(), "a:/node") {
			t.Error(err)
		}
	}
}
