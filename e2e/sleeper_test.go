package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// sleeperPair is a pair whose node does nothing but live: a copy of sleep under
// the name "node" in the machine's directory, so that the observer knows it.
func sleeperPair(t testing.TB, dsn string) *pair {
	t.Helper()
	p := newPair(t, sleeperNode)
	for _, m := range p.machines() {
		m.useSleeper()
		m.configure(sleeperConfig(m, dsn))
	}
	return p
}

// sleeperNode knows the node of a sleeperPair by the path of its program.
func sleeperNode(root string, argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	rest, ok := strings.CutPrefix(argv[0], root+"/")
	if !ok {
		return ""
	}
	name, ok := strings.CutSuffix(rest, "/node")
	if !ok {
		return ""
	}
	return name
}

// useSleeper puts the node's program into the machine's directory.
func (m *machine) useSleeper() {
	m.t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(sleep, m.program()); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) program() string { return filepath.Join(m.dir, "node") }

// sleeperConfig hands over at the first failure, and takes over fast.
func sleeperConfig(m *machine, dsn string) string {
	return fmt.Sprintf(`  name = "sleepers"
  database.url = %q
  mutualExclusion { updateInterval = 500, waitInterval = 2500 }
  node.command = [%q, "100000"]
  node { restart.attempts = 0, failover.budget = 1000 }
`, dsn, m.program())
}

// database makes a database for one test on the server that all tests share.
func database(t testing.TB) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "_", "#", "_", "-", "_").Replace(t.Name()))
	return testserver.SharedPostgres(t).CreateDatabase(t, name[:min(len(name), 60)])
}

// startBoth starts machine-a, which becomes hot, and then machine-b.
func (p *pair) startBoth() {
	p.t.Helper()
	p.a.start()
	p.a.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
	p.b.start()
	p.settle()
}
