package drive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// A drill measures how long it takes until the lock of a machine that is gone can be
// had by another. One machine holds, the other waits, and a person pulls the plug.

const (
	// drillBeat is how often the holder stamps and the waiter tries.
	drillBeat = 200 * time.Millisecond
	// drillStale is how old a stamp counts as a living holder's, at the begin.
	drillStale = 3 * time.Second
)

// drillStamps is the file in which the holder of a drill counts.
const drillStamps = drillFile + ".beat"

// DrillOptions are what a drill needs.
type DrillOptions struct {
	Dir string
	// Name is this machine's.
	Name string
	// Tell is told what happens, in words.
	Tell  func(format string, args ...any)
	Clock clock.Clock
}

type drillStamp struct {
	Name string `json:"name"`
	Beat uint64 `json:"beat"`
}

// DrillHold holds the drill's lock and stamps until ctx ends, or until the lock is lost.
func DrillHold(ctx context.Context, o DrillOptions) error {
	f, err := os.OpenFile(filepath.Join(o.Dir, drillFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("open the drill's file: %w", err)
	}
	defer f.Close()
	if err := tryLock(f); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	o.Tell("the lock is held by %s", o.Name)
	last := o.Clock.Now().Boot
	for beat := uint64(1); ; beat++ {
		if err := o.stampDrill(f, beat); err != nil {
			return fmt.Errorf("the lock is lost, %s after the last good stamp: %w", shown(o.Clock.Now().Boot-last), err)
		}
		if late := o.Clock.Now().Boot - last; late > 10*drillBeat {
			o.Tell("a stamp took %s: the drive, or this machine, stood still", shown(late))
		}
		last = o.Clock.Now().Boot
		if clock.Wait(ctx, o.Clock, drillBeat) != nil {
			return nil
		}
	}
}

// stampDrill uses the locked file, so that a lock which was lost is noticed, and counts.
func (o DrillOptions) stampDrill(locked *os.File, beat uint64) error {
	if _, err := locked.WriteAt([]byte{'\n'}, 0); err != nil {
		return err
	}
	if err := locked.Sync(); err != nil {
		return err
	}
	text, err := json.Marshal(drillStamp{o.Name, beat})
	if err != nil {
		panic("encode a drill's stamp: " + err.Error()) // a text and a number cannot fail
	}
	f, err := os.OpenFile(filepath.Join(o.Dir, drillStamps), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// Takeover is what a waiter measured.
type Takeover struct {
	// From is who held the lock; empty: nobody.
	From string `json:"from"`
	// Seconds is the time from the last stamp that was seen until the lock was had.
	Seconds float64 `json:"seconds"`
	// Seen: the other's lock was seen at all.
	Seen bool `json:"seen"`
}

// ErrLocksUnseen says that another machine stamps the drive under a lock which is not
// seen here.
var ErrLocksUnseen = errors.New("the other machine holds the lock, and it could be had here all the same: locks are not seen between the machines")

// DrillWait waits for the drill's lock, and measures how long after the holder's last
// stamp it could be had. It lets go at once.
func DrillWait(ctx context.Context, o DrillOptions) (Takeover, error) {
	f, err := os.OpenFile(filepath.Join(o.Dir, drillFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return Takeover{}, fmt.Errorf("open the drill's file: %w", err)
	}
	defer func() { f.Close() }() // the one that is open then
	var t Takeover
	var seen drillStamp
	changed := o.Clock.Now().Boot
	started := changed
	for {
		if s, err := o.readStamp(); err == nil && s != seen {
			if seen.Beat != 0 && s.Beat > seen.Beat && t.From == "" {
				t.From = s.Name
			}
			seen, changed = s, o.Clock.Now().Boot
		}
		switch err := tryLock(f); {
		case err == nil && !t.Seen && t.From == "" && o.Clock.Now().Boot-started < drillStale:
			f.Close() // nobody holds it, or its lock is not seen: the stamps tell
			if f, err = os.OpenFile(filepath.Join(o.Dir, drillFile), os.O_RDWR, 0); err != nil {
				return t, err
			}
		case err == nil:
			return o.had(t, changed)
		case errors.Is(err, ErrHeld):
			if !t.Seen {
				o.Tell("the lock of %s is seen here: now end that machine, freeze it, or cut it off", otherwise(seen.Name, "the other machine"))
			}
			t.Seen = true
			if t.From == "" {
				t.From = seen.Name
			}
		default:
			return t, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if err := clock.Wait(ctx, o.Clock, drillBeat); err != nil {
			return t, fmt.Errorf("wait for the lock of %s, whose last stamp is %s old: %w", otherwise(t.From, "the other machine"), shown(o.Clock.Now().Boot-changed), err)
		}
	}
}

// had judges a lock that was got.
func (o DrillOptions) had(t Takeover, changed time.Duration) (Takeover, error) {
	counted := t.From != "" // while we looked
	t.Seconds = (o.Clock.Now().Boot - changed).Seconds()
	if s, err := o.readStamp(); err == nil && t.From == "" {
		t.From = s.Name
	}
	switch {
	case !t.Seen && counted:
		return t, ErrLocksUnseen
	case !t.Seen:
		return t, errors.New("nobody holds the lock: start `hotcold drive drill hold` on the other machine first")
	}
	return t, nil
}

func (o DrillOptions) readStamp() (drillStamp, error) {
	var s drillStamp
	text, err := readSmall(filepath.Join(o.Dir, drillStamps))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

func otherwise(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
