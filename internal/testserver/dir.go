package testserver

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns a new directory for processes: when the test ends, or the test
// binary dies, every process that works in it is killed and it is removed.
//
// A test that starts children with a working directory below Dir cannot leave them
// behind. It should still end them itself and check that it could.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hotcold-test-")
	if err != nil {
		t.Fatal(err)
	}
	dir, err = filepath.EvalSymlinks(dir) // the keeper compares with what /proc shows
	if err != nil {
		t.Fatal(err)
	}
	k, err := keep(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.finish(); err != nil {
			t.Error(err)
		}
	})
	return dir
}
