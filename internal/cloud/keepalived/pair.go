package keepalived

import (
	"fmt"
	"net/netip"
	"regexp"

	"github.com/hotcold/hotcold/internal/cloud"
)

// Pair is one of two balancers with an address between them. Both get the same file: they agree by whose balancer lives, and
// neither takes the address back from the other, because each move of it ends connections.
type Pair struct {
	// Address is the address that moves, with the length of its network.
	Address netip.Prefix
	// Interface is where it is put.
	Interface string
	// Router tells pairs of one network apart.
	Router int
	// Live is the URL of the balancer's own /live, and not of /ready: while no node is hot neither balancer is ready, and
	// clients that wait at one of them would lose the address.
	Live string
}

// routers are the numbers that VRRP has.
func routers() cloud.Range { return cloud.Range{Min: 1, Max: 255} }

var interfaceName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,15}$`)

// File writes the configuration.
func (p Pair) File() (cloud.File, error) {
	switch r := routers(); {
	case !p.Address.IsValid():
		return cloud.File{}, fmt.Errorf("write the configuration of keepalived: want the address that moves, with the length of its network, as in 192.0.2.10/24")
	case !interfaceName.MatchString(p.Interface):
		return cloud.File{}, fmt.Errorf("write the configuration of keepalived: the interface is %q, want a name such as eth0", p.Interface)
	case p.Router < r.Min || p.Router > r.Max:
		return cloud.File{}, fmt.Errorf("write the configuration of keepalived: VRRP has routers of %v, got %d", r, p.Router)
	}
	return cloud.File{Name: "keepalived.conf", Mode: 0o644, Text: fmt.Sprintf(text, p.Live, p.Interface, p.Router, p.Address)}, nil
}

const text = `# Two balancers with one address, the same file on both. Written by ` + "`hotcold render keepalived`" + `.
# A machine's own firewall has to let VRRP (IP protocol 112) in from the other one.

global_defs {
    enable_script_security
    script_user nobody
}

# The address goes to a balancer that lives; while no node is hot, clients wait there.
vrrp_script hotcold_balance {
    script "/usr/bin/curl --fail --silent --output /dev/null --max-time 2 %s"
    interval 1
    timeout 3
    fall 2
    rise 2
}

vrrp_instance hotcold {
    # Whoever has the address keeps it while it lives: each move ends connections.
    state BACKUP
    nopreempt
    interface %s
    virtual_router_id %d
    priority 100
    advert_int 1
    virtual_ipaddress {
        %s
    }
    track_script {
        hotcold_balance
    }
}
`
