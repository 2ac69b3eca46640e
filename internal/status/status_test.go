package status_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/drive"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a rendering with the file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; say why each line changed, then run with -update\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// noon is where a stepped clock begins.
var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// hotSnapshot is that of an agent whose last renewal was sent when the clock read now.
func hotSnapshot(now clock.Reading) agent.Snapshot {
	return agent.Snapshot{
		Version: "0.1.0", Lease: "corda-node", Instance: "machine-a:/opt/corda", Machine: "machine-a", PID: 4711,
		Started: noon.Add(-time.Hour), State: agent.Hot, Since: noon.Add(-10 * time.Minute), Ready: true,
		Epoch: 7, Holder: "machine-a:/opt/corda",
		Trust:  lease.Trust{Epoch: 7, Anchor: now.Boot, StopAt: now.Boot + 5*time.Second, DeadBy: now.Boot + 8*time.Second},
		Timing: agent.Timing{UpdateSeconds: 2, WaitSeconds: 10, TrustSeconds: 8.9, FenceSeconds: 3, AttemptSeconds: 1.3, TakeoverSeconds: 15.3},
		Node: agent.Node{Preset: "corda", PID: 4720, Started: noon.Add(-11 * time.Minute), Ready: noon.Add(-10 * time.Minute),
			Healthy: true, Restarts: 1, LastExit: "exit code 1", LastLine: "Address already in use", StartSeconds: 42.5, KillSeconds: 0.02},
		Database: agent.Database{Kind: "postgres", Reachable: true, LastAnswer: noon, Incarnation: "7301/3", RoundTripSeconds: 0.0012},
		Guarantee: sqlstore.Guarantee{Level: sqlstore.LevelB, Text: "replication is synchronous", Raise: "hotcold.database.fencing makes it A",
			Replication: sqlstore.Replication{Copies: sqlstore.CopiesSynchronous, Text: "replication is synchronous"}},
		Drive: drive.State{Path: "/mnt/corda", Kind: drive.NFS, Source: "fs-1.efs.eu-west-1.amazonaws.com:/", ID: "6e0f4d1c", Well: true,
			At: noon, FsyncSeconds: 0.0021, Lock: drive.LockHeld, FreeBytes: 1 << 40},
		Counters: agent.Counters{Renewals: 300, RenewalFailures: 2, Looks: 40, Claims: 1, Fences: 0, NodeStarts: 2, NodeExits: 1, ClockJumps: 1},
	}
}

func coldSnapshot() agent.Snapshot {
	return agent.Snapshot{
		Version: "0.1.0", Lease: "corda-node", Instance: "machine-b:/opt/corda", Machine: "machine-b", PID: 99,
		Started: noon.Add(-time.Hour), State: agent.Cold, Since: noon.Add(-time.Hour), Ready: true,
		Epoch: 7, Holder: "machine-a:/opt/corda",
		Node:     agent.Node{Preset: "corda"},
		Database: agent.Database{Kind: "postgres", Reachable: true, LastAnswer: noon},
	}
}
