package cloud

import (
	"net/netip"
	"time"

	"github.com/hotcold/hotcold/internal/config"
)

// Plan is the set-up of a pair in neutral words. It is made by New and never changed.
type Plan struct {
	// Name begins the names of what is made; Pool is the name of the back-end pool.
	Name, Pool Of[string]
	// Machines are those of the pair, in the order of their names.
	Machines []config.Machine
	// Services are what clients may reach, in the order of the balancer's rules.
	Services []Service
	// Mount is where the machines mount the drive, Directory the node's base directory there.
	Mount, Directory Of[string]
	// Binary is where a new machine gets the program from.
	Binary config.CloudBinary
	// Agents says whether the probes ask the agents, and not the node's own ports.
	Agents bool
	// Profile is whose manners the balancer's defaults have.
	Profile config.Profile
	// Cloud is each cloud's own part, as it was written.
	Cloud config.Cloud

	where func(string) config.Pos
}

// Of is a value with its place in the configuration.
type Of[T any] struct {
	Value T
	// Path is the setting, Pos its place. The zero Pos means that nobody wrote it.
	Path string
	Pos  config.Pos
}

// Written says whether somebody wrote the value.
func (v Of[T]) Written() bool { return !v.Pos.IsZero() }

// Service is one kind of traffic: a rule of the balancer with its probe.
type Service struct {
	// Key is short and ends the names of what belongs to it: "p2p".
	Key string
	// Rule is the name that the rule has in the configuration.
	Rule Of[string]
	// Traffic is what it carries, where that is known.
	Traffic config.Traffic
	// Port is where clients come in, BackendPort where the node listens.
	Port, BackendPort Of[int]
	// HTTP says whether the node speaks HTTP there: the balancer's probe of it does, and it is the web's.
	HTTP bool
	// Probe tells which machine is hot.
	Probe Probe
	// Persistence is which machine a client's next connection goes to.
	Persistence Of[config.Persistence]
	// Idle is when a silent connection is ended; ResetOnIdle resets it.
	Idle        Of[time.Duration]
	ResetOnIdle Of[bool]
	// From are the networks that may come in; nobody may where there is none.
	From []netip.Prefix
}

// Probe is how a machine is looked at.
type Probe struct {
	Name     Of[string]
	Protocol Of[config.ProbeProtocol]
	Port     Of[int]
	Path     Of[string]
	// Interval is from one look to the next, Timeout the limit of one.
	Interval, Timeout Of[time.Duration]
	// Unhealthy and Healthy are how many looks in a row make a machine one or the other.
	Unhealthy, Healthy Of[int]
}

// At finds the place of a setting, or that of the nearest object around it; the zero Pos where nobody wrote either.
func (p *Plan) At(path string) config.Pos { return nearest(p.where, path) }

// Setting is a value of the configuration with its place.
func Setting[T any](p *Plan, path string, value T) Of[T] {
	return Of[T]{Value: value, Path: path, Pos: p.where(path)}
}
