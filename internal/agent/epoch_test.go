package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheEpochFileOnlyGrows(t *testing.T) {
	f := epochFile(filepath.Join(t.TempDir(), "hotcold.epoch"))
	for _, step := range []struct{ raise, want uint64 }{{3, 3}, {2, 3}, {3, 3}, {9, 9}} {
		if err := f.raise(t.Context(), step.raise); err != nil {
			t.Fatal(err)
		}
		if got, err := f.read(); got != step.want || err != nil {
			t.Fatalf("after raising to %d: %d, %v", step.raise, got, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(string(f)), ".hotcold-epoch-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNoFileOnADriveThatIsThereIsNoEpoch(t *testing.T) {
	if got, err := epochFile(filepath.Join(t.TempDir(), "e")).read(); got != 0 || err != nil {
		t.Fatalf("got %d, %v", got, err)
	}
}

func TestADriveThatIsNotThereIsNotNoEpoch(t *testing.T) {
	if _, err := epochFile(filepath.Join(t.TempDir(), "gone", "e")).read(); err == nil || !strings.Contains(err.Error(), "the shared drive is not there") {
		t.Fatalf("got %v", err)
	}
}

func TestADamagedEpochFileIsNamedAndNotOverwritten(t *testing.T) {
	f := epochFile(filepath.Join(t.TempDir(), "e"))
	for _, text := range []string{"seven", "-1", "1 2", "", "99999999999999999999999999"} {
		if err := os.WriteFile(string(f), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.raise(t.Context(), 4); err == nil || !strings.Contains(err.Error(), string(f)) || !strings.Contains(err.Error(), "hotcold history") {
			t.Errorf("%q: got %v", text, err)
		}
		if now, _ := os.ReadFile(string(f)); string(now) != text {
			t.Errorf("%q was overwritten with %q", text, now)
		}
	}
}

func TestAsideLeavesWhatHangsBehind(t *testing.T) {
	cause := errors.New("no time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	hang := make(chan struct{})
	defer close(hang)
	if _, err := aside(ctx, func() (int, error) { <-hang; return 1, nil }); !errors.Is(err, cause) {
		t.Fatalf("got %v", err)
	}
}

// A raise that hung on the drive, and comes to its end when the next holder
// has long written its own epoch, must not put the smaller one over it.
func TestARaiseThatComesLateLeavesTheFileAlone(t *testing.T) {
	f := epochFile(filepath.Join(t.TempDir(), "e"))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDriveHangs)
	if err := f.raise(ctx, 5); !errors.Is(err, errDriveHangs) {
		t.Errorf("got %v", err)
	}
	if got, err := f.read(); got != 0 || err != nil {
		t.Errorf("the file holds %d, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(string(f)), ".hotcold-epoch-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
