package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
)

// maxTableName is how long the kernel lets a table's name be, the final zero left out (NFT_NAME_MAXLEN).
const maxTableName = 255

// Options are what a Path needs.
type Options struct {
	// Service names the pair; the table is called hotcold- and this name. Two balancers of one service on one machine
	// would undo each other, so the second is refused.
	Service string
	// Masquerade makes the machines see the balancer's own address as the client's, so that their answers come back
	// this way whatever their routes are. Without it they see the client's address, and the way back to the clients has
	// to lead through the balancer.
	Masquerade bool
	// Cut, where it is set, is told of every connection that was ended because of the epoch. It must not block.
	Cut   func(balancer.Cut)
	Clock clock.Clock
	Log   *slog.Logger
}

func (o Options) check() error {
	var faults []error
	if o.Service == "" {
		faults = append(faults, errors.New("the name of the service is needed"))
	}
	if len(tableName(o.Service)) > maxTableName {
		faults = append(faults, fmt.Errorf("the name of the service %q is too long for a table of the kernel", o.Service))
	}
	if o.Clock == nil || o.Log == nil {
		faults = append(faults, errors.New("the parts Clock and Log are both needed"))
	}
	return errors.Join(faults...)
}

// tablePrefix is how the names of our tables begin.
const tablePrefix = "hotcold-"

// tableName is the service's table. What a name in nft's own language may not hold becomes an underscore, so that
// `nft list table inet NAME` works as it is printed.
func tableName(service string) string {
	return tablePrefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, service)
}

// Supports tells, with a sentence for every rule and reason, why the kernel cannot do what s asks of a path; nil means
// that it can. Machines are the addresses that traffic may be steered to, where they are known.
func Supports(s balancer.Setup, machines ...netip.Addr) error {
	var faults []error
	if len(s.Rules) > MaxRules {
		faults = append(faults, fmt.Errorf("%d rules are more than the %d that the kernel path has marks for", len(s.Rules), MaxRules))
	}
	for _, r := range s.Rules {
		for _, why := range unsupported(r, machines) {
			faults = append(faults, fmt.Errorf("rule %s: %s; the splice path can", r.Name, why))
		}
	}
	return errors.Join(faults...)
}

// unsupported says in the end of a sentence what the kernel cannot do for a rule.
func unsupported(r balancer.Rule, machines []netip.Addr) (why []string) {
	if r.ProxyIn {
		why = append(why, "the kernel cannot read a PROXY header (proxyIn)")
	}
	if r.ProxyOut != 0 {
		why = append(why, "the kernel cannot send a PROXY header (proxyOut)")
	}
	if r.Frontend.Addr().IsLoopback() {
		why = append(why, fmt.Sprintf("the kernel does not send on what came to the loopback address %v", r.Frontend.Addr()))
	}
	if r.IdleTimeout > 0 && r.IdleTimeout < minIdle {
		why = append(why, fmt.Sprintf("the kernel counts silence in whole seconds, and an idle timeout of %v is less than %v", r.IdleTimeout, minIdle))
	}
	for _, m := range machines {
		if m.IsValid() && m.Unmap().Is4() != r.Frontend.Addr().Unmap().Is4() {
			why = append(why, fmt.Sprintf("the kernel does not translate between IPv4 and IPv6 (frontend %v, machine %v)", r.Frontend.Addr(), m))
		}
	}
	return why
}

// minIdle is the shortest idle timeout that is more than the error with which the kernel counts one.
const minIdle = 5 * time.Second
