package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

// room is a directory with files, as one machine sees it.
type room struct {
	t   *testing.T
	dir string
	env map[string]string
}

func newRoom(t *testing.T) *room {
	return &room{t: t, dir: t.TempDir(), env: map[string]string{}}
}

// file writes a file of the room and returns its absolute path.
func (r *room) file(name, text string) string {
	return r.fileMode(name, text, 0o644)
}

func (r *room) fileMode(name, text string, mode os.FileMode) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
	// The umask may have taken bits away.
	if err := os.Chmod(path, mode); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func (r *room) world() Env {
	return Env{
		Lookup:   func(name string) (string, bool) { v, ok := r.env[name]; return v, ok },
		Hostname: "machine-a", WorkDir: r.dir, Euid: 1000,
	}
}

// load loads a file of the room by its relative name.
func (r *room) load(name string) (*Config, error) { return Load(name, r.world()) }

// mustLoad writes hotcold.conf and loads it.
func (r *room) mustLoad(text string) *Config {
	r.t.Helper()
	r.file("hotcold.conf", text)
	c, err := r.load("hotcold.conf")
	if err != nil {
		r.t.Fatalf("load:\n%s\n%v", text, err)
	}
	return c
}

// faults writes hotcold.conf and returns what is wrong with it, one line each.
func (r *room) faults(text string) []string {
	r.t.Helper()
	r.file("hotcold.conf", text)
	_, err := r.load("hotcold.conf")
	var many hocon.Errors
	if err == nil {
		return nil
	}
	if !errors.As(err, &many) {
		r.t.Fatalf("the error is a %T, want hocon.Errors: %v", err, err)
	}
	return strings.Split(strings.ReplaceAll(err.Error(), r.dir, "ROOM"), "\n")
}

// least is the shortest hotcold.conf that can be used.
const least = `hotcold { name = pair, node.command = [/bin/true], database.url = "postgres://db/hotcold" }
`

func warningsOf(c *Config) string {
	var lines []string
	for _, w := range c.Warnings {
		lines = append(lines, w.String())
	}
	return strings.Join(lines, "\n")
}
