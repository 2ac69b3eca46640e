package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/lease/notice"
)

// requestDays is how long a request is kept after its end.
const requestDays = 30

// Ask puts a request up and wakes the agents of its lease. Only Lease, Kind,
// Target, By and Document are taken from r.
func (d *DB) Ask(ctx context.Context, r notice.Request) (int64, error) {
	var id int64
	err := d.run(ctx, boardLane, fmt.Sprintf("ask for %q", r.Kind), func(s session) error {
		var err error
		id, err = s.insert(ctx, r.Lease, d.sql.ask, r.Lease, r.Kind, r.Target, r.By, string(r.Document))
		return err
	})
	if err != nil {
		return 0, err
	}
	d.prune(ctx, "requests", d.sql.forgetRequests, r.Lease)
	return id, nil
}

// Requests returns the open and accepted requests of a lease, oldest first.
func (d *DB) Requests(ctx context.Context, lease string) ([]notice.Request, error) {
	return list(ctx, d, fmt.Sprintf("list the requests for lease %q", lease), d.sql.requests, []any{lease}, scanRequest)
}

// Request returns one request in whatever state, or [notice.ErrNoRequest].
func (d *DB) Request(ctx context.Context, id int64) (notice.Request, error) {
	var r notice.Request
	err := d.run(ctx, boardLane, fmt.Sprintf("read request %d", id), func(s session) error {
		var err error
		r, err = request(ctx, d, s, id)
		return err
	})
	return r, err
}

// Accept takes a request on, in the name of by. It returns false where another
// did or where it has ended; asking twice for the same by is no harm.
func (d *DB) Accept(ctx context.Context, id int64, by string) (bool, error) {
	return d.moveRequest(ctx, "accept", id, d.sql.accept, by, id, by)
}

// Answer ends an open or accepted request as [notice.StateDone] or [notice.StateRefused]. It
// returns false where the request has that very answer already; a request that
// ended otherwise is [notice.ErrEnded].
func (d *DB) Answer(ctx context.Context, id int64, state, text string) (bool, error) {
	if state != notice.StateDone && state != notice.StateRefused {
		return false, fmt.Errorf("answer request %d: %q is no answer, want %q or %q", id, state, notice.StateDone, notice.StateRefused)
	}
	moved, err := d.moveRequest(ctx, "answer", id, d.sql.answer, state, text, id)
	if err != nil || moved {
		return moved, err
	}
	r, err := d.Request(ctx, id)
	if err != nil || r.State == state && r.Answer == text {
		return false, err
	}
	return false, fmt.Errorf("answer request %d: %w: it was %s", id, notice.ErrEnded, r.State)
}

// Withdraw takes back a request that nobody accepted yet. It returns false where
// somebody did; doing it twice is no harm.
func (d *DB) Withdraw(ctx context.Context, id int64) (bool, error) {
	return d.moveRequest(ctx, "withdraw", id, d.sql.withdraw, id)
}

// moveRequest changes the state of a request and wakes those who watch its lease.
func (d *DB) moveRequest(ctx context.Context, verb string, id int64, statement string, args ...any) (bool, error) {
	var moved int64
	err := d.run(ctx, boardLane, fmt.Sprintf("%s request %d", verb, id), func(s session) error {
		r, err := request(ctx, d, s, id)
		if err != nil {
			return err
		}
		moved, err = s.write(ctx, r.Lease, statement, args...)
		return err
	})
	return moved > 0, err
}

func request(ctx context.Context, d *DB, s session, id int64) (notice.Request, error) {
	r, err := scanRequest(s.QueryRowContext(ctx, d.sql.request, id), "")
	if errors.Is(err, sql.ErrNoRows) {
		return r, notice.ErrNoRequest
	}
	return r, err
}

func scanRequest(row scanner, _ string) (notice.Request, error) {
	var (
		r          notice.Request
		document   string
		asked, age int64
		ended      sql.Null[int64]
	)
	err := row.Scan(&r.ID, text{&r.Lease}, text{&r.Kind}, text{&r.Target}, text{&r.By}, text{&document}, text{&r.State}, text{&r.AcceptedBy}, text{&r.Answer},
		&asked, &ended, &age)
	r.Document, r.AskedAt, r.Age = []byte(document), time.UnixMicro(asked), micros(age)
	if ended.Valid {
		r.EndedAt = time.UnixMicro(ended.V)
	}
	return r, err
}
