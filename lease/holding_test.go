package lease_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/lease"
)

func TestWorkIsToldToStopBeforeTrustEndsThoughTheDatabaseHangs(t *testing.T) {
	for name, kind := range map[string]faultKind{"politely": silent, "and ignores contexts": stuck} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				a := r.free().agent("a").run()
				term := a.hot()
				r.pass(2500 * ms)
				trust := term.Trust()
				a.suffer(always(fault{kind: kind}))
				r.pass(trust.StopAt - r.clock.Now().Boot - 1)
				if _, cause := a.cause(); cause != nil {
					t.Fatalf("told to end early: %v", cause)
				}
				r.pass(1)
				at, cause := a.cause()
				if !errors.Is(cause, lease.ErrTrustEnded) || at != trust.StopAt || !errors.Is(context.Cause(term.Trusted()), lease.ErrTrustEnded) {
					t.Fatalf("told %v at %v, want %v", cause, at, trust.StopAt)
				}
				if n := a.count(lease.RenewFailed); n < 2 {
					t.Errorf("only %d attempts failed before", n)
				}
				a.quit()
			})
		})
	}
}

// The next holder may serve as soon as the release is written, which is before
// its answer is back.
func TestATermWhoseWorkHasReturnedMayNotServe(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		if !term.MayServe(r.clock.Now()) {
			t.Fatal("a new term may not serve")
		}
		a.suffer(always(fault{delay: 500 * ms}))
		a.ending <- lease.Ending{}
		if row := r.row(); !row.Released || a.count(lease.Released) != 0 {
			t.Fatalf("want a release whose answer is on its way, got %+v", row)
		}
		if term.MayServe(r.clock.Now()) {
			t.Error("two may serve: this term, and the next holder's")
		}
		a.over(lease.Ending{})
	})
}

func TestNothingIsReleasedBeforeWorkHasReturned(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		a.stop()
		if _, cause := a.cause(); !errors.Is(cause, context.Canceled) {
			t.Fatalf("told: %v", cause)
		}
		r.pass(time.Minute) // a planned stop takes its time
		if row := r.row(); row.Released || term.Trusted().Err() != nil || term.Trust().StopAt < r.clock.Now().Boot {
			t.Fatalf("released: %v, trusted: %v", row.Released, term.Trusted().Err())
		}
		end, err := a.over(lease.Ending{Successor: "b", Memo: "why"})
		row := r.row()
		if err != nil || !end.Released || end.Epoch != 5 || !errors.Is(end.Cause, context.Canceled) {
			t.Errorf("%+v, %v", end, err)
		}
		if !row.Released || row.Successor != "b" || row.Memo != "why" || row.Holder != "a" {
			t.Errorf("%+v", row)
		}
	})
}

func TestARunWhoseWorkReturnsByItselfHasNoCause(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		a.hot()
		if end, err := a.over(lease.Ending{}); err != nil || end.Cause != nil || !end.Released {
			t.Errorf("%+v, %v", end, err)
		}
	})
}

func TestARenewalThatArrivedUnseenIsWrittenOnceMore(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		a.suffer(writes(1, fault{kind: lostAfter}))
		r.pass(2 * time.Second)
		if failed := a.last(lease.RenewFailed); failed.Trust.Anchor != r.clock.Now().Boot-2*time.Second {
			t.Errorf("the anchor moved to %v", failed.Trust.Anchor)
		}
		r.pass(time.Second)
		if got := r.row(); got.Version != 13 || term.Trust().Anchor <= r.clock.Now().Boot-time.Second {
			t.Errorf("version %d, anchor %v ago", got.Version, r.clock.Now().Boot-term.Trust().Anchor)
		}
		a.quit()
	})
}

func TestALateWriteOfAnAttemptThatWasGivenUpDoesNotEndTheTerm(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		a.suffer(writes(1, fault{kind: latecomer}))
		r.pass(2 * time.Second)
		deliverAfterTheRead := func(c call) fault {
			if !c.read {
				return fault{}
			}
			go r.db.deliver()
			return fault{delay: ms}
		}
		a.suffer(deliverAfterTheRead)
		r.pass(2 * time.Second)
		if _, cause := a.cause(); cause != nil || term.Doubt() {
			t.Fatalf("%v, in doubt: %v, %v", cause, term.Doubt(), a.kinds())
		}
		a.quit()
	})
}

func TestAClockJumpEndsTrafficUntilTheDatabaseConfirms(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		if !term.MayServe(r.clock.Now()) {
			t.Fatal("no traffic from the first")
		}
		r.clock.SetWall(-3 * time.Second)
		if term.MayServe(r.clock.Now()) {
			t.Fatal("traffic goes on before the loop has looked")
		}
		a.suffer(always(fault{delay: 100 * ms}))
		r.pass(2050 * ms)
		if !term.Doubt() || term.MayServe(r.clock.Now()) || a.last(lease.Jumped).Jump != -3*time.Second {
			t.Fatal("traffic goes on before the database has confirmed")
		}
		r.pass(100 * ms)
		if term.Doubt() || !term.MayServe(r.clock.Now()) {
			t.Fatalf("no traffic: %v", a.kinds())
		}
		a.quit()
	})
}

func TestTrafficEndsOnTheClockAlone(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		now, stop := r.clock.Now(), term.Trust().StopAt
		at := func(d time.Duration) lease.Reading {
			later := now
			later.Boot, later.Wall = later.Boot+d, later.Wall.Add(d)
			return later
		}
		if !term.MayServe(at(stop-now.Boot-1)) || term.MayServe(at(stop-now.Boot)) {
			t.Error("the end is not at StopAt")
		}
		a.quit()
	})
}

func TestAMemoDuringARenewalThatHangsDoesNotDelayItsGivingUp(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		a.suffer(writes(1, fault{kind: stuck}))
		r.pass(2100 * ms)
		term.Memo("a word")
		r.pass(1300 * ms)
		if n := a.count(lease.RenewFailed); n != 1 {
			t.Errorf("%d attempts were given up, want 1", n)
		}
		if got := r.row().Memo; got != "a word" {
			t.Errorf("memo %q", got)
		}
		a.quit()
	})
}

func TestABadMemoDoesNotEndTheTerm(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		term.Memo("good")
		r.pass(3 * time.Second)
		term.Memo(strings.Repeat("x", lease.MaxMemoBytes+1))
		r.pass(30 * time.Second)
		if _, cause := a.cause(); cause != nil || r.row().Memo != "good" || a.count(lease.MemoRefused) != 1 {
			t.Errorf("%v, memo %.10q, %v", cause, r.row().Memo, a.kinds())
		}
		a.quit()
	})
}

func TestALosslessFailOverDoesNotEndTheTerm(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		term := a.hot()
		r.db.failOver("2", 0)
		r.pass(time.Minute)
		if _, cause := a.cause(); cause != nil || term.Doubt() || r.row().Incarnation != "2" {
			t.Errorf("%v, row %+v", cause, r.row())
		}
		a.quit()
	})
}

func TestALossyFailOverEndsTheTerm(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		a.hot()
		r.pass(5 * time.Second)
		r.db.failOver("2", 1)
		r.pass(2 * time.Second)
		if _, cause := a.cause(); !errors.Is(cause, lease.ErrLost) {
			t.Errorf("told %v", cause)
		}
		if end, _ := a.over(lease.Ending{}); end.Released || r.row().Released {
			t.Errorf("released: %+v", r.row())
		}
		a.stop()
	})
}

func TestWorkBeginsThoughEveryAnswerTakesAsLongAsOneMay(t *testing.T) {
	timing, err := lease.Settings{Update: time.Second, Wait: 20 * time.Second, Attempt: 6400 * ms}.Timing()
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(r *rig) {
		a := r.free().agent("a", func(o *lease.Options) { o.Timing = timing })
		a.suffer(always(fault{delay: timing.Attempt - 1}))
		a.run().hot()
		r.pass(time.Minute)
		if _, cause := a.cause(); cause != nil {
			t.Errorf("told %v", cause)
		}
		a.quit()
	})
}

func TestTheFirstFailureEndsTheTermWhereThatIsWanted(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a", func(o *lease.Options) { o.StopOnLoss = true }).run()
		term := a.hot()
		a.suffer(writes(1, fault{kind: lostBefore}))
		r.pass(2 * time.Second)
		if _, cause := a.cause(); !errors.Is(cause, lease.ErrDatabaseLost) {
			t.Errorf("told %v", cause)
		}
		if !term.Doubt() && term.MayServe(r.clock.Now()) {
			t.Error("traffic goes on after the end of trust")
		}
		a.quit()
	})
}

func TestAReleaseIsTriedAgainAndItsUnseenArrivalIsFound(t *testing.T) {
	for name, kind := range map[string]faultKind{"lost on the way": lostBefore, "answer lost": lostAfter} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				a := r.free().agent("a").run()
				a.hot()
				a.stop()
				a.suffer(writes(1, fault{kind: kind}))
				if end, err := a.over(lease.Ending{}); err != nil || !end.Released || !r.row().Released {
					t.Errorf("%+v, %v, row %+v", end, err, r.row())
				}
				if a.count(lease.Released) != 1 || a.count(lease.NotReleased) != 0 {
					t.Errorf("%v", a.kinds())
				}
			})
		})
	}
}

func TestAReleaseThatTheDatabaseNeverAnswersIsGivenUp(t *testing.T) {
	inBubble(t, func(r *rig) {
		a := r.free().agent("a").run()
		a.hot()
		a.suffer(always(fault{kind: silent}))
		a.stop()
		stopped := r.clock.Now().Boot
		end, err := a.over(lease.Ending{})
		if err != nil || end.Released || a.count(lease.NotReleased) != 1 {
			t.Errorf("%+v, %v, %v", end, err, a.kinds())
		}
		if took := r.clock.Now().Boot - stopped; took > 10*time.Second {
			t.Errorf("kept the agent for %v", took)
		}
	})
}

func TestARenewalUnderWayWhenTheWorkEndsDoesNotSpoilTheRelease(t *testing.T) {
	for name, kind := range map[string]faultKind{"it arrives late": latecomer, "it arrived": lostAfter, "it hangs": silent} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				a := r.free().agent("a").run()
				a.hot()
				a.suffer(writes(1, fault{kind: kind, delay: time.Second}))
				r.pass(2 * time.Second)
				end, err := a.over(lease.Ending{})
				if err != nil || !end.Released || !r.row().Released {
					t.Errorf("%+v, %v, row %+v", end, err, r.row())
				}
				r.db.deliver()
				if !r.row().Released {
					t.Error("the late renewal took the release back")
				}
				a.stop()
			})
		})
	}
}

func TestAHolderSurvivesAsManyFailedAttemptsAsItSays(t *testing.T) {
	for _, settings := range []lease.Settings{lease.Default(), {Update: 20 * time.Second, Wait: 40 * time.Second}, {Update: 300 * ms, Wait: time.Second},
		{Update: time.Second, Wait: time.Minute}, {Update: time.Second, Wait: 10 * time.Second, Attempt: 2900 * ms}} {
		timing, err := settings.Timing()
		if err != nil {
			t.Fatal(err)
		}
		for _, more := range []int{0, 1} {
			inBubble(t, func(r *rig) {
				a := r.free().agent("a", func(o *lease.Options) { o.Timing = timing }).run()
				a.hot()
				left := timing.Spare + more
				a.suffer(func(call) fault {
					if left--; left >= 0 {
						return fault{kind: stuck}
					}
					return fault{delay: timing.Attempt/2 - 1}
				})
				r.pass(timing.Wait)
				_, cause := a.cause()
				if (cause == nil) != (more == 0) {
					t.Errorf("%+v: %d failed attempts: %v", timing, timing.Spare+more, cause)
				}
				a.quit()
			})
		}
	}
}
