package etcdstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/notice/noticetest"
)

func TestEtcdKeepsTheBoard(t *testing.T) {
	server := testserver.Etcd(t, 1)
	noticetest.Run(t, func(t *testing.T) (a, b noticetest.Board) {
		c := etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()}
		return open(t, c), open(t, c)
	})
}

func answers(t *testing.T, db *etcdstore.DB, id int64, state, text string, want bool) {
	t.Helper()
	if moved, err := db.Answer(t.Context(), id, state, text); err != nil || moved != want {
		t.Fatalf("answer %s: %v (%v), want %v", state, moved, err, want)
	}
}

// timeout is closed after d.
func timeout(t testing.TB, d time.Duration) <-chan struct{} {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx.Done()
}

func TestTheBoardRefusesWhatIsTooLarge(t *testing.T) {
	server := testserver.Etcd(t, 1)
	a := open(t, etcdstore.Config{Endpoints: server.Addrs(), Prefix: prefix()})
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
