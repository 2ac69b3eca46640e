package leasetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/hotcold/hotcold/lease"
)

// member is a part of the key and a way to be wrong about it.
type member struct {
	name   string
	change func(*lease.Observation)
}

func members() []member {
	return []member{
		{"holder", func(o *lease.Observation) { o.Record.Holder += "x" }},
		{"holder, empty", func(o *lease.Observation) { o.Record.Holder = "" }},
		{"holder, in capitals", func(o *lease.Observation) { o.Record.Holder = "MACHINE-A:/OPT/CORDA" }},
		{"holder, with a space at its end", func(o *lease.Observation) { o.Record.Holder += " " }},
		{"nonce", func(o *lease.Observation) { o.Record.Nonce += "x" }},
		{"nonce, empty", func(o *lease.Observation) { o.Record.Nonce = "" }},
		{"epoch, one less", func(o *lease.Observation) { o.Record.Epoch-- }},
		{"epoch, one more", func(o *lease.Observation) { o.Record.Epoch++ }},
		{"version, one less", func(o *lease.Observation) { o.Record.Version-- }},
		{"version, one more", func(o *lease.Observation) { o.Record.Version++ }},
		{"released", func(o *lease.Observation) { o.Record.Released = !o.Record.Released }},
		{"the incarnation it was written under", func(o *lease.Observation) { o.Record.Incarnation += "x" }},
		{"the incarnation it was written under, empty", func(o *lease.Observation) { o.Record.Incarnation = "" }},
		{"the database's incarnation", func(o *lease.Observation) { o.Incarnation += "x" }},
		{"the database's incarnation, empty", func(o *lease.Observation) { o.Incarnation = "" }},
		{"the database's incarnation, cut short", func(o *lease.Observation) { o.Incarnation = o.Incarnation[:len(o.Incarnation)-1] }},
	}
}

// everyMember swaps with one wrong member of the key at a time: each has to be
// refused with nothing written, and the true key has to be taken afterwards.
func everyMember(ctx context.Context, f Fixture) error {
	var faults []error
	held, err := claim(ctx, f.A, record("node", "machine-a:/opt/corda", 7, 40))
	if err != nil {
		return err
	}
	for _, released := range []bool{false, true} {
		if released {
			r := next(held)
			r.Released = true
			if held, err = swapAndRead(ctx, f.A, held, r); err != nil {
				return err
			}
		}
		for _, m := range members() {
			if err := refused(ctx, f, held, m); err != nil {
				faults = append(faults, fmt.Errorf("%s differs (released: %v): %w", m.name, released, err))
			}
		}
	}
	_, err = swapAndRead(ctx, f.B, held, next(held))
	return errors.Join(append(faults, err)...)
}

// refused swaps with the key made wrong by m and demands ErrChanged and an untouched row.
func refused(ctx context.Context, f Fixture, held lease.Observation, m member) error {
	wrong := held
	m.change(&wrong)
	r := record(held.Record.Name, "machine-b:/opt/corda", held.Record.Epoch+1, held.Record.Version+1)
	r.Incarnation = held.Incarnation
	if err := f.B.Swap(ctx, wrong, r); !errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("swap returned %v, want ErrChanged", err)
	}
	_, err := readBack(ctx, f.A, held.Record)
	return err
}

func swapAndRead(ctx context.Context, s lease.Store, seen lease.Observation, r lease.Record) (lease.Observation, error) {
	if err := s.Swap(ctx, seen, r); err != nil {
		return seen, fmt.Errorf("swap with the key that was read (%v): %w", seen, err)
	}
	return readBack(ctx, s, r)
}

// missingRow demands that a name without a row is an answer, not an error.
func missingRow(ctx context.Context, f Fixture) error {
	first, err := f.A.Read(ctx, "node")
	if err != nil {
		return err
	}
	if first.Exists || (first.Record != lease.Record{Name: "node"}) {
		return fmt.Errorf("a missing row was read as %+v", first)
	}
	if first.Incarnation == "" {
		return errors.New("the database named no incarnation")
	}
	second, err := f.B.Read(ctx, "node")
	if err != nil {
		return err
	}
	if !second.Same(first) {
		return fmt.Errorf("two connections saw different things: %+v and %+v", first, second)
	}
	return nil
}

// existence swaps as if there were no row where there is one, and the other way round.
func existence(ctx context.Context, f Fixture) error {
	missing, err := f.A.Read(ctx, "node")
	if err != nil {
		return err
	}
	invented := missing
	invented.Exists = true
	invented.Record = record("node", "nobody", 1, 1)
	invented.Record.Incarnation = missing.Incarnation
	if err := f.A.Swap(ctx, invented, next(invented)); !errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("renew a row that is not there: %v, want ErrChanged", err)
	}
	elsewhere := missing
	elsewhere.Incarnation += "x"
	if err := f.A.Swap(ctx, elsewhere, record("node", "a", 1, 1)); !errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("claim a missing row of another incarnation: %v, want ErrChanged", err)
	}
	if again, err := f.B.Read(ctx, "node"); err != nil || again.Exists {
		return fmt.Errorf("something was written by a refused swap: %+v (%v)", again, err)
	}
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	late := record("node", "b", 1, 1)
	late.Incarnation = missing.Incarnation
	if err := f.B.Swap(ctx, missing, late); !errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("claim a missing row that was claimed meanwhile: %v, want ErrChanged", err)
	}
	_, err = readBack(ctx, f.B, held.Record)
	return err
}

// foreignRow writes a row as another database wrote it and demands that it can
// be told, and that it still is taken by its true key.
func foreignRow(ctx context.Context, f Fixture) error {
	seen, err := f.A.Read(ctx, "node")
	if err != nil {
		return err
	}
	r := record("node", "a", 3, 9)
	r.Incarnation = "another database"
	held, err := swapAndRead(ctx, f.A, seen, r)
	if err != nil {
		return err
	}
	if held.Incarnation != seen.Incarnation {
		return fmt.Errorf("the database became %q after a row of another one was written, want %q", held.Incarnation, seen.Incarnation)
	}
	r = next(held)
	r.Incarnation = held.Incarnation
	_, err = swapAndRead(ctx, f.B, held, r)
	return err
}

// changedDatabase makes the database another one and demands that nothing is
// written with a key of before.
func changedDatabase(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 3, 9))
	if err != nil {
		return err
	}
	missing, err := f.A.Read(ctx, "another")
	if err != nil {
		return err
	}
	f.ChangeIncarnation()
	for _, old := range []struct {
		seen lease.Observation
		next lease.Record
	}{{held, next(held)}, {missing, record("another", "b", 1, 1)}} {
		if err := notTaken(ctx, f, old.seen, old.next); err != nil {
			return err
		}
	}
	return nil
}

// notTaken tries until the store has an answer: its connections were cut.
func notTaken(ctx context.Context, f Fixture, seen lease.Observation, r lease.Record) error {
	err := f.A.Swap(ctx, seen, r)
	for err != nil && !errors.Is(err, lease.ErrChanged) && ctx.Err() == nil {
		if err := pause(ctx); err != nil {
			break
		}
		err = f.A.Swap(ctx, seen, r)
	}
	if !errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("swap of %q with a key of the old database: %v, want ErrChanged", r.Name, err)
	}
	now, err := f.B.Read(ctx, r.Name)
	for err != nil && pause(ctx) == nil {
		now, err = f.B.Read(ctx, r.Name)
	}
	if err != nil {
		return err
	}
	if now.Incarnation == seen.Incarnation {
		return fmt.Errorf("the incarnation is still %q", now.Incarnation)
	}
	if now.Exists && now.Record == r {
		return fmt.Errorf("the row was written with a key of the old database: %v", now)
	}
	return nil
}
