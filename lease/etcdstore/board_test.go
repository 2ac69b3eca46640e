package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/notice"
)

// onEach runs a test of the board over two stores of one cluster.
func onEach(t *testing.T, f func(t *testing.T, a, b *etcdstore.DB)) {
	server := testserver.Etcd(t, 1)
	c := etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()}
	f(t, open(t, c), open(t, c))
}

func TestTwoAgentsWithOneIdentityAreBothSeen(t *testing.T) {
	onEach(t, func(t *testing.T, a, b *etcdstore.DB) {
		one := notice.Instance{Lease: "node", ID: "machine-a:/opt/corda", Nonce: "1", Machine: "machine-a", Boot: "boot",
			State: "cold", Document: []byte(`{"text":"Zürich ' \" \\ 🔥"}`)}
		two := one
		two.Nonce, two.State, two.Document = "2", "hot", nil
		elsewhere := one
		elsewhere.Lease = "another"
		for _, i := range []notice.Instance{one, two, elsewhere} {
			must(t, a.Announce(t.Context(), i))
		}
		one.State = "starting"
		must(t, b.Announce(t.Context(), one))
		got, err := b.Instances(t.Context(), "node")
		must(t, err)
		if len(got) != 2 {
			t.Fatalf("%d rows, want 2: %+v", len(got), got)
		}
		for _, i := range got {
			want := one
			if i.Nonce == two.Nonce {
				want = two
			}
			if i.WrittenAt.IsZero() || i.Age < 0 || i.Age > patience {
				t.Errorf("written at %v, %v old", i.WrittenAt, i.Age)
			}
			if i.State != want.State || string(i.Document) != string(want.Document) || i.Machine != want.Machine || i.Boot != want.Boot {
				t.Errorf("came back as %+v, want %+v", i, want)
			}
		}
	})
}

func TestHistoryIsNewestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, a, b *etcdstore.DB) {
		for i := range 5 {
			must(t, a.Append(t.Context(), notice.Event{Lease: "node", Instance: "a", Kind: fmt.Sprint(i), Epoch: uint64(i), Document: []byte("{}")}))
			must(t, a.Append(t.Context(), notice.Event{Lease: "another", Kind: "x"}))
		}
		got, err := b.Events(t.Context(), "node", 3)
		must(t, err)
		if len(got) != 3 {
			t.Fatalf("%d events, want 3", len(got))
		}
		for i, e := range got {
			if want := fmt.Sprint(4 - i); e.Kind != want || fmt.Sprint(e.Epoch) != want || e.Lease != "node" || e.Instance != "a" || string(e.Document) != "{}" || e.At.IsZero() {
				t.Errorf("event %d is %+v", i, e)
			}
			if i > 0 && e.ID >= got[i-1].ID {
				t.Errorf("ids do not fall: %d after %d", e.ID, got[i-1].ID)
			}
		}
	})
}

func TestARequestIsHeardAcceptedByOneAndAnswered(t *testing.T) {
	onEach(t, func(t *testing.T, a, b *etcdstore.DB) {
		operator, agent := listenTo(t, a, "node"), listenTo(t, b, "node")
		operator.next(t) // both listen: the first call says so
		agent.next(t)
		ask := notice.Request{Lease: "node", Kind: "switchover", Target: "machine-b", By: "olga", Document: []byte(`{"at":"now"}`)}
		id, err := a.Ask(t.Context(), ask)
		must(t, err)
		agent.next(t)
		open, err := b.Requests(t.Context(), "node")
		must(t, err)
		if len(open) != 1 {
			t.Fatalf("open: %+v", open)
		}
		r := open[0]
		if r.ID != id || r.State != notice.StateOpen || r.Ended() || r.Kind != ask.Kind || r.Target != ask.Target || r.By != ask.By ||
			string(r.Document) != string(ask.Document) || r.AskedAt.IsZero() || !r.EndedAt.IsZero() || r.Age < 0 {
			t.Fatalf("came back as %+v", r)
		}
		wins(t, b.Accept, id, "agent-b", true)
		wins(t, b.Accept, id, "agent-b", true) // asked again after an unknown outcome
		wins(t, a.Accept, id, "agent-a", false)
		if taken, err := a.Withdraw(t.Context(), id); err != nil || taken {
			t.Fatalf("an accepted request was withdrawn: %v (%v)", taken, err)
		}
		operator.drain()
		answers(t, b, id, notice.StateDone, "hot since 12:00", true)
		operator.next(t)
		answers(t, b, id, notice.StateDone, "hot since 12:00", false) // it has that answer already
		if _, err := a.Answer(t.Context(), id, notice.StateRefused, "no"); !errors.Is(err, notice.ErrEnded) {
			t.Fatalf("a second answer: %v, want ErrEnded", err)
		}
		r, err = a.Request(t.Context(), id)
		must(t, err)
		if r.State != notice.StateDone || !r.Ended() || r.AcceptedBy != "agent-b" || r.Answer != "hot since 12:00" || r.EndedAt.Before(r.AskedAt) {
			t.Fatalf("ended as %+v", r)
		}
		if open, err := b.Requests(t.Context(), "node"); err != nil || len(open) != 0 {
			t.Fatalf("still open: %+v (%v)", open, err)
		}
	})
}

func TestAWithdrawnRequestIsAcceptedByNobody(t *testing.T) {
	onEach(t, func(t *testing.T, a, b *etcdstore.DB) {
		id, err := a.Ask(t.Context(), notice.Request{Lease: "node", Kind: "pause", By: "olga"})
		must(t, err)
		for range 2 {
			if taken, err := a.Withdraw(t.Context(), id); err != nil || !taken {
				t.Fatalf("withdraw: %v (%v)", taken, err)
			}
		}
		wins(t, b.Accept, id, "agent-b", false)
		if _, err := b.Answer(t.Context(), id, notice.StateDone, "late"); !errors.Is(err, notice.ErrEnded) {
			t.Fatalf("answer: %v, want ErrEnded", err)
		}
		if _, err := a.Request(t.Context(), id+1); !errors.Is(err, notice.ErrNoRequest) {
			t.Fatalf("a request that never was: %v, want ErrNoRequest", err)
		}
		if _, err := b.Answer(t.Context(), id, "perhaps", ""); err == nil {
			t.Fatal("perhaps was taken for an answer")
		}
	})
}

func TestOneOfManyAgentsAcceptsARequest(t *testing.T) {
	onEach(t, func(t *testing.T, a, b *etcdstore.DB) {
		id, err := a.Ask(t.Context(), notice.Request{Lease: "node", Kind: "switchover", By: "olga"})
		must(t, err)
		const agents = 8
		won := make(chan bool, agents)
		for i := range agents {
			go func() {
				ok, err := []*etcdstore.DB{a, b}[i%2].Accept(t.Context(), id, fmt.Sprint("agent-", i))
				if err != nil {
					t.Error(err)
				}
				won <- ok
			}()
		}
		winners := 0
		for range agents {
			if <-won {
				winners++
			}
		}
		if winners != 1 {
			t.Fatalf("%d agents accepted", winners)
		}
	})
}

func answers(t *testing.T, db *etcdstore.DB, id int64, state, text string, want bool) {
	t.Helper()
	if moved, err := db.Answer(t.Context(), id, state, text); err != nil || moved != want {
		t.Fatalf("answer %s: %v (%v), want %v", state, moved, err, want)
	}
}

func wins(t *testing.T, accept func(context.Context, int64, string) (bool, error), id int64, by string, want bool) {
	t.Helper()
	if got, err := accept(t.Context(), id, by); err != nil || got != want {
		t.Fatalf("accept by %s: %v (%v), want %v", by, got, err, want)
	}
}

// listening is a Watch whose calls can be waited for.
type listening struct{ woke chan struct{} }

func listenTo(t *testing.T, db *etcdstore.DB, name string) listening {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := listening{make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- db.Watch(ctx, name, func() {
			select {
			case l.woke <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("watch ended with %v", err)
		}
	})
	return l
}

func (l listening) next(t *testing.T) {
	t.Helper()
	select {
	case <-l.woke:
	case <-timeout(t, 5*time.Second):
		t.Fatal("nothing was heard")
	}
}

func (l listening) drain() {
	select {
	case <-l.woke:
	default:
	}
}

// timeout is closed after d.
func timeout(t testing.TB, d time.Duration) <-chan struct{} {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx.Done()
}

func TestTheBoardRefusesWhatIsTooLarge(t *testing.T) {
	onEach(t, func(t *testing.T, a, _ *etcdstore.DB) {
		large := make([]byte, 300<<10)
		if err := a.Announce(t.Context(), notice.Instance{Lease: "node", ID: "a", Document: large}); err == nil {
			t.Error("an instance with a large document was taken")
		}
		if err := a.Append(t.Context(), notice.Event{Lease: "node", Document: large}); err == nil {
			t.Error("an event with a large document was taken")
		}
		if _, err := a.Ask(t.Context(), notice.Request{Lease: "node", Document: large}); err == nil {
			t.Error("a request with a large document was taken")
		}
	})
}

// The goal: what is kept has a limit. The method: a clock that was a day, and a month,
// behind writes what is old.
func TestTheBoardForgetsWhatIsOld(t *testing.T) {
	server := testserver.Etcd(t, 1)
	c := etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()}
	now := open(t, c)
	c.Clock = behind{clock.System(), 31 * 24 * time.Hour}
	past := open(t, c)
	must(t, past.Announce(t.Context(), notice.Instance{Lease: "node", ID: "a", Nonce: "1"}))
	must(t, past.Announce(t.Context(), notice.Instance{Lease: "node", ID: "b", Nonce: "1"}))
	id, err := past.Ask(t.Context(), notice.Request{Lease: "node", Kind: "old"})
	must(t, err)
	answers(t, past, id, notice.StateRefused, "no", true)

	must(t, now.Announce(t.Context(), notice.Instance{Lease: "node", ID: "a", Nonce: "2"}))
	_, err = now.Ask(t.Context(), notice.Request{Lease: "node", Kind: "new"})
	must(t, err)
	left, err := now.Instances(t.Context(), "node")
	must(t, err)
	if len(left) != 2 || left[0].ID != "a" || left[0].Nonce != "2" || left[1].ID != "b" {
		t.Errorf("left are %+v, want a2 and b1, which is the last word of b", left)
	}
	if _, err := now.Request(t.Context(), id); !errors.Is(err, notice.ErrNoRequest) {
		t.Errorf("an old request: %v, want ErrNoRequest", err)
	}
}

// behind is a clock whose wall time is late.
type behind struct {
	clock.Clock
	by time.Duration
}

func (b behind) Now() clock.Reading {
	r := b.Clock.Now()
	r.Wall = r.Wall.Add(-b.by)
	return r
}
