package testserver

import "testing"

// Missing ends the test because the machine lacks what it needs: as a failure in the build, where everything can be
// installed, as a skip on a laptop.
func Missing(t testing.TB, reason error) {
	t.Helper()
	missing(t, reason)
}
