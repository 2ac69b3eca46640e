package cli

import (
	"testing"

	"github.com/hotcold/hotcold/internal/demo"
)

func TestAPromiseThatDidNotHoldEndsWithOneAndSaysWhich(t *testing.T) {
	err := demoOutcome(demo.Report{Faults: []string{"1 acknowledged writes are lost", "two nodes were alive at once"}})
	code, hint := judge(err)
	const want = "the demo did not hold what it promised: 1 acknowledged writes are lost; two nodes were alive at once"
	if code != exitFailed || err.Error() != want || hint == "" {
		t.Errorf("exit code %d, %q, hint %q", code, err, hint)
	}
	if code, _ := judge(demoOutcome(demo.Report{Held: true})); code != exitDone {
		t.Errorf("exit code %d where all held", code)
	}
}
