package systemd

import (
	_ "embed"
	"fmt"
	"math"
	"strings"
	"text/template"
	"time"

	"github.com/hotcold/hotcold/internal/cloud"
)

// Agent is what differs in the unit of an agent.
type Agent struct {
	// Config is the configuration file on the machine.
	Config string
	// Mount is the shared drive's mount point; empty where there is none.
	Mount string
	// Stop and Fence are the longest planned stop of the node and the fenceTimeout.
	Stop, Fence time.Duration
}

// Balancer is what differs in the unit of a balancer.
type Balancer struct {
	// Config is the configuration file on the machine.
	Config string
	// LowPort says whether a rule has a port below 1024, Kernel whether the kernel may move the bytes.
	LowPort, Kernel bool
}

// The names of the units.
const (
	AgentUnit    = "hotcold.service"
	BalancerUnit = "hotcold-balance.service"
)

// margin is what the end of an agent takes besides the node's: its release, its last words.
const margin = 15 * time.Second

//go:embed agent.service.tmpl
var agentText string

//go:embed balancer.service.tmpl
var balancerText string

// Unit writes the agent's unit.
func (a Agent) Unit() (cloud.File, error) {
	return unit(AgentUnit, agentText, a)
}

// StopSeconds is how long an orderly end may take. Rounded up: an agent that is killed sooner leaves the node to its guard.
func (a Agent) StopSeconds() int { return int(math.Ceil((a.Stop + a.Fence + margin).Seconds())) }

// Unit writes the balancer's unit.
func (b Balancer) Unit() (cloud.File, error) {
	return unit(BalancerUnit, balancerText, b)
}

// Capabilities are what the balancer keeps of root's rights.
func (b Balancer) Capabilities() string {
	var all []string
	if b.LowPort {
		all = append(all, "CAP_NET_BIND_SERVICE")
	}
	if b.Kernel {
		all = append(all, "CAP_NET_ADMIN")
	}
	return strings.Join(all, " ")
}

func unit(name, text string, values any) (cloud.File, error) {
	t, err := template.New(name).Parse(text)
	if err != nil {
		return cloud.File{}, fmt.Errorf("write %s: %w", name, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, values); err != nil {
		return cloud.File{}, fmt.Errorf("write %s: %w", name, err)
	}
	return cloud.File{Name: name, Mode: 0o644, Text: b.String()}, nil
}
