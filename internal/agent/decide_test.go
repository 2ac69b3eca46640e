package agent

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/notice"
)

func TestANodeThatEndsIsRestartedHereAndThenHandedOver(t *testing.T) {
	policy := Restart{Attempts: 3, Backoff: time.Second, MaxBackoff: 3 * time.Second, ResetAfter: time.Minute}
	ended := ending{reason: "exit code 1"}
	for _, c := range []struct {
		name   string
		policy Restart
		before streak
		end    ending
		want   next
	}{
		{"first failure", policy, streak{}, ended, next{after: time.Second, streak: streak{failures: 1}}},
		{"second waits twice as long", policy, streak{failures: 1}, ended, next{after: 2 * time.Second, streak: streak{failures: 2}}},
		{"the wait has a limit", policy, streak{failures: 2}, ended, next{after: 3 * time.Second, streak: streak{failures: 3}}},
		{"the last attempt has been made", policy, streak{failures: 3}, ended, next{handOver: true, streak: streak{failures: 4}}},
		{"no attempts at all", Restart{}, streak{}, ended, next{handOver: true, streak: streak{failures: 1}}},
		{"a command that is not there", policy, streak{}, ending{hopeless: true}, next{handOver: true, streak: streak{failures: 1}}},
		{"a node that served for long starts afresh", policy, streak{failures: 3}, ending{ready: true, served: time.Minute}, next{after: time.Second, streak: streak{failures: 1}}},
		{"a node that served briefly does not", policy, streak{failures: 3}, ending{ready: true, served: time.Second}, next{handOver: true, streak: streak{failures: 4}}},
		{"a node that its guard ended is no failure", policy, streak{failures: 3}, ending{fenced: true, ready: true}, next{streak: streak{failures: 3}}},
		{"a planned exit is no failure", policy, streak{failures: 3}, ending{planned: true, ready: true}, next{streak: streak{failures: 3, planned: 1}}},
		{"planned exits without ever being ready are", policy, streak{planned: maxPlannedInARow}, ending{planned: true}, next{after: time.Second, streak: streak{failures: 1, planned: maxPlannedInARow + 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := afterEnd(c.policy, c.before, c.end); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAnAgentDoesNotClaim(t *testing.T) {
	failed := lease.Observation{Exists: true, Record: lease.Record{Epoch: 7, Memo: memo{Failures: 4, Why: "exit code 1", By: "b:/opt", Epoch: 7}.encode()}}
	for _, c := range []struct {
		name string
		s    standing
		o    lease.Observation
		want string
	}{
		{"while a person asked for hands off", standing{budget: 4, paused: "ann@desk"}, lease.Observation{}, "paused by ann@desk"},
		{"when the node failed too often", standing{budget: 4}, failed, "the node failed 4 times in a row, last on b:/opt: exit code 1"},
		{"when this machine could not run the node", standing{budget: 4, faults: []string{"no java", "no drive"}}, lease.Observation{}, "no java (and 1 more)"},
		{"right after the node failed here", standing{budget: 4, notBefore: 5 * time.Second}, lease.Observation{}, "the other machine has its chance"},
		{"but does when nothing is in the way", standing{budget: 4}, lease.Observation{}, ""},
		{"but does during a pause when a switchover was under way to it", standing{budget: 4, paused: "ann@desk"},
			lease.Observation{Exists: true, Record: lease.Record{Released: true, Successor: "b:/opt"}}, ""},
		{"but does after a person resumed", standing{budget: 4, forgiven: 7}, failed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := admit(c.s, chosen("b:/opt", c.o), c.o, time.Second)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestFailuresAfterAResumeCountAgain(t *testing.T) {
	o := lease.Observation{Exists: true, Record: lease.Record{Epoch: 8, Memo: memo{Failures: 4, Epoch: 8}.encode()}}
	var failed *FailedError
	if err := admit(standing{budget: 4, forgiven: 7}, false, o, 0); !errors.As(err, &failed) {
		t.Fatalf("got %v: what was forgiven at epoch 7 says nothing about epoch 8", err)
	}
}

func TestAMemoFitsTheRowWhateverTheNodeWrote(t *testing.T) {
	for _, why := range []string{strings.Repeat("x", 1<<20), strings.Repeat("\x00", 5000), strings.Repeat("\xff", 5000), strings.Repeat("é", 5000)} {
		text := memo{Failures: 2, Why: why, By: "a:/b"}.encode()
		if len(text) > lease.MaxMemoBytes || !json.Valid([]byte(text)) {
			t.Errorf("memo of %d bytes, valid %v", len(text), json.Valid([]byte(text)))
		}
		if got := decodeMemo(memo{Failures: 2, Why: why, By: why, Epoch: 9}.encode()); got.Failures != 2 || got.Epoch != 9 {
			t.Errorf("read back %+v", got)
		}
		if got := decodeMemo(text); got.Failures != 2 || got.By != "a:/b" {
			t.Errorf("read back %+v", got)
		}
	}
}

func TestAMemoOfAnotherVersionIsNoObstacle(t *testing.T) {
	for _, text := range []string{"", "null", "[]", "{", `{"failures":"many"}`} {
		if got := decodeMemo(text); got.Failures != 0 {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestEverySwitchoverComesToAnEnd(t *testing.T) {
	const open, accepted = notice.StateOpen, notice.StateAccepted
	hot := Snapshot{State: Hot, Instance: "a:/opt", Machine: "a", Holder: "a:/opt", Epoch: 9}
	cold := Snapshot{State: Cold, Instance: "b:/opt", Machine: "b", Holder: "a:/opt", Epoch: 9}
	with := func(s Snapshot, f func(*Snapshot)) Snapshot { f(&s); return s }
	nobody := with(cold, func(s *Snapshot) { s.Holder = "" })
	failed := with(nobody, func(s *Snapshot) { s.State, s.Reasons = Failed, []string{"it failed"} })
	old := switchoverLimit + time.Second
	const waits, grant = "", "grant"
	for _, c := range []struct {
		name   string
		s      Snapshot
		paused string
		r      notice.Request
		want   string
	}{
		{"asked of a hot agent", hot, "", notice.Request{State: open}, grant},
		{"of a cold one: the hot one does it", cold, "", notice.Request{State: open}, waits},
		{"while a takeover is under way: whoever is hot next does it", nobody, "", notice.Request{State: open}, waits},
		{"during a pause", hot, "ann", notice.Request{State: open}, "refused: paused by ann"},
		{"when the node has failed everywhere", failed, "", notice.Request{State: open}, "refused: nobody is hot: it failed"},
		{"and failed on the way", failed, "", notice.Request{State: accepted}, "refused: nobody is hot: it failed"},
		{"too long ago", hot, "", notice.Request{State: open, Age: old}, "refused: nobody could do it"},
		{"too long ago, and nobody became hot since", nobody, "", notice.Request{State: accepted, Age: old}, "refused: nobody could do it"},
		{"a node that takes long to start is waited for", cold, "", notice.Request{State: accepted, Age: old}, waits},
		{"begun before a pause, and the target is on its way", cold, "ann", notice.Request{State: accepted}, waits},
		{"begun before a pause, and the target is gone", with(nobody, func(s *Snapshot) { s.State = Paused }), "ann", notice.Request{State: accepted}, "refused: paused by ann"},
		{"taken up", hot, "", notice.Request{State: accepted, AcceptedBy: "b:/opt"}, "done: a is hot at epoch 9"},
		{"taken up by the target", hot, "", notice.Request{State: accepted, AcceptedBy: "b:/opt", Target: "a"}, "done: a is hot at epoch 9"},
		{"not taken up", hot, "", notice.Request{State: accepted, AcceptedBy: "a:/opt"}, "refused: the other machine did not take over; a is hot again at epoch 9"},
		{"taken up by a third machine", hot, "", notice.Request{State: accepted, AcceptedBy: "b:/opt", Target: "c"}, "refused: c did not take over; a is hot at epoch 9"},
		{"taken up, and paused since", hot, "ann", notice.Request{State: accepted, AcceptedBy: "b:/opt"}, "done: a is hot at epoch 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := judgeSwitchover(c.s, c.paused, c.r)
			text := got.state + ": " + got.text
			if got.grant {
				text = grant
			}
			if c.want == waits && got != (outcome{}) || !strings.HasPrefix(text, c.want) {
				t.Errorf("got %+v, want %q", got, c.want)
			}
		})
	}
}

func TestAPauseLastsFromItsRequestToTheResume(t *testing.T) {
	pause := notice.Request{Kind: RequestPause, By: "ann"}
	resume := notice.Request{Kind: RequestResume, By: "bob"}
	other := notice.Request{Kind: RequestPause, By: "eve"}
	for _, c := range []struct {
		found []notice.Request
		want  string
	}{
		{nil, ""},
		{[]notice.Request{pause}, "ann"},
		{[]notice.Request{pause, other}, "ann"},
		{[]notice.Request{pause, resume}, ""},
		{[]notice.Request{pause, resume, other}, "eve"},
	} {
		if got := pausedBy(c.found); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.found, got, c.want)
		}
	}
}

func TestWhatAPersonForgaveStaysForgiven(t *testing.T) {
	left := memo{Failures: 4, Epoch: 7}.encode()
	for _, c := range []struct {
		name     string
		forgiven uint64
		row      lease.Record
		want     bool
	}{
		{"nobody resumed", 0, lease.Record{Epoch: 7, Memo: left}, false},
		{"resumed", 7, lease.Record{Epoch: 7, Memo: left}, true},
		{"a claim that was never acknowledged carried the memo on", 7, lease.Record{Epoch: 8, Memo: left}, true},
		{"the epoch of the drive was far ahead", 7, lease.Record{Epoch: 90, Memo: left}, true},
		{"it failed again since", 7, lease.Record{Epoch: 8, Memo: memo{Failures: 4, Epoch: 8}.encode()}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := standing{budget: 4, forgiven: c.forgiven}
			err := admit(s, false, lease.Observation{Exists: true, Record: c.row}, 0)
			if (err == nil) != c.want {
				t.Errorf("got %v", err)
			}
			if left := s.failures(c.row.Memo); (left == memo{}) != c.want {
				t.Errorf("counts %+v", left)
			}
		})
	}
}

func TestWhoIsKeptFromTheLeaseBecauseOfItsIdentity(t *testing.T) {
	fault := []clone.Difference{{Path: "keys.jks", Weight: clone.Fault, Text: "holds another identity"}, {Path: "x", Weight: clone.Warning}}
	for name, c := range map[string]struct {
		s    twinSight
		want int
	}{
		"who differs from the last holder":                        {twinSight{self: "b", lastHolder: "a", with: "a", differences: fault}, 1},
		"not the last holder itself":                              {twinSight{self: "a", lastHolder: "a", with: "b", differences: fault}, 0},
		"nobody where nobody ever held it":                        {twinSight{self: "b", with: "a", differences: fault}, 0},
		"nobody who was compared with another than the holder":    {twinSight{self: "b", lastHolder: "a", with: "c", differences: fault}, 0},
		"nobody for whom a person vouches":                        {twinSight{self: "b", lastHolder: "a", with: "a", differences: fault, allow: true}, 0},
		"in devMode, who has no keys though nothing was told":     {twinSight{self: "b", lastHolder: "a", missing: []string{"keys.jks"}, devMode: true}, 1},
		"not twice for one store":                                 {twinSight{self: "b", lastHolder: "a", with: "a", differences: fault, missing: []string{"keys.jks"}, devMode: true}, 1},
		"not without devMode, where the node says so by itself":   {twinSight{self: "b", lastHolder: "a", missing: []string{"keys.jks"}}, 0},
		"not in devMode, where this machine had the lease last":   {twinSight{self: "a", lastHolder: "a", missing: []string{"keys.jks"}, devMode: true}, 0},
		"not in devMode, where it is the first start of the pair": {twinSight{self: "a", missing: []string{"keys.jks"}, devMode: true}, 0},
	} {
		if got := twinFaults(c.s); len(got) != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNobodyClaimsBeforeTheKeyStoresAreCompared(t *testing.T) {
	if err := admit(standing{budget: 4, unsure: true}, false, lease.Observation{}, 0); !errors.Is(err, errUnsure) {
		t.Errorf("got %v", err)
	}
	if err := admit(standing{budget: 4, twins: []string{"another identity"}}, false, lease.Observation{}, 0); err == nil || err.Error() != "another identity" {
		t.Errorf("got %v", err)
	}
}
