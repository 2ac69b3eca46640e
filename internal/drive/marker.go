package drive

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The files that hotcold keeps in the drive's directory.
const (
	MarkerFile = "hotcold.drive"  // which drive this is
	LockFile   = "hotcold.lock"   // is locked while an agent is hot, and holds nothing
	HolderFile = "hotcold.holder" // who that is
	drillFile  = "hotcold.drill"  // is locked by a drill
)

// maxSmallFile bounds what is read of any of them.
const maxSmallFile = 4096

// Marker tells a drive from others. A mount point without its drive has none.
type Marker struct {
	// ID is random, and the same on both machines because it is on the drive.
	ID string `json:"id"`
	// Made and By are for people.
	Made time.Time `json:"made"`
	By   string    `json:"by"`
}

// ReadMarker reads the marker below a directory. The error is fs.ErrNotExist where
// there is none.
func ReadMarker(dir string) (Marker, error) {
	var m Marker
	path := filepath.Join(dir, MarkerFile)
	text, err := readSmall(path)
	if err != nil {
		return m, fmt.Errorf("read the drive's marker: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil || m.ID == "" {
		return m, fmt.Errorf("%s is no marker: it is damaged, or being written at this moment", path)
	}
	return m, nil
}

// MakeMarker reads the marker below a directory and makes one where there is none. It
// never replaces one, also if both machines make one at the same time.
func MakeMarker(dir, by string, now time.Time) (m Marker, made bool, err error) {
	if m, err := ReadMarker(dir); !errors.Is(err, fs.ErrNotExist) {
		return m, false, err
	}
	id := make([]byte, 16)
	rand.Read(id) // it never fails (crypto/rand)
	m = Marker{ID: hex.EncodeToString(id), Made: now.UTC().Truncate(time.Second), By: by}
	text, err := json.Marshal(m)
	if err != nil {
		panic("encode a marker: " + err.Error()) // two texts and a time cannot fail
	}
	f, err := os.OpenFile(filepath.Join(dir, MarkerFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		m, err := ReadMarker(dir)
		return m, false, err
	}
	if err != nil {
		return m, false, fmt.Errorf("make the drive's marker: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return m, false, fmt.Errorf("make the drive's marker: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return m, true, nil
}

// readSmall reads the beginning of a file, opened anew, so that what another machine
// wrote is seen.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, maxSmallFile)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:n], nil
}
