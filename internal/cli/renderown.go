package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/haproxy"
	"github.com/hotcold/hotcold/internal/cloud/keepalived"
	"github.com/hotcold/hotcold/internal/cloud/prometheus"
	"github.com/hotcold/hotcold/internal/cloud/systemd"
	"github.com/hotcold/hotcold/internal/config"
)

func (a *app) renderSystemdCommand() *cobra.Command {
	r := rendering{target: "systemd", format: "unit"}
	c := &cobra.Command{
		Use: "systemd", Short: "the units of the agent and of the balancer",
		Long: `systemd writes hotcold.service, the agent's unit, and hotcold-balance.service, that
of a balancer on a machine of its own. Both take from the machine what hotcold and
the node do not need.`,
		Example: `  hotcold render systemd --config /etc/hotcold/hotcold.conf --out /etc/systemd/system`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if r.out == "" {
				return usage("there are two units: name a folder with --out")
			}
			return a.renderInto(c.Context(), r, []string{r.format})
		},
	}
	r.flags(c)
	return c
}

func (a *app) renderKeepalivedCommand() *cobra.Command {
	r := rendering{target: "keepalived", format: "conf", router: 46}
	c := &cobra.Command{
		Use: "keepalived", Short: "one address for two balancers of one's own",
		Long: `keepalived writes the configuration by which two machines that both run hotcold
balance share one address (VRRP). It is the same file on both. The address goes to
the one whose balancer answers /live; nobody takes it back while it lives there.`,
		Example: `  hotcold render keepalived --address 192.0.2.10/24 --interface eth0`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, warnings, err := a.render(c.Context(), r)
			if err != nil {
				return err
			}
			return a.written(r, s, warnings)
		},
	}
	r.flags(c)
	c.Flags().StringVar(&r.address, "address", "", "the `address` that moves, with the length of its network")
	c.Flags().StringVar(&r.link, "interface", "eth0", "where it is put: the `name` of a network interface")
	c.Flags().IntVar(&r.router, "router", r.router, "the `number` that tells pairs of one network apart, 1 to 255")
	return c
}

func (a *app) renderHAProxyCommand() *cobra.Command {
	r := rendering{target: "haproxy", format: "cfg"}
	c := &cobra.Command{
		Use: "haproxy", Short: "the balancer's probes and rules for HAProxy",
		Long: `haproxy writes the balancer's probes and rules as a configuration of HAProxy, for
those who have it already. What it cannot do stands in it as comments. The token for
the agents comes from its environment, HOTCOLD_AGENT_TOKEN.`,
		Example: `  hotcold render haproxy >/etc/haproxy/haproxy.cfg`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, warnings, err := a.render(c.Context(), r)
			if err != nil {
				return err
			}
			return a.written(r, s, warnings)
		},
	}
	r.flags(c)
	return c
}

func (a *app) renderPrometheusCommand() *cobra.Command {
	r := rendering{target: "prometheus", format: "rules"}
	c := &cobra.Command{
		Use: "prometheus", Short: "alert rules",
		Long: `prometheus writes alert rules for the agents' metrics: nobody hot, two hot, no
standby, a node that was fenced, a database that does not answer. Each says what to
do. Prometheus has to ask both agents of the pair, and nobody else, under one job.`,
		Example: `  hotcold render prometheus --job ledger >/etc/prometheus/rules/hotcold.yaml`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, warnings, err := a.render(c.Context(), r)
			if err != nil {
				return err
			}
			return a.written(r, s, warnings)
		},
	}
	r.flags(c)
	c.Flags().StringVar(&r.job, "job", "hotcold", "`label` under which Prometheus asks the agents")
	return c
}

// renderOwn renders what is for machines of one's own.
func (a *app) renderOwn(ctx context.Context, r rendering) (cloud.Set, []string, error) {
	c, err := a.loadSetup(ctx)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	switch r.target {
	case "systemd":
		return renderUnits(c, r)
	case "keepalived":
		return renderPair(c, r)
	case "haproxy":
		text, err := haproxy.Render(c)
		if err != nil {
			return cloud.Set{}, nil, &failure{code: exitConfig, err: err}
		}
		return setOf(r, nil)(cloud.File{Name: "haproxy.cfg", Mode: 0o644, Text: text}, nil)
	case "prometheus":
		p := prometheus.Pair{Job: r.job, Wait: c.MutualExclusion.WaitInterval}
		return setOf(r, p)(p.Rules())
	}
	return cloud.Set{}, nil, fmt.Errorf("render %s: this program does not know it", r.target)
}

// setOf makes a set of one file.
func setOf(r rendering, values any) func(cloud.File, error) (cloud.Set, []string, error) {
	return func(f cloud.File, err error) (cloud.Set, []string, error) {
		if err != nil {
			return cloud.Set{}, nil, err
		}
		s, err := cloud.NewSet(r.target, r.recorded(), values, f)
		s.Main = f.Name
		return s, nil, err
	}
}

func renderUnits(c *config.Config, r rendering) (cloud.Set, []string, error) {
	agent := agentUnit(c, c.File, c.Drive.Path)
	balancer := systemd.Balancer{Config: c.File, Kernel: c.Balancer.DataPath != config.DataPathSplice}
	for _, rule := range c.Balancer.Rules {
		balancer.LowPort = balancer.LowPort || rule.Port < 1024
	}
	first, err := agent.Unit()
	if err != nil {
		return cloud.Set{}, nil, err
	}
	second, err := balancer.Unit()
	if err != nil {
		return cloud.Set{}, nil, err
	}
	s, err := cloud.NewSet(r.target, r.recorded(), nil, first, second)
	return s, nil, err
}

func renderPair(c *config.Config, r rendering) (cloud.Set, []string, error) {
	listen := c.Balancer.Listen
	switch host, _, err := net.SplitHostPort(listen.Address); {
	case listen.Address == "" || err != nil:
		return cloud.Set{}, nil, usage("the balancer listens nowhere (hotcold.balancer.listen.address), so keepalived could not ask it")
	case listen.TLS.Certificate != "" || !c.Where("hotcold.balancer.listen.keyFile").IsZero():
		return cloud.Set{}, nil, usage("the balancer wants TLS or a key of whoever asks; let it listen on 127.0.0.1, where keepalived asks it (hotcold.balancer.listen.address)")
	case host == "":
		listen.Address = "127.0.0.1" + listen.Address
	}
	p := keepalived.Pair{Interface: r.link, Router: r.router, Live: "http://" + listen.Address + "/live"}
	address := r.address
	if address == "" {
		for _, rule := range c.Balancer.Rules {
			if f := rule.Frontend; f.IsValid() && !f.IsUnspecified() {
				address = netip.PrefixFrom(f, f.BitLen()).String()
			}
		}
	}
	if address == "" {
		return cloud.Set{}, nil, usage("which address moves? --address 192.0.2.10/24, or a frontend of the balancer's rules")
	}
	prefix, err := netip.ParsePrefix(address)
	if err != nil {
		return cloud.Set{}, nil, usage("--address is %q, want an address with the length of its network, as in 192.0.2.10/24", address)
	}
	p.Address = prefix
	return setOf(r, p)(p.File())
}

// mark is between a target's format and a value of the command line.
const mark = " --"

// recorded is the format with what else the command line said, so that --check says the same.
func (r rendering) recorded() string {
	text := r.format
	for _, v := range r.said() {
		if *v.value != "" {
			text += mark + v.name + " " + *v.value
		}
	}
	if r.target == "keepalived" {
		text += fmt.Sprintf("%srouter %d", mark, r.router)
	}
	return text
}

// spoken is a value of the command line by its flag.
type spoken struct {
	name  string
	value *string
}

func (r *rendering) said() []spoken {
	return []spoken{{"balancer", &r.balancer}, {"address", &r.address}, {"interface", &r.link}, {"job", &r.job}}
}

// recalled takes apart what recorded put together. What it does not know is left out: the set says what came of it.
func recalled(target, text string) rendering {
	parts := strings.Split(text, mark)
	r := rendering{target: target, format: parts[0]}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, " ")
		for _, v := range r.said() {
			if v.name == name {
				*v.value = value
			}
		}
		if name == "router" {
			_, _ = fmt.Sscan(value, &r.router) // 0 is refused further on
		}
	}
	return r
}
