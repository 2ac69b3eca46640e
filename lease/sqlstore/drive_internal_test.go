package sqlstore

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNetworkDrivesAreRefusedAndFUSEIsWarnedOf(t *testing.T) {
	for kind, name := range networkDrives() {
		err := judgeDrive("/mnt/lease.db", kind, slog.New(slog.DiscardHandler))
		if !errors.Is(err, ErrNetworkDrive) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want ErrNetworkDrive with its name", name, err)
		}
	}
	var log bytes.Buffer
	if err := judgeDrive("/mnt/lease.db", unix.FUSE_SUPER_MAGIC, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Errorf("FUSE: %v, want a warning", err)
	}
	if !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("FUSE: logged %q, want a warning", log.String())
	}
	if err := judgeDrive("/tmp/lease.db", unix.EXT4_SUPER_MAGIC, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("ext4: %v", err)
	}
}
