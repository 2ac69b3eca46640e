package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// blockBytes is what a journal writes at once, more or less.
	blockBytes = 4096
	// checkSyncs and checkSyncTime bound what a check measures.
	checkSyncs, checkSyncTime = 50, 2 * time.Second
	// A journal that waits longer than this for each message is slow, or too slow.
	fairSync, poorSync = 10 * time.Millisecond, 50 * time.Millisecond
	// streamBlock is what is written at once for the throughput.
	streamBlock = 1 << 20
)

// syncTimes measures writes of a block until each is durable, sorted.
func syncTimes(dir string, c clock.Clock, most int, limit time.Duration) (times []time.Duration, err error) {
	f, err := scratch(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop(f)) }()
	block := make([]byte, blockBytes)
	began := c.Now().Boot
	for i := range most {
		before := c.Now().Boot
		if before-began > limit && i > 0 {
			break
		}
		if _, err := f.WriteAt(block, int64(i)*blockBytes); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		times = append(times, c.Now().Boot-before)
	}
	slices.Sort(times)
	return times, nil
}

// scratch makes a file that nothing else knows.
func scratch(dir string) (*os.File, error) { return os.CreateTemp(dir, ".hotcold-try-*") }

func drop(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// percentile of sorted times.
func percentile(times []time.Duration, p int) time.Duration {
	if len(times) == 0 {
		return 0
	}
	return times[min(len(times)-1, len(times)*p/100)]
}

func shown(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1000)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Verdict says what sorted times of write and fsync mean to a broker's journal: a
// durable message waits for one of them.
func Verdict(times []time.Duration) (Level, string) {
	p50, p99 := percentile(times, 50), percentile(times, 99)
	if p50 <= 0 {
		return OK, "too fast to measure"
	}
	perSecond := int(time.Second / p50)
	switch {
	case p50 > poorSync || p99 > 20*poorSync:
		return Warning, fmt.Sprintf("too slow for a busy journal, about %d durable messages a second and session", perSecond)
	case p50 > fairSync || p99 > 20*fairSync:
		return Warning, fmt.Sprintf("slow for a journal, about %d durable messages a second and session", perSecond)
	}
	return OK, fmt.Sprintf("good for a journal, about %d durable messages a second and session", perSecond)
}

// Speed is what was measured.
type Speed struct {
	Writes     int     `json:"writes"`
	P50Seconds float64 `json:"p50Seconds"`
	P99Seconds float64 `json:"p99Seconds"`
	MaxSeconds float64 `json:"maxSeconds"`
	// BytesPerSecond is that of one long file, written and made durable.
	BytesPerSecond float64 `json:"bytesPerSecond"`
	Level          Level   `json:"level"`
	Verdict        string  `json:"verdict"`
}

// BenchOptions say what to measure.
type BenchOptions struct {
	Dir string
	// For is how long writes with fsync are measured.
	For time.Duration
	// StreamBytes is the length of the long file.
	StreamBytes int64
	// Progress is told now and then what part is done, from 0 to 1.
	Progress func(what string, part float64)
	Clock    clock.Clock
}

// Bench measures a drive: small writes that are made durable one by one, as a journal
// does, then one long file. It removes what it wrote.
func Bench(ctx context.Context, o BenchOptions) (Speed, error) {
	times, err := o.small(ctx)
	if err != nil {
		return Speed{}, fmt.Errorf("measure %s: %w", o.Dir, err)
	}
	rate, err := o.stream(ctx)
	if err != nil {
		return Speed{}, fmt.Errorf("measure %s: %w", o.Dir, err)
	}
	s := Speed{Writes: len(times), P50Seconds: percentile(times, 50).Seconds(), P99Seconds: percentile(times, 99).Seconds(),
		MaxSeconds: percentile(times, 100).Seconds(), BytesPerSecond: rate}
	s.Level, s.Verdict = Verdict(times)
	return s, nil
}

// benchTurn is how many small writes are made between two words of progress.
const benchTurn = 100

func (o BenchOptions) small(ctx context.Context) ([]time.Duration, error) {
	var all []time.Duration
	began := o.Clock.Now().Boot
	for {
		spent := o.Clock.Now().Boot - began
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if spent >= o.For && len(all) > 0 {
			break
		}
		o.Progress("write and fsync", min(1, spent.Seconds()/o.For.Seconds()))
		some, err := syncTimes(o.Dir, o.Clock, benchTurn, min(time.Second, o.For))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	o.Progress("write and fsync", 1)
	slices.Sort(all)
	return all, nil
}

func (o BenchOptions) stream(ctx context.Context) (rate float64, err error) {
	f, err := scratch(o.Dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, drop(f)) }()
	block := make([]byte, streamBlock)
	for i := range block {
		block[i] = byte(i * 7) // a drive that compresses shall not be flattered by zeros
	}
	began := o.Clock.Now().Boot
	for done := int64(0); done < o.StreamBytes; done += streamBlock {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		if _, err := f.WriteAt(block, done); err != nil {
			return 0, err
		}
		o.Progress("one long file", float64(done)/float64(o.StreamBytes))
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	o.Progress("one long file", 1)
	return float64(o.StreamBytes) / max(1e-9, (o.Clock.Now().Boot-began).Seconds()), nil
}

// forget drops what this machine remembers of a file, so that the next read asks the drive.
func forget(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
