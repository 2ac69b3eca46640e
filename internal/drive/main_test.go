package drive

import (
	"os"
	"testing"
)

// TestMain makes this test binary the probing process of its watches.
func TestMain(m *testing.M) {
	if IsProbe(os.Args) {
		os.Exit(ProbeMain())
	}
	os.Exit(m.Run())
}
