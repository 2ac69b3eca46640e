package lease

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const ms = time.Millisecond

func TestTimingDerivesTheNumbersOfTheDocumentation(t *testing.T) {
	for _, row := range []struct {
		name     string
		settings Settings
		want     Timing
	}{
		{"the defaults leave three attempts of 1.3 s", Default(), Timing{
			Update: 2 * time.Second, Wait: 10 * time.Second, Fence: 3 * time.Second,
			Attempt: 1320 * ms, Trust: 8962 * ms, Slack: time.Second, Spare: 2}},
		{"the guide's 20 s and 40 s stop at 26.8 s", Settings{Update: 20 * time.Second, Wait: 40 * time.Second}, Timing{
			Update: 20 * time.Second, Wait: 40 * time.Second, Fence: 12 * time.Second,
			Attempt: 2280 * ms, Trust: 38842 * ms, Slack: time.Second, Spare: 2}},
		{"a short wait has a short slack", Settings{Update: 300 * ms, Wait: time.Second}, Timing{
			Update: 300 * ms, Wait: time.Second, Fence: 300 * ms,
			Attempt: 250 * ms, Trust: 896 * ms, Slack: 100 * ms, Spare: 0}},
		{"a long wait does not make attempts longer than 5 s", Settings{Update: 2 * time.Second, Wait: time.Minute}, Timing{
			Update: 2 * time.Second, Wait: time.Minute, Fence: 18 * time.Second,
			Attempt: 5 * time.Second, Trust: 58762 * ms, Slack: time.Second, Spare: 6}},
		{"what is set is taken", Settings{Update: time.Second, Wait: 10 * time.Second, Fence: 5 * time.Second, Attempt: time.Second}, Timing{
			Update: time.Second, Wait: 10 * time.Second, Fence: 5 * time.Second,
			Attempt: time.Second, Trust: 8962 * ms, Slack: time.Second, Spare: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := row.settings.Timing()
			if err != nil {
				t.Fatal(err)
			}
			if got != row.want {
				t.Fatalf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestStoppingBeginsAt26SecondsWithTheGuidesNumbers(t *testing.T) {
	timing := must(Settings{Update: 20 * time.Second, Wait: 40 * time.Second}.Timing())
	trust := timing.trustFrom(7, time.Hour)
	if got := (trust.StopAt - time.Hour).Truncate(100 * ms); got != 26800*ms {
		t.Fatalf("stopping begins after %v, want 26.8s", got)
	}
	if got := (trust.DeadBy - time.Hour).Truncate(100 * ms); got != 38800*ms {
		t.Fatalf("dead by %v, want 38.8s", got)
	}
	if trust.KillAt() <= trust.StopAt || trust.KillAt() >= trust.DeadBy {
		t.Fatalf("kill at %v, want between %v and %v", trust.KillAt(), trust.StopAt, trust.DeadBy)
	}
}

func TestUnsafeTimingIsRefusedWithWhatWouldDo(t *testing.T) {
	for _, row := range []struct {
		name     string
		settings Settings
		want     []string
	}{
		{"a wait just above the update", Settings{Update: 20 * time.Second, Wait: 21 * time.Second},
			[]string{"waitInterval 21s", "updateInterval 20s", "fenceTimeout 6.3s", "waitInterval has to be at least 30.2s, and 1m0s leaves room"}},
		{"a wait below the update", Settings{Update: 20 * time.Second, Wait: 10 * time.Second}, []string{"at least 30.2s"}},
		{"no wait", Settings{Update: 2 * time.Second}, []string{"waitInterval is 0s"}},
		{"a wait below zero", Settings{Update: 2 * time.Second, Wait: -10 * time.Second}, []string{"waitInterval is -10s"}},
		{"milliseconds read as nanoseconds", Settings{Update: 2000, Wait: 10000},
			[]string{"updateInterval is 2µs", "waitInterval is 10µs"}},
		{"a fence that leaves no time", Settings{Update: 2 * time.Second, Wait: 10 * time.Second, Fence: 8 * time.Second},
			[]string{"fenceTimeout 8s", "at least 11.1s"}},
		{"a fence that no wait can hold", Settings{Update: 2 * time.Second, Wait: 10 * time.Second, Fence: 24 * time.Hour},
			[]string{"no waitInterval up to 24h0m0s would do"}},
		{"numbers that overflow", Settings{Update: math.MaxInt64, Wait: 10 * time.Second, Fence: math.MaxInt64},
			[]string{"updateInterval is", "fenceTimeout is"}},
		{"an attempt that is too long", Settings{Update: 2 * time.Second, Wait: 10 * time.Second, Attempt: 4 * time.Second},
			[]string{"one attempt of 4s", "at least 13s"}},
		{"an attempt after which the next comes too late", Settings{Update: time.Second, Wait: 20 * time.Second, Attempt: 11 * time.Second},
			[]string{"one attempt of 11s"}},
		{"an attempt that is too short", Settings{Update: 2 * time.Second, Wait: 10 * time.Second, Attempt: ms},
			[]string{"attemptTimeout is 1ms"}},
		{"spans below zero", Settings{Update: 2 * time.Second, Wait: 10 * time.Second, Fence: -1, Attempt: -1},
			[]string{"fenceTimeout is -1ns", "attemptTimeout is -1ns"}},
		{"what a row cannot keep", Settings{Update: 2*time.Second + 1, Wait: 10 * time.Second}, []string{"updateInterval is 2.000000001s, want whole microseconds"}},
		{"a wait of more than a day", Settings{Update: 2 * time.Second, Wait: 25 * time.Hour}, []string{"waitInterval is 25h"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := row.settings.Timing()
			if !errors.Is(err, ErrUnsafe) {
				t.Fatalf("got %v, want ErrUnsafe", err)
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestTheWaitThatIsAdvisedIsTheLeastThatHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySettings().Draw(t, "settings")
		least, ok := s.enough()
		if !ok {
			t.Skip("no wait would do")
		}
		s.Wait = least
		if _, err := s.Timing(); err != nil {
			t.Fatalf("the advice is refused: %v", err)
		}
		s.Wait = least - adviceStep
		if _, err := s.Timing(); err == nil {
			t.Fatalf("%v is less and holds as well", s.Wait)
		}
	})
}

// Goal: no two nodes alive. Method: the slowest allowed clock counts the
// holder's trust, the fastest the challenger's wait, and the fence is as late
// as the slack allows. Exact integer arithmetic, in 1/1000 of a nanosecond.
func TestANodeIsDeadBeforeTheFastestChallengerHasWaited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing, err := anySettings().Draw(t, "settings").Timing()
		if err != nil {
			t.Skip("refused")
		}
		const unit, rho = 1000, 2 // rho in units
		// dead = L / (1 - rho) + delta, claim = W / (1 + rho); both are
		// multiplied by (1 - rho) * (1 + rho).
		dead := int64(timing.Trust)*(unit+rho)*unit + int64(timing.Slack)*(unit-rho)*(unit+rho)
		claim := int64(timing.Wait) * (unit - rho) * unit
		if dead > claim {
			t.Fatalf("dead %d after the claim: %+v", dead-claim, timing)
		}
	})
}

func TestAHealthyHolderIsNeverStoppedForWantOfTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing, err := anySettings().Draw(t, "settings").Timing()
		if err != nil {
			t.Skip("refused")
		}
		if timing.Spare < 0 || timing.Trust < max(timing.Update, timing.Attempt)+time.Duration(timing.Spare+1)*timing.Attempt+timing.Fence {
			t.Fatalf("%+v", timing)
		}
		if timing.Look() > timing.Update || timing.Look() > timing.Wait/4 || timing.Look() <= 0 {
			t.Fatalf("looks every %v with %+v", timing.Look(), timing)
		}
	})
}

func TestExplainShowsANeedThatIsNotAboveWhatIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing, err := anySettings().Draw(t, "settings").Timing()
		if err != nil {
			t.Skip("refused")
		}
		lines := strings.Join(timing.Explain(), "\n")
		_, rest, _ := strings.Cut(lines, "(1+rho)*delta = ")
		text, _, _ := strings.Cut(rest, " ")
		needed, err := time.ParseDuration(text)
		if err != nil || needed > timing.Wait {
			t.Fatalf("needs %v (%v) of %v", needed, err, timing.Wait)
		}
	})
}

func TestExplainSaysTheInequalityWithItsNumbers(t *testing.T) {
	lines := strings.Join(must(Default().Timing()).Explain(), "\n")
	for _, want := range []string{"W = 10s", "L = 8.962s", "delta = 1s", "rho = 0.002", "U = 2s", "m = 2", "T = 1.32s", "K = 3s",
		"stopping begins 5.962s", "2 failed attempts", "17.3"} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is missing in\n%s", want, lines)
		}
	}
}

func TestDisagreementNamesEachNumberThatDiffers(t *testing.T) {
	ours := must(Default().Timing())
	theirs := must(Settings{Update: 3 * time.Second, Wait: 20 * time.Second}.Timing())
	row := Record{Holder: "b", Update: theirs.Update, Wait: theirs.Wait, Trust: theirs.Trust, Fence: theirs.Fence}
	err := ours.agrees(row)
	var disagreement *DisagreementError
	if !errors.As(err, &disagreement) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"b runs", "updateInterval is 2s here and 3s there", "waitInterval is 10s here and 20s there", "trust is", "fenceTimeout is 3s here and 6s there"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	row = Record{Holder: "b", Update: ours.Update, Wait: ours.Wait, Trust: ours.Trust, Fence: ours.Fence}
	if err := ours.agrees(row); err != nil {
		t.Fatalf("equal numbers: %v", err)
	}
}

func anySettings() *rapid.Generator[Settings] {
	return rapid.Custom(func(t *rapid.T) Settings {
		between := func(name string, from, to time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(from.Microseconds(), to.Microseconds()).Draw(t, name)) * time.Microsecond
		}
		s := Settings{Update: between("update", MinUpdate, time.Minute), Wait: between("wait", MinUpdate, 5*time.Minute)}
		if rapid.Bool().Draw(t, "fence is set") {
			s.Fence = between("fence", ms, 2*time.Minute)
		}
		if rapid.Bool().Draw(t, "attempt is set") {
			s.Attempt = between("attempt", MinAttempt, 10*time.Second)
		}
		return s
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
