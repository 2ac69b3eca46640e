package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/hotcold/hotcold/internal/balancer"
)

// Available tells why no path can be had in the kernel by this process in its network namespace; nil means that one can.
// It makes a table of its own to try, one that no packet comes by, and removes it. Whether packets may be forwarded is a question for each family of
// addresses, and asked by Apply.
func Available() error {
	t, err := openTable(fmt.Sprintf("try-hotcold-%d", os.Getpid()), true)
	if err != nil {
		return fmt.Errorf("try the kernel path: %w", err)
	}
	trial := newRule(balancer.Rule{
		Name: "trial", Frontend: netip.AddrPortFrom(netip.IPv4Unspecified(), 1), BackendPort: 1,
		IdleTimeout: minIdle, MaxConnections: 1, MaxPerSource: 1,
	}, 0)
	err = errors.Join(t.skeleton(newMarks(t.t.Name), Options{Masquerade: true}, 1, 1), t.program(trial, true, false))
	if err == nil {
		t.dispatch([]*rule{trial})
		err = t.commit()
	}
	if err == nil {
		_, err = dump(newMarks(t.t.Name))
	}
	if err = errors.Join(err, t.close()); err != nil {
		return fmt.Errorf("try the kernel path: %w", err)
	}
	return nil
}

// Forwards tells whether the kernel sends on packets of the families that the rules have.
func Forwards(s balancer.Setup) error {
	sysctls := map[bool]string{true: "net.ipv4.ip_forward", false: "net.ipv6.conf.all.forwarding"}
	var faults []error
	for four, name := range sysctls {
		var needed bool
		for _, r := range s.Rules {
			needed = needed || r.Frontend.Addr().Unmap().Is4() == four
		}
		if !needed {
			continue
		}
		value, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("ask whether the kernel forwards packets: %w", err))
		case strings.TrimSpace(string(value)) == "0":
			faults = append(faults, fmt.Errorf("the kernel forwards no packets: set the sysctl %s = 1", name))
		}
	}
	return errors.Join(faults...)
}
