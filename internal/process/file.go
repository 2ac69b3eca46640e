package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// FileOptions describe a rotated output file.
type FileOptions struct {
	// Path is the file; older ones are Path.1 (the newest) to Path.Keep.
	Path string
	// MaxBytes is where a new file begins. Default 64 MiB. A single batch of
	// lines may go beyond it.
	MaxBytes int64
	// Keep is how many older files stay. 0 keeps none.
	Keep int
	// Mode of the files. Default 0640.
	Mode fs.FileMode
	// Log receives one warning when writing fails, and one line when it works again.
	Log *slog.Logger
}

const defaultMaxBytes = 64 << 20

// File is a Sink that writes to a rotated file. A file that cannot be written,
// on a full disk for example, costs lines and never the node.
type File struct {
	o    FileOptions
	f    *os.File
	size int64
	torn bool // the last write ended inside a line
	lost int  // lines lost since writing works no more
}

// OpenFile opens the file for appending, or creates it.
func OpenFile(o FileOptions) (*File, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Mode == 0 {
		o.Mode = 0o640
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &File{o: o}
	return f, f.open()
}

func (f *File) open() error {
	file, err := os.OpenFile(f.o.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, f.o.Mode)
	if err != nil {
		return fmt.Errorf("open output file: %w", err)
	}
	fi, err := file.Stat()
	if err != nil {
		file.Close()
		return fmt.Errorf("open output file: %w", err)
	}
	f.f, f.size = file, fi.Size()
	return nil
}

// Lines appends the lines.
func (f *File) Lines(lines []Line) {
	if err := f.write(lines); err != nil {
		if f.lost == 0 {
			f.o.Log.Warn("node output cannot be written", "path", f.o.Path, "err", err)
		}
		f.lost += len(lines)
		return
	}
	if f.lost > 0 {
		f.o.Log.Info("node output is written again", "path", f.o.Path, "lost", f.lost)
		f.lost = 0
	}
}

func (f *File) write(lines []Line) error {
	var b bytes.Buffer
	if f.torn {
		b.WriteByte('\n')
	}
	if f.lost > 0 {
		fmt.Fprintf(&b, "hotcold: about %d lines of output were lost here\n", f.lost)
	}
	for _, l := range lines {
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	if err := f.makeRoom(int64(b.Len())); err != nil {
		return err
	}
	n, err := f.f.Write(b.Bytes())
	f.size += int64(n)
	if n > 0 {
		f.torn = b.Bytes()[n-1] != '\n'
	}
	return err
}

// makeRoom begins a new file where need bytes do not fit in this one.
func (f *File) makeRoom(need int64) error {
	if f.f == nil {
		return f.open()
	}
	if f.size == 0 || f.size+need <= f.o.MaxBytes {
		return nil
	}
	if err := f.rotate(); err != nil {
		return err
	}
	_ = f.f.Close() // what was written is in the kernel already
	f.f, f.torn = nil, false
	return f.open()
}

// rotate renames the files; the oldest one falls off the end.
func (f *File) rotate() error {
	if f.o.Keep <= 0 {
		if err := os.Remove(f.o.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate output file: %w", err)
		}
		return nil
	}
	for i := f.o.Keep - 1; i >= 0; i-- {
		if err := os.Rename(f.name(i), f.name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotate output file: %w", err)
		}
	}
	return nil
}

func (f *File) name(i int) string {
	if i == 0 {
		return f.o.Path
	}
	return fmt.Sprintf("%s.%d", f.o.Path, i)
}

// Close closes the file.
func (f *File) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
