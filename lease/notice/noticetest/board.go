package noticetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hotcold/hotcold/lease/notice"
)

// patience limits every wait for something that has to happen.
const patience = 30 * time.Second

// Board is what a store keeps beside the lease. The methods are those of the stores, which say what each does.
type Board interface {
	Announce(context.Context, notice.Instance) error
	Instances(ctx context.Context, lease string) ([]notice.Instance, error)
	Append(context.Context, notice.Event) error
	Events(ctx context.Context, lease string, limit int) ([]notice.Event, error)
	Ask(context.Context, notice.Request) (int64, error)
	Request(ctx context.Context, id int64) (notice.Request, error)
	Requests(ctx context.Context, lease string) ([]notice.Request, error)
	Accept(ctx context.Context, id int64, by string) (bool, error)
	Withdraw(ctx context.Context, id int64) (bool, error)
	Answer(ctx context.Context, id int64, state, text string) (bool, error)
	Watch(ctx context.Context, name string, changed func()) error
}

// Run runs every check as a subtest. Fresh returns two ways to one empty database, as two machines have them.
func Run(t *testing.T, fresh func(t *testing.T) (a, b Board)) {
	t.Helper()
	for name, check := range map[string]func(t *testing.T, a, b Board){
		"TwoAgentsWithOneIdentityAreBothSeen":     bothSeen,
		"HistoryIsNewestFirst":                    newestFirst,
		"ARequestIsHeardAcceptedByOneAndAnswered": answered,
		"AWithdrawnRequestIsAcceptedByNobody":     withdrawn,
		"OneOfManyAgentsAcceptsARequest":          oneAccepts,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := fresh(t)
			check(t, a, b)
		})
	}
}

func bothSeen(t *testing.T, a, b Board) {
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
}

func newestFirst(t *testing.T, a, b Board) {
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
}

func answered(t *testing.T, a, b Board) {
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
}

func withdrawn(t *testing.T, a, b Board) {
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
}

func oneAccepts(t *testing.T, a, b Board) {
	id, err := a.Ask(t.Context(), notice.Request{Lease: "node", Kind: "switchover", By: "olga"})
	must(t, err)
	const agents = 8
	won := make(chan bool, agents)
	for i := range agents {
		go func() {
			ok, err := []Board{a, b}[i%2].Accept(t.Context(), id, fmt.Sprint("agent-", i))
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
}

func answers(t *testing.T, db Board, id int64, state, text string, want bool) {
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

func listenTo(t *testing.T, db Board, name string) listening {
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-l.woke:
	case <-ctx.Done():
		t.Fatal("nothing was heard")
	}
}

func (l listening) drain() {
	select {
	case <-l.woke:
	default:
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
