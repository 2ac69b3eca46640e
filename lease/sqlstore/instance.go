package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/hotcold/hotcold/lease/notice"
)

const (
	// instanceDays is how long the row of a former start of an agent is kept.
	instanceDays = 1
	// pruneEvery is how many announcements or events pass between two looks
	// for what is too old; the first of each process looks too.
	pruneEvery = 64
)

// Announce writes the row of an agent, or writes it anew. Rows of earlier starts
// of the same agent are removed once they are a day old.
func (d *DB) Announce(ctx context.Context, i notice.Instance) error {
	err := d.run(ctx, boardLane, fmt.Sprintf("announce instance %q", i.ID), func(s session) error {
		_, err := s.write(ctx, "", d.sql.announce, i.Lease, i.ID, i.Machine, i.Nonce, i.Boot, i.State, string(i.Document))
		return err
	})
	if err == nil && d.pruneIsDue() {
		d.prune(ctx, "instances", d.sql.forgetInstances, i.Lease, i.ID, i.Nonce)
	}
	return err
}

// Instances returns every row of a lease, by ID and newest first.
func (d *DB) Instances(ctx context.Context, lease string) ([]notice.Instance, error) {
	return list(ctx, d, fmt.Sprintf("list the instances of lease %q", lease), d.sql.instances, []any{lease}, scanInstance)
}

func scanInstance(row scanner, _ string) (notice.Instance, error) {
	var (
		i            notice.Instance
		document     string
		written, age int64
	)
	err := row.Scan(text{&i.Lease}, text{&i.ID}, text{&i.Machine}, text{&i.Nonce}, text{&i.Boot}, text{&i.State}, text{&document}, &written, &age)
	i.Document, i.WrittenAt, i.Age = []byte(document), time.UnixMicro(written), micros(age)
	return i, err
}

func (d *DB) pruneIsDue() bool { return d.written.Add(1)%pruneEvery == 1 }

// prune removes what is too old. What could not be removed now is removed the
// next time, so an error is worth a warning and no more.
func (d *DB) prune(ctx context.Context, what, statement string, args ...any) {
	err := d.run(ctx, boardLane, "remove old "+what, func(s session) error {
		_, err := s.write(ctx, "", statement, args...)
		return err
	})
	if err != nil {
		d.log.Warn("old rows could not be removed", "err", err)
	}
}
