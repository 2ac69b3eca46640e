package clone

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
)

// partPrefix begins the names of files that are on their way.
const partPrefix = ".hotcold-clone-"

// dirMode is what a new directory is open to: certificates/ may be one.
const dirMode = 0o700

// ErrPart means that what arrived is not what was sent. The part is gone; the next
// run begins anew.
var ErrPart = errors.New("what was read back is not what was written")

// CopyOptions say how steps are done.
type CopyOptions struct {
	// Given has the content of files that are not copied as they are.
	Given map[string][]byte
	// Wrote, if set, is told of the bytes of a file that have arrived, those of a former run too.
	Wrote func(path string, bytes int64)
	// Done, if set, is told of each step that is done.
	Done func(Step)
}

// Copy does the steps, in their order. It stops at the first that cannot be done;
// what was done before stays, and is what it should be.
func Copy(ctx context.Context, from, to Side, steps []Step, o CopyOptions) error {
	for _, s := range steps {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := do(ctx, from, to, s, o); err != nil {
			return fmt.Errorf("%s: %w", s.Path, err)
		}
		if o.Done != nil {
			o.Done(s)
		}
	}
	return nil
}

// Sweep removes parts that an earlier run left, once all steps are done: nobody goes on with them.
func Sweep(to Side, m Manifest) error {
	var all []error
	for _, part := range m.Parts {
		if err := to.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = append(all, fmt.Errorf("%s: %w", part, on(to, err)))
		}
	}
	return errors.Join(all...)
}

func do(ctx context.Context, from, to Side, s Step, o CopyOptions) error {
	if s.Kind == Same || s.Kind == Keep {
		return nil
	}
	if err := through(to, s.Path); err != nil {
		return fmt.Errorf("on %s: %w", to, err)
	}
	switch {
	case s.Kind == Delete:
		return on(to, to.Remove(s.Path))
	case s.Kind == Permit:
		return on(to, to.Chmod(s.Path, fs.FileMode(s.Mode)))
	}
	if err := directories(to, s.Path); err != nil {
		return on(to, err)
	}
	if s.Link != "" {
		return on(to, link(to, s))
	}
	if text, ok := o.Given[s.Path]; ok {
		return place(ctx, given{bytes.NewReader(text)}, to, s, o)
	}
	if err := through(from, s.Path); err != nil {
		return fmt.Errorf("on %s: %w", from, err)
	}
	f, err := from.Open(s.Path)
	if err != nil {
		return on(from, err)
	}
	defer f.Close()
	return place(ctx, f, to, s, o)
}

// on says which side it was.
func on(s Side, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("on %s: %w", s, err)
}

// given is a content that is nowhere a file.
type given struct{ *bytes.Reader }

// reader is what place reads from.
type reader interface {
	ReadAt(p []byte, at int64) (int, error)
}

// directories makes the directories that a file needs.
func directories(to Side, name string) error {
	for _, dir := range parents(name) {
		_, err := to.Lstat(dir) // through has seen that it is no link
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := to.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := to.SyncDir(path.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// partOf is the name of a file on its way. It holds the digest of the whole, so
// that a part is never gone on with for another file.
func partOf(s Step) string {
	return path.Join(path.Dir(s.Path), partPrefix+s.SHA256[:16]+"-"+digestOf([]byte(s.Path))[:8])
}

func digestOf(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}

func link(to Side, s Step) error {
	tmp := path.Join(path.Dir(s.Path), partPrefix+digestOf([]byte(s.Path + "\x00" + s.Link))[:24])
	if err := to.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := to.Symlink(s.Link, tmp); err != nil {
		return err
	}
	return errors.Join(to.Rename(tmp, s.Path), to.SyncDir(path.Dir(s.Path)))
}

// place puts a file where it belongs: beside it, durable, read back, renamed.
func place(ctx context.Context, f reader, to Side, s Step, o CopyOptions) error {
	part := partOf(s)
	if err := fill(ctx, f, to, part, s, o); err != nil {
		return err
	}
	err := errors.Join(to.Chmod(part, fs.FileMode(s.Mode)), to.Chtimes(part, modified(s)))
	if err == nil {
		err = to.Rename(part, s.Path)
	}
	if err == nil {
		err = to.SyncDir(path.Dir(s.Path))
	}
	return on(to, err)
}

func modified(s Step) time.Time {
	if s.ModTime.IsZero() {
		return time.Unix(0, 0)
	}
	return s.ModTime
}

// fill brings a part to its whole content, from where it stands, and reads it
// back. A part that turns out to be another is begun anew once.
func fill(ctx context.Context, f reader, to Side, part string, s Step, o CopyOptions) error {
	for resumed := true; ; resumed = false {
		err := fillOnce(ctx, f, to, part, s, o, resumed)
		if !errors.Is(err, ErrPart) {
			return err
		}
		if gone := to.Remove(part); gone != nil {
			return on(to, errors.Join(err, gone))
		}
		if !resumed {
			return on(to, fmt.Errorf("%w: does that disk, or the way to it, change what is written?", err))
		}
	}
}

func fillOnce(ctx context.Context, f reader, to Side, part string, s Step, o CopyOptions, resumed bool) (err error) {
	if err := plain(to, part); err != nil {
		return on(to, err)
	}
	p, err := to.Part(part)
	if err != nil {
		return on(to, err)
	}
	defer func() {
		if closing := p.Close(); err == nil {
			err = on(to, closing)
		}
	}()
	begun := int64(0)
	if info, err := p.Stat(); err != nil {
		return on(to, err)
	} else if begun = info.Size(); begun > s.Size || !resumed {
		if err := p.Truncate(0); err != nil {
			return on(to, err)
		}
		begun = 0
	}
	wrote := func(n int64) {
		if o.Wrote != nil {
			o.Wrote(s.Path, n)
		}
	}
	wrote(begun)
	sent := sha256.New()
	at := int64(0)
	err = chunks(ctx, f, s.Size, BuildOptions{}, func(b []byte) error {
		sent.Write(b)
		end := at + int64(len(b))
		if end > begun {
			skip := max(0, begun-at)
			if _, err := p.WriteAt(b[skip:], at+skip); err != nil {
				return on(to, err)
			}
			wrote(int64(len(b)) - skip)
		}
		at = end
		return nil
	})
	if err != nil {
		return err
	}
	if hex.EncodeToString(sent.Sum(nil)) != s.SHA256 {
		return errors.Join(errors.New("it changed while it was copied: try again"), on(to, to.Remove(part)))
	}
	if err := p.Sync(); err != nil {
		return on(to, fmt.Errorf("make it durable: %w", err))
	}
	return readBack(ctx, p, to, s)
}

// plain refuses a part that is no file of ours: a link would lead elsewhere.
func plain(to Side, part string) error {
	info, err := to.Lstat(part)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is in the way", part)
	}
	return nil
}

// readBack reads a part from where it was written and holds it against what was sent.
func readBack(ctx context.Context, p File, to Side, s Step) error {
	info, err := p.Stat()
	if err != nil {
		return on(to, err)
	}
	if info.Size() != s.Size {
		return ErrPart
	}
	h := sha256.New()
	err = chunks(ctx, p, s.Size, BuildOptions{}, func(b []byte) error {
		h.Write(b)
		return nil
	})
	if err != nil {
		return on(to, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != s.SHA256 {
		return ErrPart
	}
	return nil
}
