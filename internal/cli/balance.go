package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
	"github.com/hotcold/hotcold/lease"
)

func (a *app) balanceCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use: "balance", Short: "the load balancer: one address for the pair", Args: noArgs, GroupID: "run",
		Long: `balance gives the pair one address. It asks the agents who is hot, and sends P2P,
RPC and web traffic there and nowhere else; while nobody is hot, clients wait.
When the hot machine changes, old connections are cut.

The rules are made of node.conf: hotcold.machines with the address and the agent
of both machines is all that has to be said. docs/balancer.md tells the rest.

SIGHUP, and a change of the file, take over another configuration without
dropping a connection; one with faults is refused, and the former one stays.
SIGUSR2 hands the listeners over to a new process of this program; the old one
ends when its connections have. The kernel path has none: restart it. Under systemd use Type=notify; sockets are taken
from it, and the watchdog is supported.`,
		Example: `  hotcold balance
  hotcold balance --check
  hotcold balance status
  hotcold balance explain`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return a.balanceCheck(cmd.Context())
			}
			err := a.balance(cmd.Context())
			if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
				return nil // a signal is how it ends
			}
			return err
		},
	}
	c.Flags().BoolVar(&check, "check", false, "say what is wrong with the configuration, and how soon a failure is noticed")
	c.AddCommand(a.balanceStatusCommand(), a.balanceExplainCommand())
	return c
}

func (a *app) balanceStatusCommand() *cobra.Command {
	var connections int
	c := &cobra.Command{
		Use: "status", Short: "where the traffic goes: rules, machines, connections", Args: noArgs,
		Long: `status asks the balancer of this machine, through its socket in hotcold.runtimeDir,
or in the directory of its unit.
Of its connections it shows some: those of an earlier epoch, those that wait, and
then those that carried most.

It ends with 0 when all rules have a machine and no alarm is on, and with 8 when
a person should look.`,
		Example: `  hotcold balance status
  hotcold balance status --connections 1000
  hotcold balance status --json | jq -r '.rules[] | "\(.name) \(.machine)"'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if connections < 0 || connections > status.MaxConnections {
				return usage("--connections: want 0 to %d, got %d", status.MaxConnections, connections)
			}
			return a.showBalance(cmd.Context(), connections, status.WriteBalance)
		},
	}
	c.Flags().IntVar(&connections, "connections", shownConnections, "how many connections to show")
	a.jsonFlag(c)
	return c
}

func (a *app) balanceExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain", Short: "why each machine gets the traffic, or does not", Args: noArgs,
		Long: `explain says for each machine why it is, or is not, the one that gets the traffic:
what its agent said, what each probe saw, and what changed lately. It ends as
status does.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.showBalance(cmd.Context(), 0, status.WriteExplain)
		},
	}
}

// shownConnections is how many connections fit on a screen below what there is to say anyway.
const shownConnections = 20

// showBalance asks the balancer of this machine, and prints its answer.
func (a *app) showBalance(ctx context.Context, connections int, write func(io.Writer, status.BalanceView, status.Style) error) error {
	c, err := a.loadWithBalancer(ctx, func(path string, env config.Env) (*config.Config, error) {
		dir, err := config.RuntimeDir(path, env)
		if !filepath.IsAbs(path) {
			path = filepath.Join(env.WorkDir, path)
		}
		return &config.Config{RuntimeDir: dir, File: filepath.Clean(path)}, err
	})
	if err != nil {
		return err
	}
	v, text, err := a.askHere(ctx, c, connections)
	if err != nil {
		return err
	}
	if a.json {
		_, err = a.Stdout.Write(text)
	} else {
		err = write(a.Stdout, v, a.style())
	}
	if err == nil && !v.Well() {
		return &failure{code: exitNotWell, err: errNotWell}
	}
	return err
}

// loadBalancer reads what a balancer needs of the configuration.
func (a *app) loadBalancer(ctx context.Context) (*config.Config, error) {
	return a.loadWithBalancer(ctx, config.LoadBalancer)
}

// loadWithBalancer reads as much as the reader wants, as a balancer does.
func (a *app) loadWithBalancer(ctx context.Context, reader func(string, config.Env) (*config.Config, error)) (*config.Config, error) {
	path, err := a.find()
	if err != nil {
		return nil, err
	}
	euid := os.Geteuid()
	if _, ok := a.Lookup(rootVar); ok {
		euid = 0 // it was root who started us, and the runtime directory is root's
	}
	return a.loadWith(ctx, path, euid, reader)
}

// takeover is how long the lease takes to move at worst; 0 where its numbers are not sound, which the agents say.
func takeover(c *config.Config) time.Duration {
	m := c.MutualExclusion
	t, err := lease.Settings{Update: m.UpdateInterval, Wait: m.WaitInterval, Fence: m.FenceTimeout, Attempt: m.AttemptTimeout}.Timing()
	if err != nil || !m.On {
		return 0
	}
	return t.Takeover()
}

// balanceCheck says what can be known of a balancer before it runs.
func (a *app) balanceCheck(ctx context.Context) error {
	c, err := a.loadBalancer(ctx)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings {
		report(a.Stderr, "warning", w.String())
	}
	r := &balancing{app: a, log: discard(), checking: true}
	if _, err := r.newBalancer(c, inherited{}); err != nil {
		return err
	}
	for _, rule := range c.Balancer.Rules {
		fmt.Fprintf(a.Stdout, "%s: %s to port %d of pool %s, by probe %s\n", rule.Name, net.JoinHostPort(rule.Frontend.String(), strconv.Itoa(rule.Port)),
			rule.BackendPort, rule.Pool, rule.Probe)
	}
	fmt.Fprintf(a.Stdout, "data path: %s (%s)\n\n", r.path.name, r.path.why)
	return status.WriteDetection(a.Stdout, c.Balancer, takeover(c), a.style())
}

const (
	// controlName is the balancer's socket in its directory.
	controlName = "balance.sock"
	// unitVar names the directory that systemd has made for a unit (RuntimeDirectory=), or several with colons between.
	unitVar = "RUNTIME_DIRECTORY"
	// unitDirectory is that of the unit which `hotcold render systemd` writes.
	unitDirectory = "/run/hotcold-balance"
)

// controlPath is the balancer's socket: in the directory that systemd has made for it, since its user may write nowhere
// else, and otherwise in that of the configuration, which is an agent's too.
func (a *app) controlPath(c *config.Config) string {
	names, _ := a.Lookup(unitVar)
	if dir, _, _ := strings.Cut(names, ":"); filepath.IsAbs(dir) {
		return filepath.Join(dir, controlName)
	}
	return filepath.Join(c.RuntimeDir, controlName)
}

// askHere asks the balancer of this machine that has this configuration: one that a person has started, or that of the unit.
func (a *app) askHere(ctx context.Context, c *config.Config, connections int) (v status.BalanceView, text []byte, err error) {
	if v, text, err = askBalancer(ctx, a.controlPath(c), connections); err == nil {
		return v, text, nil
	}
	unit, itsText, fault := askBalancer(ctx, filepath.Join(unitDirectory, controlName), connections)
	switch {
	case fault == nil && unit.File == c.File:
		return unit, itsText, nil
	case errors.Is(fault, fs.ErrPermission):
		return v, nil, fault // it may be the one
	}
	return v, nil, err
}

const (
	// askLimit is how long the balancer of this machine may take to answer.
	askLimit = 5 * time.Second
	// answerBytes is far more than a balancer has to tell.
	answerBytes = 16 << 20
)

// askBalancer asks over the balancer's socket, for so many connections too.
func askBalancer(ctx context.Context, socket string, connections int) (v status.BalanceView, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			short, done, err := reachable(socket)
			if err != nil {
				return nil, err
			}
			defer done()
			return (&net.Dialer{}).DialContext(ctx, "unix", short)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://balance/state?connections="+strconv.Itoa(connections), nil)
	if err != nil {
		return v, nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return v, nil, noBalancer(socket, err)
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(io.LimitReader(answer.Body, answerBytes)); err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return v, nil, fmt.Errorf("read the balancer's answer: %w", err)
	}
	return v, text, nil
}

// noBalancer says why there is no answer.
func noBalancer(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &failure{code: exitFailed, err: fmt.Errorf("ask the balancer: %w", err), hint: "run it as root, or as the user of the balancer"}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return &failure{code: exitFailed, err: fmt.Errorf("no balancer of this configuration runs on this machine: nobody answers at %s", socket),
			hint: "`hotcold balance` is one; run this with the same configuration, and as the same user"}
	}
	return fmt.Errorf("ask the balancer: %w", err)
}
