package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ForeignError says that a directory holds files of the wanted names that hotcold did not write, or that somebody has
// changed since.
type ForeignError struct {
	Dir   string
	Files []string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("write to %s: not written by hotcold, or changed since: %s", e.Dir, strings.Join(e.Files, ", "))
}

// ErrNotRendered is for a directory to which nothing was rendered.
var ErrNotRendered = errors.New("nothing was rendered there")

// maxFileBytes is far above what is rendered and far below any memory.
const maxFileBytes = 4 << 20

// Write puts a set into a directory, which is made where it is not there. Each file appears in one step; what an
// earlier rendering left and this one has not is removed, if nobody has changed it. Files that hotcold did not write
// are left alone unless force is given; the error then is a *ForeignError and nothing was written.
func Write(dir string, s Set, force bool) error {
	was, err := readManifest(dir)
	if err != nil && !errors.Is(err, ErrNotRendered) && !force {
		return err
	}
	if !force {
		if foreign, err := foreignIn(dir, was, s); err != nil || len(foreign) > 0 {
			return errors.Join(err, foreignError(dir, foreign))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	text, err := json.MarshalIndent(s.manifest(), "", "  ")
	if err != nil {
		return fmt.Errorf("write the manifest as JSON: %w", err)
	}
	// The manifest comes last: whatever is interrupted before it is written again by the next run, because a file that
	// has the wanted text already is not foreign.
	for _, f := range append(s.Files, File{Name: manifestName, Mode: 0o644, Text: string(text) + "\n"}) {
		if err := replace(filepath.Join(dir, filepath.FromSlash(f.Name)), f); err != nil {
			return err
		}
	}
	return removeOld(dir, was, s)
}

func foreignError(dir string, files []string) error {
	if len(files) == 0 {
		return nil // and not a *ForeignError that is nil
	}
	return &ForeignError{Dir: dir, Files: files}
}

// foreignIn lists the files of the set that lie there and are not ours.
func foreignIn(dir string, was manifest, s Set) ([]string, error) {
	var foreign []string
	for _, f := range s.Files {
		got, exists, err := digestOf(filepath.Join(dir, filepath.FromSlash(f.Name)))
		if err != nil {
			return nil, err
		}
		if exists && got != was.Files[f.Name] && got != digest([]byte(f.Text)) {
			foreign = append(foreign, f.Name)
		}
	}
	return foreign, nil
}

// digestOf is the digest of a file, and whether there is one. Something else than a file is there and has none.
func digestOf(name string) (sum string, exists bool, err error) {
	text, exists, err := textOf(name)
	if text == nil {
		return "", exists, err
	}
	return digest(text), exists, err
}

// textOf reads a file, if there is one. Something else than a file is there and has no text.
func textOf(name string) (text []byte, exists bool, err error) {
	switch info, err := os.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case !info.Mode().IsRegular():
		return nil, true, nil
	}
	text, err = readFile(name)
	return text, true, err
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes))
}

// replace writes a file beside its place and moves it there in one step.
func replace(name string, file File) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", name, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	_, err = f.WriteString(file.Text)
	if err = errors.Join(err, f.Chmod(file.Mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// removeOld removes what an earlier rendering left and this one has not.
func removeOld(dir string, was manifest, s Set) error {
	is := s.manifest()
	var errs []error
	for name, sum := range was.Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if _, kept := is.Files[name]; kept || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		got, exists, err := digestOf(path)
		if err == nil && exists && got == sum {
			err = os.Remove(path)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func readManifest(dir string) (manifest, error) {
	var m manifest
	text, err := readFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s: %w", dir, ErrNotRendered)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return manifest{}, fmt.Errorf("read %s: %w", filepath.Join(dir, manifestName), err)
	}
	if m.Version != manifestVersion {
		return manifest{}, fmt.Errorf("read %s: it is of version %d, this program knows %d", filepath.Join(dir, manifestName), m.Version, manifestVersion)
	}
	return m, nil
}

// Rendered says what was rendered to a directory.
func Rendered(dir string) (target, format string, err error) {
	m, err := readManifest(dir)
	return m.Target, m.Format, err
}

// Check tells what has drifted between a directory and what would be rendered now.
func Check(dir string, now Set) ([]Drift, error) {
	was, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	there := map[string]string{}
	for name := range both(was.Files, now.manifest().Files) {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("read %s: %q is not below the directory", filepath.Join(dir, manifestName), name)
		}
		text, exists, err := textOf(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		if exists {
			there[name] = string(text)
		}
	}
	return drift(was, there, now), nil
}
