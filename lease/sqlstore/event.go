package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/lease/notice"
)

// keptEvents is how many events of each lease are kept, the newest; some more
// may be there until the next look (see pruneEvery).
const keptEvents = 10_000

// Append adds an event to the history. ID and At are the database's.
func (d *DB) Append(ctx context.Context, e notice.Event) error {
	err := d.run(ctx, boardLane, fmt.Sprintf("record event %q", e.Kind), func(s session) error {
		_, err := s.write(ctx, "", d.sql.record, e.Lease, e.Instance, e.Kind, int64(e.Epoch), string(e.Document))
		return err
	})
	if err == nil && d.pruneIsDue() {
		d.prune(ctx, "events", d.sql.forgetEvents, e.Lease, e.Lease)
	}
	return err
}

// Events returns the newest events of a lease, newest first, at most limit.
func (d *DB) Events(ctx context.Context, lease string, limit int) ([]notice.Event, error) {
	return list(ctx, d, fmt.Sprintf("list the events of lease %q", lease), d.sql.events, []any{lease, limit}, scanEvent)
}

func scanEvent(row scanner, _ string) (notice.Event, error) {
	var (
		e         notice.Event
		document  string
		epoch, at int64
	)
	err := row.Scan(&e.ID, text{&e.Lease}, text{&e.Instance}, text{&e.Kind}, &epoch, text{&document}, &at)
	e.Epoch, e.Document, e.At = uint64(epoch), []byte(document), time.UnixMicro(at)
	return e, err
}
