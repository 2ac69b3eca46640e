package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hotcold/hotcold/lease"
)

// Read implements [lease.Store] with one statement: the row and the database's
// incarnation are of one instant.
func (d *DB) Read(ctx context.Context, name string) (lease.Observation, error) {
	var o lease.Observation
	err := d.run(ctx, leaseLane, fmt.Sprintf("read lease %q", name), func(s session) error {
		var err error
		o, err = observe(s.QueryRowContext(ctx, d.sql.read, name), s.place())
		return err
	})
	if err != nil {
		return lease.Observation{}, err
	}
	o.Record.Name = name
	return o, nil
}

// Leases returns every lease that the database keeps, by name.
func (d *DB) Leases(ctx context.Context) ([]lease.Observation, error) {
	return list(ctx, d, "list the leases", d.sql.leases, nil, observe)
}

// observe reads one row of the statements read and leases.
func observe(row scanner, place string) (lease.Observation, error) {
	var (
		o                                          lease.Observation
		r                                          = &o.Record
		name, holder, nonce, boot                  sql.Null[string]
		successor, incarnation, memo               sql.Null[string]
		epoch, version, update, wait, trust, fence sql.Null[int64]
		released                                   sql.Null[bool]
		written, age                               sql.Null[int64]
	)
	if err := row.Scan(&o.Incarnation, &name, &holder, &nonce, &boot, &epoch, &version, &released, &successor,
		&incarnation, &update, &wait, &trust, &fence, &memo, &written, &age); err != nil {
		return o, err
	}
	o.Incarnation += place
	if o.Exists = name.Valid; !o.Exists {
		return o, nil
	}
	*r = lease.Record{
		Name: name.V, Holder: holder.V, Nonce: nonce.V, Boot: boot.V,
		Epoch: uint64(epoch.V), Version: uint64(version.V), Released: released.V, Successor: successor.V,
		Incarnation: incarnation.V, Update: micros(update.V), Wait: micros(wait.V), Trust: micros(trust.V), Fence: micros(fence.V),
		Memo: memo.V,
	}
	o.WrittenAt, o.Age = time.UnixMicro(written.V), micros(age.V)
	return o, nil
}

// Swap implements [lease.Store] with one statement. A change of holder, a
// release and a first claim wake those who watch; a renewal does not.
func (d *DB) Swap(ctx context.Context, seen lease.Observation, next lease.Record) error {
	if err := next.Keepable(seen.Record); err != nil {
		return fmt.Errorf("write lease %q: %w", next.Name, err)
	}
	return d.run(ctx, leaseLane, fmt.Sprintf("write lease %q", next.Name), func(s session) error {
		database, here := strings.CutSuffix(seen.Incarnation, s.place())
		if !here {
			return lease.ErrChanged
		}
		statement, args := d.sql.renew, renewal(seen, next, database)
		if !seen.Exists {
			statement, args = d.sql.claim, append(row(next), database)
		}
		changed, err := s.write(ctx, signalOf(seen, next), statement, args...)
		if err == nil && changed == 0 {
			return lease.ErrChanged
		}
		return err
	})
}

// Watch implements [lease.Store]. It wakes on new requests and their answers too.
func (d *DB) Watch(ctx context.Context, name string, changed func()) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	err := d.dialect.watch(ctx, name, changed)
	if ended := context.Cause(ctx); ended != nil {
		return ended
	}
	return fmt.Errorf("watch lease %q: %w", name, d.dialect.judge(ctx, err))
}

// signalOf names the lease whose watchers the write has to wake, if any.
func signalOf(seen lease.Observation, next lease.Record) string {
	r := seen.Record
	if seen.Exists && r.Released == next.Released && r.Epoch == next.Epoch && r.Holder == next.Holder && r.Nonce == next.Nonce {
		return ""
	}
	return next.Name
}

// row are the columns of leaseColumns.
func row(r lease.Record) []any {
	return append([]any{r.Name}, values(r)...)
}

func values(r lease.Record) []any {
	return []any{r.Holder, r.Nonce, r.Boot, int64(r.Epoch), int64(r.Version), r.Released, r.Successor, r.Incarnation,
		r.Update.Microseconds(), r.Wait.Microseconds(), r.Trust.Microseconds(), r.Fence.Microseconds(), r.Memo}
}

func renewal(seen lease.Observation, next lease.Record, database string) []any {
	k := seen.Record
	return append(values(next), next.Name, k.Holder, k.Nonce, int64(k.Epoch), int64(k.Version), k.Released, k.Incarnation, database)
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// scanner is *sql.Row or *sql.Rows.
type scanner interface{ Scan(...any) error }

// text reads a column in which Oracle keeps no text as NULL.
type text struct{ to *string }

// Scan implements sql.Scanner.
func (t text) Scan(value any) error {
	var s sql.NullString
	err := s.Scan(value)
	*t.to = s.String
	return err
}

// list runs a query on the board's connections and reads each row with scan.
func list[T any](ctx context.Context, d *DB, what, query string, args []any, scan func(scanner, string) (T, error)) ([]T, error) {
	var all []T
	err := d.run(ctx, boardLane, what, func(s session) error {
		rows, err := s.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			one, err := scan(rows, s.place())
			if err != nil {
				return errors.Join(err, rows.Close())
			}
			all = append(all, one)
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
