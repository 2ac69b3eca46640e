package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
)

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// settleLimit is how long a pair may take until one is hot and the other ready to
// take over: a broker starts in 3 s, in ten times that on a busy machine.
const settleLimit = 90 * time.Second

// pair is two machines with one lease.
type pair struct {
	t    testing.TB
	root string
	a, b *machine
	o    *observer
}

// newPair makes two machines below a directory of their own, root. It starts
// nothing. owner names the machine to whose node a command line belongs.
func newPair(t testing.TB, owner func(root string, argv []string) string) *pair {
	t.Helper()
	p := &pair{t: t, root: testserver.Dir(t)}
	p.o = observe(t, func(argv []string) string { return owner(p.root, argv) })
	p.a = newMachine(t, p.root, "machine-a", testserver.FreePort(t))
	p.b = newMachine(t, p.root, "machine-b", testserver.FreePort(t))
	return p
}

func (p *pair) machines() []*machine { return []*machine{p.a, p.b} }

// other returns the other machine of the pair.
func (p *pair) other(m *machine) *machine {
	if m == p.a {
		return p.b
	}
	return p.a
}

// overview is the part of `hotcold status --json` that the tests look at.
type overview struct {
	Condition string `json:"condition"`
	Summary   string `json:"summary"`
	Holder    *struct {
		Instance string `json:"instance"`
		Epoch    uint64 `json:"epoch"`
		State    string `json:"state"`
		Ready    bool   `json:"ready"`
	} `json:"holder"`
	Standby []string `json:"standby"`
	Timing  struct {
		TakeoverSeconds float64 `json:"takeoverSeconds"`
		TrustSeconds    float64 `json:"trustSeconds"`
		WaitSeconds     float64 `json:"waitSeconds"`
	} `json:"timing"`
	Warnings []string `json:"warnings"`
}

// bound is the worst takeover that status printed, the node's own start left out.
func (o overview) bound() time.Duration {
	return time.Duration(o.Timing.TakeoverSeconds * float64(time.Second))
}

// status reads what a person would read.
func (p *pair) status() overview {
	p.t.Helper()
	got := p.a.run("status", "--json")
	const well, notWell = 0, 8
	if got.code != well && got.code != notWell {
		p.t.Fatalf("hotcold status ended with %d: %s", got.code, got.stderr)
	}
	var o overview
	if err := json.Unmarshal([]byte(got.stdout), &o); err != nil {
		p.t.Fatalf("hotcold status --json: %v in %s", err, got.stdout)
	}
	return o
}

// settle waits until one machine serves and the other could take over, and
// returns the first with what status says.
func (p *pair) settle() (*machine, overview) {
	p.t.Helper()
	var hot *machine
	until(p.t, settleLimit, "one machine to be hot and the other ready", func() (bool, string) {
		states := ""
		hot = nil
		cold := 0
		for _, m := range p.machines() {
			s, err := m.state()
			states += fmt.Sprintf(" %s: %+v %v;", m.name, s, err)
			if s.Hot {
				hot = m
			}
			if s.State == "cold" && s.Ready {
				cold++
			}
		}
		return hot != nil && cold == 1, states
	})
	var o overview
	until(p.t, settleLimit, "status to show the pair as it is", func() (bool, string) {
		o = p.status()
		return o.Condition == "serving" && slices.Contains(o.Standby, p.other(hot).id()), fmt.Sprintf("%+v", o)
	})
	return hot, o
}

// id is the machine's agent in the lease's row.
func (m *machine) id() string { return m.name + ":" + m.dir }
