package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sijms/go-ora/v2/network"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver/ledger"
	"github.com/hotcold/hotcold/lease"
)

// fence answers the statements of fencing: the look at the row, the turn, then what is done.
func (f *fakeOracle) fence(name string, named []driver.NamedValue) (ledger.Answer, error) {
	row := func(values ...any) ledger.Answer {
		return ledger.Answer{Columns: make([]ledger.Kind, len(values)), Rows: [][]any{values}}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch name {
	case "fenceLeft":
		return row(int64(f.sessions[fmt.Sprint(named[0].Value)])), nil
	case "fencePrepared":
		return row(int64(3)), nil
	case "fenceUser":
		found := int64(1)
		if named[0].Value == "nobody" {
			found = 0
		}
		return row("AGENTS", found), nil
	case "fenceMay":
		a := ledger.Answer{Columns: make([]ledger.Kind, 1)}
		for _, one := range f.may {
			a.Rows = append(a.Rows, []any{one})
		}
		return a, nil
	}
	args := make([]any, 4)
	for i := range args {
		args[i] = named[i].Value
	}
	looked, err := f.Run("held", args)
	user := fmt.Sprint(named[4].Value)
	switch {
	case err != nil:
		return ledger.Answer{}, err
	case looked.Rows[0][0] == int64(0):
		return ledger.Answer{}, &network.OracleError{ErrCode: oracleNotHeld}
	case f.taken > 0:
		f.taken--
		f.steps = append(f.steps, "turn taken")
		return ledger.Answer{}, &network.OracleError{ErrCode: oracleNoTurn}
	}
	f.steps = append(f.steps, name+" "+user)
	switch {
	case name == "fenceLock":
	case f.stubborn > 0:
		f.stubborn--
	default:
		f.sessions[user] = 0
	}
	return ledger.Answer{}, nil
}

func fencedOracle(t *testing.T) (*fakeOracle, *DB, Fence) {
	t.Helper()
	f := newFakeOracle(t)
	f.sessions["node_a"], f.sessions["node_b"] = 2, 1
	db := f.open()
	db.clock = clock.System()
	held := first(t, db).Record
	return f, db, Fence{Lease: held.Name, Holder: held.Holder, Nonce: held.Nonce, Epoch: held.Epoch, Mine: "node_b", Others: []string{"node_a"}}
}

func TestFencingInOracleLocksThenEndsThenUnlocks(t *testing.T) {
	f, db, who := fencedOracle(t)
	f.stubborn, f.taken = 1, 2
	done, err := db.Fence(t.Context(), who)
	want := []string{"turn taken", "turn taken", "fenceLock node_a", "fenceEnd node_a", "fenceEnd node_a", "fenceUnlock node_b"}
	if err != nil || done.Ended != 2 || done.Prepared != 3 || !slices.Equal(f.steps, want) {
		t.Errorf("%+v (%v), the steps were %q", done, err, f.steps)
	}
}

func TestAHolderOfBeforeChangesNothingInOracle(t *testing.T) {
	for _, other := range []func(*Fence){
		func(f *Fence) { f.Holder += "x" }, func(f *Fence) { f.Nonce += "x" }, func(f *Fence) { f.Epoch++ }, func(f *Fence) { f.Lease += "x" },
	} {
		f, db, who := fencedOracle(t)
		other(&who)
		if _, err := db.Fence(t.Context(), who); !errors.Is(err, lease.ErrChanged) || len(f.steps) > 0 || f.sessions["node_a"] != 2 {
			t.Errorf("%+v: %v, want ErrChanged; done was %q", who, err, f.steps)
		}
	}
}

func TestSessionsOfOracleThatDoNotEndKeepOurNodeOut(t *testing.T) {
	f, db, who := fencedOracle(t)
	f.stubborn = 1 << 30
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := db.Fence(ctx, who); err == nil || slices.Contains(f.steps, "fenceUnlock node_b") {
		t.Errorf("fenced, with sessions left: %v, %q", err, f.steps)
	}
}

func TestWhatKeepsOracleFromFencingIsNamed(t *testing.T) {
	f, db, who := fencedOracle(t)
	for _, need := range oracleNeeds() {
		f.may = append(f.may, need[0])
	}
	if faults, grants, err := db.FencingFaults(t.Context(), who); err != nil || len(faults)+len(grants) > 0 {
		t.Errorf("nothing is wrong: %q %q (%v)", faults, grants, err)
	}
	f.may, who.Mine, who.Others = nil, "agents", []string{"nobody"}
	faults, grants, err := db.FencingFaults(t.Context(), who)
	if all := strings.Join(faults, "\n"); err != nil || len(faults) != 8 || len(grants) != 6 || !strings.Contains(all, "lock itself out") || !strings.Contains(all, "no user NOBODY") {
		t.Errorf("%q %q (%v)", faults, grants, err)
	}
	if text := FencingSchema(Oracle, who); strings.Count(text, " TO &agent;") != 6 {
		t.Error(text)
	}
}

// What may miss somebody makes no level A, and says so.
func TestFencingThatIsWeakMakesNoLevelA(t *testing.T) {
	for _, f := range []Fencing{FencingOff, FencingDue, FencingDone} {
		g := GuaranteeOf(Replication{Copies: CopiesSynchronous, WeakFencing: oracleBestEffort}, f)
		if g.Level != LevelB || g.Raise != "" || strings.Contains(g.Text, oracleBestEffort) != (f == FencingDone) {
			t.Errorf("%d: %v", f, g)
		}
	}
}
