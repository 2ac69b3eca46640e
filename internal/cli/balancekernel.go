package cli

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/kernel"
	"github.com/hotcold/hotcold/internal/config"
)

// kernelUnfit says why the kernel path cannot be used. It tries that out, which nobody may do who uses it already.
func kernelUnfit(c *config.Config, o balancer.Options, in inherited) error {
	if err := kernelLacks(c, o, in); err != nil {
		return err
	}
	return kernel.Available()
}

// kernelLacks says what the configuration asks for and the kernel path has not.
func kernelLacks(c *config.Config, o balancer.Options, in inherited) error {
	var faults []error
	if len(in.rules) > 0 {
		faults = append(faults, fmt.Errorf("listeners were handed over by %s, and the kernel path has none", in.from))
	}
	if c.Balancer.AccessLog != "" {
		faults = append(faults, errors.New("the kernel path writes no access log (hotcold.balancer.accessLog)"))
	}
	var machines []netip.Addr
	for _, m := range c.Machines {
		machines = append(machines, m.Address)
	}
	faults = append(faults, kernel.Supports(o.Setup(), machines...), kernel.Forwards(o.Setup()))
	return errors.Join(faults...)
}

func (r *balancing) kernelPath(c *config.Config, why string) (dataPath, error) {
	p, err := kernel.New(kernel.Options{Service: c.LeaseName, Masquerade: c.Balancer.Masquerade, Cut: r.cut, Clock: r.Clock, Log: r.log})
	if err != nil {
		return dataPath{}, err
	}
	return dataPath{Path: p, name: "kernel", why: why, connections: p.Connections, supports: func(c *config.Config) error { return kernelLacks(c, r.options(c), inherited{}) }}, nil
}
