package clone

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

// The bounds of a manifest. What is larger than a node's code, keys and
// parameters can be was named by mistake: a home directory, a disk.
const (
	MaxEntries = 20_000
	MaxDepth   = 16
	MaxBytes   = 64 << 30
	// maxLinkBytes bounds the text of a link.
	maxLinkBytes = 4096
	// maxLeft bounds what is told of what could not be listed.
	maxLeft = 50
	// chunkBytes is what is read or written at once.
	chunkBytes = 1 << 20
)

// BuildOptions say how a side is listed.
type BuildOptions struct {
	// Passwords are tried on key stores in turn.
	Passwords []config.Secret
	// Former is a manifest of the same side, and Same tells whether a file is as it
	// was when that was made: then it is not read again. Both may be zero.
	Former Manifest
	Same   func(name string, info fs.FileInfo) bool
	// Seen, if set, is told how each file looked before it was read: one that looks
	// otherwise the next time has changed meanwhile.
	Seen func(name string, info fs.FileInfo)
	// PaceBytes bounds how much is read in a second; zero: as much as can be.
	PaceBytes int64
	// Clock is for the pace.
	Clock clock.Clock
	// Read, if set, is told of bytes that were read.
	Read func(bytes int64)
}

// Build lists a side. The error says that the side could not be listed at all, or
// ran over a bound; a single file that cannot be read is an error too, since a
// manifest without it would say that it is missing.
func Build(ctx context.Context, s Side, sel Selection, o BuildOptions) (Manifest, error) {
	b := &builder{side: s, sel: sel, o: o}
	err := b.dir(ctx, ".", 0)
	if err != nil {
		return Manifest{}, fmt.Errorf("list %s: %w", s, err)
	}
	slices.SortFunc(b.m.Entries, func(x, y Entry) int { return strings.Compare(x.Path, y.Path) })
	slices.Sort(b.m.Dirs)
	b.links()
	slices.Sort(b.m.Left)
	return b.m, nil
}

type builder struct {
	side  Side
	sel   Selection
	o     BuildOptions
	m     Manifest
	bytes int64
	seen  int
}

// dir lists one directory and those below.
func (b *builder) dir(ctx context.Context, dir string, depth int) error {
	if depth > MaxDepth {
		return fmt.Errorf("%s is more than %d directories deep", dir, MaxDepth)
	}
	all, err := b.side.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	for _, info := range all {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		name := info.Name()
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return fmt.Errorf("%s holds a name that no file can have: %q", dir, name)
		}
		if b.seen++; b.seen > MaxEntries {
			return fmt.Errorf("there are more than %d names: is a directory named that is none of the node's?", MaxEntries)
		}
		if err := b.one(ctx, path.Join(dir, name), info, depth); err != nil {
			return err
		}
	}
	return nil
}

// one lists one name.
func (b *builder) one(ctx context.Context, name string, info fs.FileInfo, depth int) error {
	if strings.HasPrefix(path.Base(name), partPrefix) && info.Mode().IsRegular() {
		b.m.Parts = append(b.m.Parts, name)
		return nil
	}
	listed, entered := b.sel.lists(name), b.sel.enters(name)
	switch kind := info.Mode().Type(); {
	case kind == fs.ModeDir && entered:
		b.m.Dirs = append(b.m.Dirs, name+"/")
		return b.dir(ctx, name, depth+1)
	case !listed && (kind != fs.ModeSymlink || !entered):
	case kind == fs.ModeSymlink:
		target, err := b.side.ReadLink(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(target) > maxLinkBytes {
			return fmt.Errorf("%s: the link's text has more than %d bytes", name, maxLinkBytes)
		}
		b.m.Entries = append(b.m.Entries, Entry{Path: name, Link: target})
	case kind == 0:
		return b.file(ctx, name, info)
	case kind != fs.ModeDir:
		b.left(name, "is neither a file nor a directory")
	}
	return nil
}

func (b *builder) left(name, why string) {
	if len(b.m.Left) < maxLeft {
		b.m.Left = append(b.m.Left, name+" "+why)
	}
}

// file lists one file.
func (b *builder) file(ctx context.Context, name string, info fs.FileInfo) error {
	if b.bytes += info.Size(); b.bytes > MaxBytes {
		return fmt.Errorf("there is more than %d GiB: is a directory named that is none of the node's?", MaxBytes>>30)
	}
	if b.o.Seen != nil {
		b.o.Seen(name, info)
	}
	if was, ok := b.o.Former.At(name); ok && was.Link == "" && b.o.Same != nil && b.o.Same(name, info) {
		b.m.Entries = append(b.m.Entries, was)
		return nil
	}
	e, err := read(ctx, b.side, name, info, b.o)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.m.Entries = append(b.m.Entries, e)
	return nil
}

// links leaves out the links that could not be made on another machine: they lead
// out of the base directory, or to something that is not listed itself.
func (b *builder) links() {
	var kept []Entry
	for _, e := range b.m.Entries {
		if e.Link == "" {
			kept = append(kept, e)
			continue
		}
		target := path.Join(path.Dir(e.Path), e.Link)
		_, file := b.m.At(target)
		switch {
		case path.IsAbs(e.Link) || !local(target):
			b.left(e.Path, fmt.Sprintf("is a link that leads out of the base directory (%s): what it points to is neither compared nor copied", e.Link))
		case !file && !slices.Contains(b.m.Dirs, target+"/"):
			b.left(e.Path, fmt.Sprintf("is a link to %s, which is not listed: neither is compared or copied", e.Link))
		default:
			kept = append(kept, e)
		}
	}
	b.m.Entries = kept
}

// read makes the entry of a file.
func read(ctx context.Context, s Side, name string, info fs.FileInfo, o BuildOptions) (Entry, error) {
	f, err := s.Open(name)
	if err != nil {
		return Entry{}, err
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return Entry{}, err
	}
	if !now.Mode().IsRegular() {
		return Entry{}, fmt.Errorf("it was replaced while it was read: try again")
	}
	var content []byte // of a key store
	keep := isStore(name) && now.Size() <= maxStoreBytes
	h := sha256.New()
	err = chunks(ctx, f, now.Size(), o, func(p []byte) error {
		if keep {
			content = append(content, p...)
		}
		h.Write(p)
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: name, Size: now.Size(), Mode: Mode(now.Mode().Perm()), ModTime: now.ModTime().UTC().Truncate(time.Second), SHA256: hex.EncodeToString(h.Sum(nil))}
	switch {
	case keep:
		e.Keys, e.Closed = keysIn(content, o.Passwords)
	case isStore(name):
		e.Closed = "it is larger than a key store can be"
	}
	return e, nil
}

// chunks reads size bytes of a file from its beginning, at the pace asked for.
func chunks(ctx context.Context, f io.ReaderAt, size int64, o BuildOptions, each func([]byte) error) error {
	buf := make([]byte, min(chunkBytes, max(size, 1)))
	for at := int64(0); at < size; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = errors.New("it became shorter while it was read: try again")
			}
			return err
		}
		if err := each(buf[:n]); err != nil {
			return err
		}
		at += int64(n)
		if o.Read != nil {
			o.Read(int64(n))
		}
		if o.PaceBytes > 0 {
			pause := time.Duration(float64(n) / float64(o.PaceBytes) * float64(time.Second))
			if err := clock.Wait(ctx, o.Clock, pause); err != nil {
				return err
			}
		}
	}
	return nil
}
