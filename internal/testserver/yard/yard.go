package yard

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// Addresses is how many IPv4 and how many IPv6 addresses a place has, so that a test may tell eight targets apart though
// there are two machines.
const Addresses = 4

// Options say what a yard is like.
type Options struct {
	// ReturnRoute gives the machines a way back to the client that leads through the balancer. Without it a machine
	// reaches nobody but the balancer, as where clients come from another network.
	ReturnRoute bool
}

// Yard is the client's, the balancer's and two machines' networks.
type Yard struct {
	// Balancer is where this process lives.
	Client, Balancer, A, B *Place

	options Options
	mu      sync.Mutex // held while links and routes change
}

// nets are the second-last numbers of the places' networks, by the name of the balancer's link.
const (
	clientNet = 1
	aNet      = 2
	bNet      = 3
)

// New makes a yard that lasts as long as t. It is for a process that Within or Main started, never for this machine's
// own network.
func New(t testing.TB, o Options) *Yard {
	t.Helper()
	if !Inside() {
		testserver.Missing(t, errors.New("no network namespace can be had (it needs root, or user namespaces)"))
	}
	needsIP(t)
	y := &Yard{Balancer: own(), options: o}
	var err error
	for _, p := range []struct {
		place **Place
		name  string
		net   int
	}{{&y.Client, "client", clientNet}, {&y.A, "a", aNet}, {&y.B, "b", bNet}} {
		if *p.place, err = open(p.name, p.net); err != nil {
			break
		}
		t.Cleanup((*p.place).close)
	}
	if err == nil {
		err = y.build()
	}
	if err != nil {
		t.Fatalf("make a yard: %v", err)
	}
	t.Cleanup(func() {
		if err := y.demolish(); err != nil {
			t.Errorf("take a yard down: %v", err)
		}
	})
	return y
}

func (y *Yard) places() []*Place { return []*Place{y.Client, y.A, y.B} }

// build joins the places.
func (y *Yard) build() error {
	if err := y.Balancer.settings(true); err != nil {
		return err
	}
	var lines []string
	for _, p := range y.places() {
		lines = append(lines,
			fmt.Sprintf("link add %s address %s type veth peer name %s address %s netns %d", p.link(), p.mac(1), inner, p.mac(2), p.tid),
			fmt.Sprintf("link set %s addrgenmode none up", p.link()),
			fmt.Sprintf("address add %v/24 dev %s", p.gateway4(), p.link()),
			fmt.Sprintf("address add %v/64 dev %s nodad", p.gateway6(), p.link()),
		)
		lines = append(lines, p.seenFromBalancer()...)
	}
	lines = append(lines, "link set lo up")
	if err := y.Balancer.ip(lines...); err != nil {
		return err
	}
	for _, p := range y.places() {
		if err := p.furnish(y.routed(p)); err != nil {
			return err
		}
	}
	return nil
}

// furnish gives a place its addresses and its ways.
func (p *Place) furnish(routed bool) error {
	if err := p.settings(false); err != nil {
		return err
	}
	lines := []string{"link set lo up", "link set " + inner + " addrgenmode none up"}
	for i := range Addresses {
		lines = append(lines,
			fmt.Sprintf("address add %v/24 dev %s", p.Address(i), inner),
			fmt.Sprintf("address add %v/64 dev %s nodad", p.Address6(i), inner))
	}
	lines = append(lines, p.neighbours()...)
	if routed {
		lines = append(lines, p.routes()...)
	}
	return p.ip(lines...)
}

// routed tells whether p reaches more than the balancer.
func (y *Yard) routed(p *Place) bool { return p == y.Client || y.options.ReturnRoute }

// routes lead to the other places, through the balancer.
func (p *Place) routes() []string {
	return []string{
		fmt.Sprintf("route replace 10.77.0.0/16 via %v", p.gateway4()),
		fmt.Sprintf("route replace fd77::/16 via %v", p.gateway6()),
	}
}

// neighbours and seenFromBalancer say both ends' hardware addresses, so that none has to be asked for: a machine that
// is mute then swallows packets, and is not found missing before any is sent.
func (p *Place) neighbours() []string {
	return []string{neighbour(p.gateway4(), inner, p.mac(1)), neighbour(p.gateway6(), inner, p.mac(1))}
}

func (p *Place) seenFromBalancer() []string {
	var lines []string
	for i := range Addresses {
		lines = append(lines, neighbour(p.Address(i), p.link(), p.mac(2)), neighbour(p.Address6(i), p.link(), p.mac(2)))
	}
	return lines
}

func neighbour(a netip.Addr, link, mac string) string {
	return fmt.Sprintf("neighbour replace %v dev %s lladdr %s nud permanent", a, link, mac)
}

// settings of a namespace's TCP and, for the balancer, that it passes packets on. They stand in a file tree that shows
// each thread those of its own namespace.
func (p *Place) settings(forward bool) error {
	values := map[string]string{
		"ipv4/tcp_congestion_control": "reno",
		"ipv4/ip_local_port_range":    "10240 65000", // the tests' own ports lie below
		"ipv6/conf/all/accept_dad":    "0",
	}
	if forward {
		values["ipv4/ip_forward"], values["ipv6/conf/all/forwarding"] = "1", "1"
	}
	return p.Do(func() error {
		var errs []error
		for name, value := range values {
			errs = append(errs, os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644))
		}
		return errors.Join(errs...)
	})
}

// demolish removes the links at once: the kernel takes its time with a namespace that nobody uses.
func (y *Yard) demolish() error {
	var lines []string
	for _, p := range y.places() {
		lines = append(lines, "link delete "+p.link())
	}
	return y.Balancer.ip(lines...)
}

// CutLink takes the cable between the balancer and p out, and MendLink puts it back.
func (y *Yard) CutLink(t testing.TB, p *Place) { t.Helper(); y.change(t, p, "link set "+inner+" down") }

// MendLink puts the cable back, and what the kernel forgot with it.
func (y *Yard) MendLink(t testing.TB, p *Place) {
	t.Helper()
	lines := []string{"link set " + inner + " up"}
	for i := range Addresses {
		lines = append(lines, fmt.Sprintf("address replace %v/64 dev %s nodad", p.Address6(i), inner))
	}
	lines = append(lines, p.neighbours()...)
	if y.routed(p) {
		lines = append(lines, p.routes()...)
	}
	y.change(t, p, lines...)
	y.change(t, y.Balancer, p.seenFromBalancer()...)
}

// Mute makes p swallow whatever comes, without a word, as a machine does whose kernel has stopped. Unmute ends that.
func (y *Yard) Mute(t testing.TB, p *Place) { t.Helper(); y.change(t, p, y.swallow("add")...) }

// Unmute lets p answer again.
func (y *Yard) Unmute(t testing.TB, p *Place) { t.Helper(); y.change(t, p, y.swallow("delete")...) }

// swallow are routes that throw away what a place sends to the others, the balancer among them. The kernel then takes
// in nothing from them either, because it would not know a way back.
func (y *Yard) swallow(verb string) []string {
	var lines []string
	for i := range 3 {
		lines = append(lines, fmt.Sprintf("route %s blackhole %v/32", verb, y.Balancer.Address(i)),
			fmt.Sprintf("route %s blackhole %v/128", verb, y.Balancer.Address6(i)))
	}
	for i := range Addresses {
		lines = append(lines, fmt.Sprintf("route %s blackhole %v/32", verb, y.Client.Address(i)),
			fmt.Sprintf("route %s blackhole %v/128", verb, y.Client.Address6(i)))
	}
	return lines
}

func (y *Yard) change(t testing.TB, p *Place, lines ...string) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	if err := p.ip(lines...); err != nil {
		t.Fatal(err)
	}
}
