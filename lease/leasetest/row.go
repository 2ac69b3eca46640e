package leasetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hotcold/hotcold/lease"
)

// fields writes rows of many shapes, as a first claim and as a renewal.
func fields(ctx context.Context, f Fixture) error {
	bare := lease.Record{Name: "bare", Version: 1}
	spaces := record("spaces", "  machine a : /opt/corda  ", 1, 1)
	spaces.Memo = " \t\n memo \r\n "
	quotes := record(`o'brien "x" \ % _ ; -- ?1 $1 :a @p`, `a'b"c\`, 1, 1)
	quotes.Memo = `'; DELETE FROM lease; -- {"a":"b"}`
	unicode := record("knoten-ä-節点-\U0001F525", "maschine-ß:/опт/κόρδα", 1, 1)
	unicode.Memo = strings.Repeat("\U0001F525", lease.MaxMemoBytes/4)
	full := record("full", "a", 1, 1)
	full.Memo = strings.Repeat("m", lease.MaxMemoBytes)
	successor := record("successor", "a", 1, 1)
	successor.Successor, successor.Released = "machine-b:/opt/corda", true
	long := record("long", "a", 1, 1)
	long.Update, long.Wait, long.Trust, long.Fence = time.Microsecond, lease.MaxWait, lease.MaxWait-us, 0
	var faults []error
	for _, r := range []lease.Record{bare, spaces, quotes, unicode, full, successor, long} {
		if err := writtenTwice(ctx, f, r); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// writtenTwice claims with r, and renews another row into r.
func writtenTwice(ctx context.Context, f Fixture, r lease.Record) error {
	held, err := claim(ctx, f.A, r)
	if err != nil {
		return err
	}
	if _, err := readBack(ctx, f.B, held.Record); err != nil {
		return err
	}
	other := record(r.Name, "another", 5, r.Version+1)
	other.Incarnation = held.Incarnation
	if held, err = swapAndRead(ctx, f.B, held, other); err != nil {
		return err
	}
	r.Incarnation = held.Incarnation
	r.Version = held.Record.Version + 1
	if _, err = swapAndRead(ctx, f.A, held, r); err != nil {
		return err
	}
	_, err = readBack(ctx, f.B, r)
	return err
}

// greatNumbers renews near the end of what a signed 64-bit column holds, where
// a column of doubles or a driver that goes through them would lose the last digits.
func greatNumbers(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", math.MaxInt64-1, math.MaxInt64-2))
	if err != nil {
		return err
	}
	near := held
	near.Record.Epoch--
	if err := f.B.Swap(ctx, near, next(held)); !errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("swap with an epoch one less than %d: %v, want ErrChanged", held.Record.Epoch, err)
	}
	r := next(held)
	r.Epoch++
	held, err = swapAndRead(ctx, f.B, held, r)
	if err != nil {
		return err
	}
	held, err = swapAndRead(ctx, f.A, held, next(held))
	if err != nil {
		return err
	}
	r = next(held) // 1 << 63: no column of ours holds it
	if err := f.A.Swap(ctx, held, r); err == nil || errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("swap to version %d: %v, want an error that it cannot be kept", r.Version, err)
	}
	_, err = readBack(ctx, f.B, held.Record)
	return err
}

func longMemo(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	r := next(held)
	r.Memo = strings.Repeat("m", lease.MaxMemoBytes+1)
	if err := f.A.Swap(ctx, held, r); err == nil || errors.Is(err, lease.ErrChanged) {
		return fmt.Errorf("swap with a memo of %d bytes: %v, want an error that says so", len(r.Memo), err)
	}
	_, err = readBack(ctx, f.B, held.Record)
	return err
}

// quickClaim releases on one machine and claims on the other by the key of the
// released row; the former holder's key is void from then on.
func quickClaim(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 4, 10))
	if err != nil {
		return err
	}
	r := next(held)
	r.Released, r.Successor = true, "b"
	released, err := swapAndRead(ctx, f.A, held, r)
	if err != nil {
		return err
	}
	r = record("node", "b", 5, 12)
	r.Incarnation = released.Incarnation
	taken, err := swapAndRead(ctx, f.B, released, r)
	if err != nil {
		return err
	}
	for _, old := range []lease.Observation{held, released} {
		if err := f.A.Swap(ctx, old, next(old)); !errors.Is(err, lease.ErrChanged) {
			return fmt.Errorf("renew with the key %v after the claim: %v, want ErrChanged", old, err)
		}
	}
	_, err = readBack(ctx, f.A, taken.Record)
	return err
}

// twoLeases writes two names that differ little, and demands that each keeps its own.
func twoLeases(ctx context.Context, f Fixture) error {
	names := []string{"node", "Node", "node ", "node1", "nod_", "nod%"}
	held := make([]lease.Observation, len(names))
	for i, name := range names {
		var err error
		if held[i], err = claim(ctx, f.A, record(name, fmt.Sprintf("machine-%d", i), uint64(i+1), 1)); err != nil {
			return err
		}
	}
	for i := range names {
		var err error
		if held[i], err = swapAndRead(ctx, f.B, held[i], next(held[i])); err != nil {
			return err
		}
		for _, other := range held {
			if _, err := readBack(ctx, f.A, other.Record); err != nil {
				return fmt.Errorf("after a renewal of %q: %w", names[i], err)
			}
		}
	}
	return nil
}

// ageGrows reads one row until its age has grown, and again after a renewal.
func ageGrows(ctx context.Context, f Fixture) error {
	held, err := claim(ctx, f.A, record("node", "a", 1, 1))
	if err != nil {
		return err
	}
	if held.WrittenAt.IsZero() || held.Age < 0 {
		return fmt.Errorf("a new row was written at %v and is %v old", held.WrittenAt, held.Age)
	}
	const grown = 50 * time.Millisecond
	older := held
	for older.Age < held.Age+grown {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("the age went from %v to %v only: %w", held.Age, older.Age, err)
		}
		if older, err = f.B.Read(ctx, "node"); err != nil {
			return err
		}
		if !older.WrittenAt.Equal(held.WrittenAt) {
			return fmt.Errorf("a row that was not written moved from %v to %v", held.WrittenAt, older.WrittenAt)
		}
	}
	renewed, err := swapAndRead(ctx, f.A, held, next(held))
	if err != nil {
		return err
	}
	if !renewed.WrittenAt.After(held.WrittenAt) {
		return fmt.Errorf("a renewal left the row at %v", renewed.WrittenAt)
	}
	return nil
}
