package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// epochFile keeps the greatest epoch ever seen on the shared drive, so that an
// epoch which a database lost with its last writes is not given out again.
// An empty path keeps none.
type epochFile string

// maxEpochFileBytes: a number has at most 20 digits.
const maxEpochFileBytes = 64

// read returns the greatest epoch seen; zero where there is no file yet.
// A drive can hang: the caller has to be ready to leave the call behind.
func (f epochFile) read() (uint64, error) {
	if f == "" {
		return 0, nil
	}
	file, err := os.Open(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		// No file is only no epoch if the drive itself is there.
		if _, err := os.Stat(filepath.Dir(string(f))); err != nil {
			return 0, fmt.Errorf("the shared drive is not there: %w", err)
		}
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	buf := make([]byte, maxEpochFileBytes)
	n, err := file.Read(buf)
	if n == 0 && err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read %s: %w", f, err)
	}
	text := strings.TrimSpace(string(buf[:n]))
	epoch, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s holds %q, want one number: write the greatest epoch of `hotcold history` into it", f, text)
	}
	return epoch, nil
}

// errDriveHangs is why the epoch was not written in time.
var errDriveHangs = fmt.Errorf("the shared drive has not answered for %v", fitnessLimit)

// raise writes epoch durably if it is greater than what the file holds. Once
// ctx has ended it leaves the file alone: a call that hung must not come late
// and put a smaller number over that of the next holder.
func (f epochFile) raise(ctx context.Context, epoch uint64) error {
	if f == "" {
		return nil
	}
	was, err := f.read()
	if err != nil || was >= epoch {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), ".hotcold-epoch-*")
	if err != nil {
		return fmt.Errorf("write the epoch file: %w", err)
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed, and should
	_, err = fmt.Fprintf(tmp, "%d\n", epoch)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write the epoch file: %w", err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("write the epoch file: %w", context.Cause(ctx))
	}
	if err := os.Rename(tmp.Name(), string(f)); err != nil {
		return fmt.Errorf("write the epoch file: %w", err)
	}
	return syncDir(filepath.Dir(string(f)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// aside runs f, which may hang on a dead drive, in a goroutine of its own and
// leaves it behind when ctx ends. What f returns then is thrown away.
func aside[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := f()
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var zero T
		return zero, context.Cause(ctx)
	}
}
