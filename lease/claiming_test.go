package lease_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

func TestALeaseThatNobodyHadIsTakenAfterTheWait(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.agent("a").run()
		r.pass(10*time.Second - 1)
		a.idle()
		r.pass(1)
		term := a.hot()
		if trust := term.Trust(); trust.Epoch != 1 || trust.Anchor != r.clock.Now().Boot {
			t.Errorf("%+v", trust)
		}
		a.quit()
	})
}

func TestAReleasedLeaseIsTakenAtOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		begin := r.free().clock.Now().Boot
		a := r.agent("a").run()
		term := a.hot()
		if a.workAt != begin || term.Trust().Epoch != 5 {
			t.Errorf("began after %v with %+v", a.workAt-begin, term.Trust())
		}
		a.quit()
	})
}

func TestAClaimThatArrivedUnseenIsClaimedAnew(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a")
		a.suffer(writes(1, fault{kind: lostAfter}))
		begin := r.clock.Now().Boot
		term := a.run().hot()
		trust := term.Trust()
		if trust.Epoch != 6 || trust.Anchor == begin {
			t.Errorf("%+v", trust)
		}
		a.quit()
	})
}

func TestAClaimOfUnknownOutcomeIsGivenBackWhenTheAgentEnds(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a")
		a.suffer(writes(1, fault{kind: lostAfter}))
		a.run()
		a.stop()
		if _, err := a.over(lease.Ending{}); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if row := r.row(); row.Holder != "a" || !row.Released {
			t.Errorf("left behind: %+v", row)
		}
	})
}

func TestAnAgentThatEndsWhileItClaimsWaitsForTheOutcomeAndStartsNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a")
		a.suffer(writes(1, fault{delay: time.Second}))
		a.run()
		a.stop()
		end, err := a.over(lease.Ending{})
		if err != nil || !end.Released || !errors.Is(end.Cause, context.Canceled) {
			t.Errorf("%+v, %v", end, err)
		}
		if row := r.row(); !row.Released || row.Holder != "a" {
			t.Errorf("left behind: %+v", row)
		}
		a.idle()
	})
}

func TestAMachineThatWasPausedWhileItClaimedStartsNothingBeforeARenewal(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a")
		a.suffer(writes(1, fault{delay: time.Second}))
		a.run()
		r.clock.SetWall(time.Hour)
		a.suffer(always(fault{delay: time.Second}))
		r.pass(1500 * ms)
		a.idle()
		if a.count(lease.Claimed) != 1 || a.count(lease.Jumped) != 1 {
			t.Fatalf("%v", a.kinds())
		}
		a.hot()
		if a.count(lease.Renewed) != 1 {
			t.Errorf("%v", a.kinds())
		}
		a.quit()
	})
}

func TestALeaseIsTakenWhenTheWaitIsOverAndNotOneLookLater(t *testing.T) {
	timing, err := lease.Settings{Update: 1900 * ms, Wait: 10 * time.Second}.Timing()
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(r *rig) {
		begin := r.clock.Now().Boot
		a := r.agent("a", func(o *lease.Options) { o.Timing = timing }).run()
		a.hot()
		if waited := a.workAt - begin; waited != timing.Wait {
			t.Errorf("waited %v", waited)
		}
		a.quit()
	})
}

func TestTheSecondMachineTakesOverAtOnceWhenItIsToldOfARelease(t *testing.T) {
	inBubble(t, func(r *rig) {
		a, b := r.free().agent("a").run(), r.agent("b")
		a.hot()
		b.run()
		r.pass(time.Minute + 700*ms)
		b.idle()
		released := r.clock.Now().Boot
		a.stop()
		a.over(lease.Ending{})
		b.hot()
		if b.workAt != released || b.count(lease.Hinted) != 1 {
			t.Errorf("took over %v after the release", b.workAt-released)
		}
		b.quit()
	})
}

func TestOnlyTheSuccessorTakesAReleasedLeaseAtOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		a, b, c := r.free().agent("a").run(), r.agent("b"), r.agent("c")
		a.hot()
		b.run()
		a.stop()
		a.over(lease.Ending{Successor: "c"})
		r.pass(5 * time.Second)
		b.idle()
		c.run()
		c.hot()
		r.pass(time.Minute)
		b.idle()
		c.quit()
		b.hot()
		b.quit()
	})
}

func TestASuccessorThatNeverComesKeepsNobodyOutForLongerThanTheWait(t *testing.T) {
	inBubble(t, func(r *rig) {
		a, b := r.free().agent("a").run(), r.agent("b")
		a.hot()
		a.stop()
		a.over(lease.Ending{Successor: "c"})
		b.run()
		r.pass(10*time.Second - 1)
		b.idle()
		r.pass(1)
		b.hot()
		b.quit()
	})
}

// The worst case of Timing.Takeover, for real: the holder's last write comes
// right after a look of the challenger, and every answer to the challenger
// takes nearly as long as one may.
func TestATakeoverIsNotLongerThanIsPromised(t *testing.T) {
	for _, settings := range []lease.Settings{lease.Default(), {Update: 20 * time.Second, Wait: 40 * time.Second}, {Update: 300 * ms, Wait: time.Second},
		{Update: time.Second, Wait: time.Minute}} {
		timing, err := settings.Timing()
		if err != nil {
			t.Fatal(err)
		}
		with := func(o *lease.Options) { o.Timing = timing }
		for offset := range 20 { // of the death against the challenger's looks
			inBubble(t, func(r *rig) {
				a := r.free().agent("a", with).run()
				a.hot()
				b := r.agent("b", with, func(o *lease.Options) {
					o.Floor = func(ctx context.Context) (uint64, error) { return 0, clock.Wait(ctx, r.clock, timing.Attempt-1) }
				})
				b.suffer(always(fault{delay: timing.Attempt - 1}))
				r.pass(timing.Update * time.Duration(offset) / 20)
				b.run()
				r.pass(timing.Wait)
				for at := a.count(lease.Renewed); a.count(lease.Renewed) == at; { // right after a write
					r.pass(timing.Update / 50)
				}
				died := a.last(lease.Renewed).Trust.Anchor
				a.suffer(always(fault{kind: silent}))
				r.pass(timing.Takeover())
				if b.count(lease.Claimed) != 1 {
					t.Errorf("%+v: not taken over within %v, offset %d: %v", settings, timing.Takeover(), offset, b.kinds())
				} else if took := b.last(lease.Claimed).At.Boot - died; took > timing.Takeover() {
					t.Errorf("%+v: took %v, promised %v", settings, took, timing.Takeover())
				}
				a.quit()
				b.quit()
			})
		}
	}
}

func TestADriveThatHangsDoesNotKeepTheDatabaseFromBeingAsked(t *testing.T) {
	inBubble(t, func(r *rig) {
		drive := make(chan struct{})
		a := r.free().agent("a", func(o *lease.Options) {
			o.Floor = func(context.Context) (uint64, error) { <-drive; return 40, nil }
		}).run()
		r.pass(2 * time.Minute)
		a.idle()
		if looks, failed := a.count(lease.Looked), a.count(lease.LookFailed); looks < 40 || failed > 0 {
			t.Errorf("%d looks, %d failed", looks, failed)
		}
		close(drive)
		if trust := a.hot().Trust(); trust.Epoch != 41 {
			t.Errorf("%+v", trust)
		}
		a.quit()
	})
}

func TestNothingIsClaimedWhileTheGreatestEpochIsUnknown(t *testing.T) {
	inBubble(t, func(r *rig) {
		broken := errors.New("the drive is not mounted")
		a := r.free().agent("a", func(o *lease.Options) {
			o.Floor = func(context.Context) (uint64, error) { return 0, broken }
		}).run()
		r.pass(time.Minute)
		a.idle()
		if e := a.last(lease.Held); !errors.Is(e.Err, broken) || r.db.written() != 0 {
			t.Errorf("%v, %d writes", e.Err, r.db.written())
		}
		a.quit()
	})
}

func TestAnAgentThatIsNotAdmittedKeepsLooking(t *testing.T) {
	inBubble(t, func(r *rig) {
		var admit error = errors.New("the drive is full")
		a := r.free().agent("a", func(o *lease.Options) { o.Admit = func(lease.Observation) error { return admit } }).run()
		r.pass(10 * time.Second)
		a.idle()
		if n := a.count(lease.Looked); n < 5 || n > 7 {
			t.Errorf("%d looks in 10 s", n)
		}
		admit = nil
		a.hot()
		a.quit()
	})
}

func TestALookThatFailsIsRepeatedAndNotInACircle(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a")
		a.suffer(always(fault{kind: lostBefore}))
		a.run()
		r.pass(20 * time.Second)
		if n := a.count(lease.LookFailed); n < 9 || n > 12 {
			t.Errorf("%d looks in 20 s", n)
		}
		a.suffer(nil)
		a.hot()
		a.quit()
	})
}

func TestHungCallsAreBounded(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a")
		a.suffer(always(fault{kind: stuck}))
		a.run()
		r.pass(5 * time.Minute)
		if e := a.last(lease.LookFailed); !strings.Contains(e.Err.Error(), "hang") {
			t.Errorf("got %v", e.Err)
		}
		a.quit() // the bubble fails if more is left behind than the store lets go
	})
}

// held makes a row that a living holder moves.
func (r *rig) alive(beat lease.Record, d time.Duration) {
	for range int(d / (2 * time.Second)) {
		beat.Version++
		r.db.put(beat)
		r.pass(2 * time.Second)
	}
}

func heldRow(t *testing.T, id lease.Identity) lease.Record {
	timing := defaultTiming(t)
	return lease.Record{Name: "node", Holder: id.Instance, Nonce: id.Nonce, Boot: id.Boot, Epoch: 4, Version: 10, Incarnation: "1",
		Update: timing.Update, Wait: timing.Wait, Trust: timing.Trust, Fence: timing.Fence}
}

func TestWhatALivingHolderMakesOfAChallenger(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(*lease.Record)
		exit bool
		want func(error) bool
	}{
		{"it waits", func(*lease.Record) {}, false, func(err error) bool { return err == nil }},
		{"it exits where that is wanted, and says who holds the lease", func(*lease.Record) {}, true, func(err error) bool {
			var held *lease.HeldError
			return errors.As(err, &held) && held.Holder == "b" && held.Epoch == 4
		}},
		{"it exits if the holder's timing is another", func(rec *lease.Record) { rec.Fence++ }, false, func(err error) bool {
			var other *lease.DisagreementError
			return errors.As(err, &other)
		}},
		{"it exits if the holder has its own identity", func(rec *lease.Record) { rec.Holder = "a" }, false, func(err error) bool {
			var twin *lease.TwinError
			return errors.As(err, &twin)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				rec := heldRow(t, identity("b"))
				row.edit(&rec)
				r.db.put(rec)
				a := r.agent("a", func(o *lease.Options) { o.ExitIfHeld = row.exit }).run()
				r.alive(rec, 10*time.Second)
				a.stop()
				if _, err := a.over(lease.Ending{}); !row.want(err) && !errors.Is(err, context.Canceled) {
					t.Errorf("ended with %v", err)
				} else if errors.Is(err, context.Canceled) != (row.name == "it waits") {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

func TestAChallengerThatExitsIfHeldTakesALeaseWhoseHolderIsDead(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.db.put(heldRow(t, identity("b")))
		a := r.agent("a", func(o *lease.Options) { o.ExitIfHeld = true }).run()
		a.hot()
		a.quit()
	})
}

func TestARestartedAgentWithAProofTakesItsOwnLeaseAtOnce(t *testing.T) {
	for proven, quick := range map[uint64]bool{0: false, 3: false, 4: true, 5: true} {
		inBubble(t, func(r *rig) {
			earlier := identity("a")
			earlier.Nonce = "nonce before"
			r.db.put(heldRow(t, earlier))
			begin := r.clock.Now().Boot
			a := r.agent("a", func(o *lease.Options) { o.ProvenEpoch = proven }).run()
			a.hot()
			if waited := a.workAt - begin; (waited == 0) != quick || !quick && waited < 10*time.Second {
				t.Errorf("proven through epoch %d: waited %v", proven, waited)
			}
			a.quit()
		})
	}
}
