package lease

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var errSilence = errors.New("no answer")

// sent0 is when the claim of each tenure below was sent.
const sent0 = time.Hour

// after is a reading that long after the claim was sent.
func after(d time.Duration) Reading { return onReading(sent0 + d) }

// holding begins a term with version 7 at epoch 3.
func holding(stopOnLoss bool) Tenure {
	return NewTenure(must(Default().Timing()), us, rowOf(us, 3, 7), sent0, stopOnLoss)
}

// sending makes the attempt that is due.
func sending(t *testing.T, tenure Tenure, at time.Duration) (Tenure, Attempt) {
	t.Helper()
	tenure, step := tenure.Next(after(at))
	if step.Attempt == nil {
		t.Fatalf("nothing is due after %v: %+v", at, step)
	}
	return tenure, *step.Attempt
}

// idle demands that nothing is due, and returns until when.
func idle(t *testing.T, tenure Tenure, at time.Duration) time.Duration {
	t.Helper()
	_, step := tenure.Next(after(at))
	if step.Attempt != nil || step.End != nil {
		t.Fatalf("after %v: %+v", at, step)
	}
	return step.Until - sent0
}

func anchorIs(t *testing.T, tenure Tenure, want time.Duration) {
	t.Helper()
	if got := tenure.Trust().Anchor - sent0; got != want {
		t.Fatalf("the anchor is at %v, want %v", got, want)
	}
}

func endIs(t *testing.T, tenure Tenure, at time.Duration, want error) {
	t.Helper()
	if _, step := tenure.Next(after(at)); !errors.Is(step.End, want) || step.Attempt != nil {
		t.Fatalf("after %v: %+v, want the end %v", at, step, want)
	}
}

func TestARenewalIsDueOneUpdateAfterTheLastWasSent(t *testing.T) {
	tenure := holding(false)
	if until := idle(t, tenure, 0); until != 2*time.Second {
		t.Fatalf("idle until %v", until)
	}
	tenure, a := sending(t, tenure, 2*time.Second)
	want := rowOf(us, 3, 8).Record
	if a.Read || a.Seen != rowOf(us, 3, 7) || a.Next != want || a.Sent != sent0+2*time.Second {
		t.Fatalf("%+v", a)
	}
	if until := idle(t, tenure, 2500*ms); until != 3320*ms {
		t.Fatalf("an attempt may take until %v, want 3.32s", until)
	}
	tenure = tenure.Landed(a, Observation{}, nil, after(3*time.Second))
	anchorIs(t, tenure, 2*time.Second)
	if until := idle(t, tenure, 3*time.Second); until != 4*time.Second {
		t.Fatalf("idle until %v", until)
	}
}

func TestStoppingBeginsOnTimeWhateverIsUnderWay(t *testing.T) {
	stop := 5962 * ms
	tenure := holding(false)
	tenure, _ = sending(t, tenure, 5*time.Second)
	if until := idle(t, tenure, 5*time.Second); until != stop {
		t.Fatalf("asked again after %v, want %v", until, stop)
	}
	idle(t, tenure, stop-1)
	endIs(t, tenure, stop, ErrTrustEnded)
}

func TestAnEndedTermStaysEnded(t *testing.T) {
	tenure, step := holding(false).Next(after(6 * time.Second))
	if !errors.Is(step.End, ErrTrustEnded) {
		t.Fatal(step.End)
	}
	endIs(t, tenure, 0, ErrTrustEnded)
}

func TestAnUnknownOutcomeIsNotRenewed(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	anchorIs(t, tenure, 0)
	tenure, a = sending(t, tenure, 3*time.Second)
	if !a.Read {
		t.Fatalf("wrote without having read: %+v", a)
	}
	_ = tenure
}

// A server that lost its peers shows what it never made durable: if that gave
// trust, its holder would live beside the one that the others have claimed.
func TestARenewalThatArrivedUnseenMovesTheRowAndNotTheAnchor(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	tenure, a = sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, rowOf(us, 3, 8), nil, after(3100*ms))
	anchorIs(t, tenure, 0)
	tenure, a = sending(t, tenure, 3100*ms)
	if a.Read || a.Seen.Record.Version != 8 || a.Next.Version != 9 {
		t.Fatalf("%+v", a)
	}
	tenure = tenure.Landed(a, Observation{}, nil, after(3200*ms))
	anchorIs(t, tenure, 3100*ms)
}

func TestARenewalThatDidNotArriveIsSentAgain(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	tenure, a = sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, rowOf(us, 3, 7), nil, after(3100*ms))
	tenure, a = sending(t, tenure, 3100*ms)
	if a.Read || a.Next.Version != 8 {
		t.Fatalf("%+v", a)
	}
	// The first one arrives late, before the second.
	tenure = tenure.Landed(a, Observation{}, ErrChanged, after(3200*ms))
	tenure, a = sending(t, tenure, 3200*ms)
	if !a.Read {
		t.Fatalf("%+v", a)
	}
	tenure = tenure.Landed(a, rowOf(us, 3, 8), nil, after(3300*ms))
	tenure, a = sending(t, tenure, 3300*ms)
	tenure = tenure.Landed(a, Observation{}, nil, after(3400*ms))
	anchorIs(t, tenure, 3300*ms)
	if tenure.Row().Record.Version != 9 || tenure.Doubt() {
		t.Fatalf("%+v", tenure)
	}
}

func TestWhatARefusedRenewalMeans(t *testing.T) {
	for _, row := range []struct {
		name string
		o    Observation
		lost bool
	}{
		{"the row is somebody else's", rowOf(them, 4, 8), true},
		{"the row is our next agent's", rowOf(us, 4, 8, func(o *Observation) { o.Record.Nonce = "nonce-a3" }), true},
		{"the row is of an older epoch", rowOf(us, 2, 7), true},
		{"the row is released", rowOf(us, 3, 8, released), true},
		{"the row is gone", missing(), true},
		{"the database lost our last writes", rowOf(us, 3, 6, under("1", "2")), true},
		{"the row has a version that we never wrote", rowOf(us, 3, 8), true},
		{"the database failed over with our row", rowOf(us, 3, 7, under("1", "2")), false},
		{"nothing has changed after all", rowOf(us, 3, 7), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			tenure, a := sending(t, holding(false), 2*time.Second)
			tenure = tenure.Landed(a, Observation{}, ErrChanged, after(2100*ms))
			if !tenure.Doubt() {
				t.Fatal("traffic goes on")
			}
			tenure, a = sending(t, tenure, 2100*ms)
			if !a.Read {
				t.Fatalf("%+v", a)
			}
			tenure = tenure.Landed(a, row.o, nil, after(2200*ms))
			anchorIs(t, tenure, 0)
			if row.lost {
				endIs(t, tenure, 2200*ms, ErrLost)
				if _, err := tenure.Release("", after(3*time.Second)); !errors.Is(err, ErrLost) {
					t.Fatalf("released: %v", err)
				}
				return
			}
			tenure, a = sending(t, tenure, 2200*ms)
			if a.Next.Version != 8 || a.Next.Incarnation != row.o.Incarnation || a.Seen != row.o {
				t.Fatalf("%+v", a)
			}
			tenure = tenure.Landed(a, Observation{}, nil, after(2300*ms))
			anchorIs(t, tenure, 2200*ms)
			if tenure.Doubt() {
				t.Fatal("still in doubt")
			}
		})
	}
}

func TestAReadThatFailedIsNoWriteThatMayArrive(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, ErrChanged, after(2100*ms))
	tenure, a = sending(t, tenure, 2100*ms)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	tenure, a = sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, rowOf(us, 3, 8), nil, after(3100*ms)) // not by us
	endIs(t, tenure, 3100*ms, ErrLost)
}

func TestARenewalThatArrivedIsNotWaitedForAgain(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	tenure, a = sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, rowOf(us, 3, 8), nil, after(3*time.Second))
	tenure, a = sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, Observation{}, ErrChanged, after(3*time.Second))
	tenure, a = sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, rowOf(us, 3, 9), nil, after(3*time.Second)) // not by us
	endIs(t, tenure, 3*time.Second, ErrLost)
}

func TestARowThatWasReleasedIsNotTakenForARenewalThatArrived(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	tenure, a = sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, rowOf(us, 3, 8, released), nil, after(3*time.Second))
	endIs(t, tenure, 3*time.Second, ErrLost)
}

func TestADatabaseThatShowsARowAndRefusesItIsNotAskedInACircle(t *testing.T) {
	tenure, now, calls := holding(false), 2*time.Second, 0
	for now < 3*time.Second {
		var step Step
		if tenure, step = tenure.Next(after(now)); step.Attempt == nil {
			now = step.Until - sent0
			continue
		}
		if calls++; step.Attempt.Read {
			tenure = tenure.Landed(*step.Attempt, rowOf(us, 3, 7), nil, after(now))
		} else {
			tenure = tenure.Landed(*step.Attempt, Observation{}, ErrChanged, after(now))
		}
	}
	if calls > 10 {
		t.Fatalf("%d calls in a second", calls)
	}
}

func TestADatabaseThatFailsAtOnceIsNotAskedInACircle(t *testing.T) {
	tenure, now, calls := holding(false), 2*time.Second, 0
	for ; now < 3*time.Second; calls++ {
		var a Attempt
		tenure, a = sending(t, tenure, now)
		tenure = tenure.Landed(a, Observation{}, errSilence, after(now))
		now = idle(t, tenure, now)
	}
	if calls > 4 {
		t.Fatalf("%d calls in a second", calls)
	}
}

func TestTheFirstFailureEndsTheTermWhereThatIsAskedFor(t *testing.T) {
	tenure, a := sending(t, holding(true), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(2100*ms))
	endIs(t, tenure, 2100*ms, ErrDatabaseLost)
}

func TestARefusalIsNoLossOfTheDatabase(t *testing.T) {
	tenure, a := sending(t, holding(true), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, ErrChanged, after(2100*ms))
	tenure, _ = sending(t, tenure, 2100*ms)
	idle(t, tenure, 2200*ms)
}

func TestADoubtEndsWithARenewalThatWasSentAfterIt(t *testing.T) {
	t.Run("nothing was under way", func(t *testing.T) {
		tenure := holding(false).InDoubt(after(time.Second))
		tenure, a := sending(t, tenure, time.Second) // at once, not when it is due
		if !tenure.Doubt() {
			t.Fatal("no doubt")
		}
		if tenure = tenure.Landed(a, Observation{}, nil, after(1100*ms)); tenure.Doubt() {
			t.Fatal("still in doubt")
		}
	})
	t.Run("a renewal was under way", func(t *testing.T) {
		tenure, a := sending(t, holding(false), 2*time.Second)
		tenure = tenure.InDoubt(after(2 * time.Second)) // even at the same reading
		tenure = tenure.Landed(a, Observation{}, nil, after(2100*ms))
		anchorIs(t, tenure, 2*time.Second)
		if !tenure.Doubt() {
			t.Fatal("confirmed by what was sent before")
		}
		tenure, a = sending(t, tenure, 2100*ms)
		if tenure = tenure.Landed(a, Observation{}, nil, after(2200*ms)); tenure.Doubt() {
			t.Fatal("still in doubt")
		}
	})
	t.Run("a read confirms nothing", func(t *testing.T) {
		tenure, a := sending(t, holding(false), 2*time.Second)
		tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second)).InDoubt(after(3 * time.Second))
		tenure, a = sending(t, tenure, 3*time.Second)
		if tenure = tenure.Landed(a, rowOf(us, 3, 7), nil, after(3100*ms)); !tenure.Doubt() {
			t.Fatal("confirmed by a read")
		}
	})
}

func TestAReleaseNamesWhatIsKnown(t *testing.T) {
	tenure, err := holding(false).WithMemo("remember")
	if err != nil {
		t.Fatal(err)
	}
	a, err := tenure.Release("b:/node", after(time.Second))
	want := rowOf(us, 3, 8, successor("b:/node"), func(o *Observation) { o.Record.Memo = "remember" }).Record
	if err != nil || a.Read || a.Seen != rowOf(us, 3, 7) || a.Next != want {
		t.Fatalf("%+v, %v", a, err)
	}
	if !tenure.ReleasedBy(Observation{Exists: true, Record: want, Incarnation: "1"}) {
		t.Fatal("our own release is not known again")
	}
	for _, o := range []Observation{rowOf(us, 3, 8), rowOf(us, 3, 9, released), rowOf(us, 2, 8, released), rowOf(them, 3, 8, released)} {
		if tenure.ReleasedBy(o) {
			t.Errorf("taken for our release: %v", o)
		}
	}
}

func TestAReleaseAfterAnUnknownOutcomeReadsFirst(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	a, err := tenure.Release("", after(3*time.Second))
	if err != nil || !a.Read {
		t.Fatalf("%+v, %v", a, err)
	}
	tenure = tenure.Landed(a, rowOf(us, 3, 8), nil, after(3*time.Second))
	if a, err = tenure.Release("", after(3*time.Second)); err != nil || a.Next.Version != 9 || !a.Next.Released {
		t.Fatalf("%+v, %v", a, err)
	}
}

// An agent whose trust has ended does not know who claimed since. If the
// database lost that claim, a release would invite everybody to take at once
// what somebody else is alive with.
func TestARowOfAnotherDatabaseIsNotReleased(t *testing.T) {
	tenure, a := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(a, Observation{}, errSilence, after(3*time.Second))
	tenure, _ = tenure.Next(after(6 * time.Second))
	a, _ = tenure.Release("", after(time.Minute))
	tenure = tenure.Landed(a, rowOf(us, 3, 7, under("1", "2")), nil, after(time.Minute))
	if a, err := tenure.Release("", after(time.Minute)); err == nil {
		t.Fatalf("released: %+v", a)
	}
}

// The release that got no answer may have been written, and believed by somebody
// who is alive, before the database lost both.
func TestARowOfAnotherDatabaseIsNotReleasedWhileTrustLastsEither(t *testing.T) {
	tenure := holding(false)
	a, _ := tenure.Release("", after(time.Second))
	tenure = tenure.Landed(a, Observation{}, errSilence, after(time.Second))
	a, _ = tenure.Release("", after(time.Second))
	tenure = tenure.Landed(a, rowOf(us, 3, 7, under("1", "2")), nil, after(time.Second))
	if a, err := tenure.Release("", after(time.Second)); err == nil {
		t.Fatalf("%+v", a)
	}
}

func TestALossIsSeenAlsoAfterTrustHasEnded(t *testing.T) {
	tenure, a := sending(t, holding(false), 5*time.Second)
	tenure, _ = tenure.Next(after(6 * time.Second))
	tenure = tenure.Landed(a, Observation{}, errSilence, after(6*time.Second))
	a, err := tenure.Release("", after(time.Minute))
	if err != nil || !a.Read {
		t.Fatalf("%+v, %v", a, err)
	}
	tenure = tenure.Landed(a, rowOf(them, 4, 8), nil, after(time.Minute))
	if _, err := tenure.Release("", after(time.Minute)); !errors.Is(err, ErrLost) {
		t.Fatalf("got %v", err)
	}
	endIs(t, tenure, time.Minute, ErrTrustEnded) // the first reason stays
}

func TestAnAnswerToWhatWasGivenUpChangesNothing(t *testing.T) {
	tenure, old := sending(t, holding(false), 2*time.Second)
	tenure = tenure.Landed(old, Observation{}, errSilence, after(3*time.Second))
	tenure, a := sending(t, tenure, 3*time.Second)
	tenure = tenure.Landed(a, rowOf(us, 3, 8), nil, after(3*time.Second))
	tenure = tenure.Renewed(old)
	anchorIs(t, tenure, 0)
}

func TestAMemoThatNoDatabaseKeepsIsNotTaken(t *testing.T) {
	good, err := holding(false).WithMemo(strings.Repeat("x", MaxMemoBytes))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{strings.Repeat("x", MaxMemoBytes+1), "\xff", "a\x00b"} {
		tenure, err := good.WithMemo(bad)
		if err == nil {
			t.Errorf("took %.10q", bad)
		}
		if _, a := sending(t, tenure, 2*time.Second); len(a.Next.Memo) != MaxMemoBytes {
			t.Errorf("the former memo is gone: %.10q", a.Next.Memo)
		}
	}
}
