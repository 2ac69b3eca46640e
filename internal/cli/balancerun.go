package cli

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/buildinfo"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

// balancing is one balancer in this process.
type balancing struct {
	*app
	log    *slog.Logger
	path   dataPath
	access *accessLog
	b      *balancer.Balancer
	server *status.Server // nil where it listens nowhere

	// checking: nothing will run.
	checking bool

	// What the pages tell beside the balancer's snapshot.
	conf    atomic.Pointer[inForce]
	refused atomic.Pointer[status.RefusedConfig]
	rates   atomic.Pointer[map[string]status.RuleRates]
	leaving atomic.Bool

	live *status.LiveCheck
	// endPage ends the page, whose listener another process has taken over.
	endPage context.CancelFunc
	// starve ends the feeding of systemd's watchdog, which is the other process's to feed then.
	starve context.CancelFunc
	// end ends the balancer, once another process has taken over and nothing is left here.
	end context.CancelFunc
}

// inForce is the configuration that is in force.
type inForce struct {
	*config.Config
	loaded time.Time
}

const (
	// pulse is how often rates are taken, files are looked at, and systemd is told.
	pulse = time.Second
	// balanceLive is how long the loop that decides may stand still until systemd is told no more: longer than a reload
	// may take.
	balanceLive = 20 * time.Second
	// reloadLimit is how long a reload may take.
	reloadLimit = 10 * time.Second
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// balance runs the balancer until ctx ends.
func (a *app) balance(ctx context.Context) (err error) {
	signals := make(chan os.Signal, 8) // they come seldom, and each of a kind does the same as the one before
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2)
	defer signal.Stop(signals)
	c, err := a.loadBalancer(ctx)
	if err != nil {
		return err
	}
	log, flush := a.logger(c.Log)
	defer flush()
	defer outliveReaders()()
	for _, w := range c.Warnings {
		log.Warn(w.Text, "path", w.Path, "at", w.Pos.String())
	}
	in, err := a.inherit()
	if err != nil {
		return err
	}
	defer in.close()
	if err := a.becomeUser(c, in); err != nil {
		return err
	}
	r := &balancing{app: a, log: log, live: status.NewLiveCheck(a.Clock, balanceLive)}
	return r.run(ctx, c, in, signals)
}

// run makes all parts and waits for their end.
func (r *balancing) run(ctx context.Context, c *config.Config, in inherited, signals <-chan os.Signal) (err error) {
	ctx, r.end = context.WithCancel(ctx)
	defer r.end()
	var k *control
	defer func() { k.close() }()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()

	if r.access, err = openAccessLog(c.Balancer.AccessLog, r.Stdout, r.log); err != nil {
		return &failure{code: exitConfig, err: err, hint: "hotcold.balancer.accessLog names the file"}
	}
	background.Go(func() { r.access.run(running) })
	o, err := r.newBalancer(c, in)
	if err != nil {
		return err
	}
	o.Past = in.past
	r.conf.Store(&inForce{c, r.Clock.Now().Wall})
	if k, err = r.listenControl(ctx, c, in); err != nil {
		return err
	}
	if err := r.listenPage(c, in); err != nil {
		return err
	}
	o.Listening = func() error {
		r.log.Info("balancer serves", "lease", c.LeaseName, "rules", len(c.Balancer.Rules), "path", r.path.name, "why", r.path.why,
			"listen", c.Balancer.Listen.Address, "version", buildinfo.Read().Version)
		r.notify(daemon.SdNotifyReady)
		in.ready()
		return nil
	}
	if r.b, err = balancer.New(o); err != nil {
		return &failure{code: exitConfig, err: err}
	}
	page, endPage := context.WithCancel(running)
	defer endPage()
	r.endPage = endPage
	background.Go(func() { r.serve(running, k.serve(r)) })
	background.Go(func() { r.serve(page, r.server) })
	fed, starve := context.WithCancel(running)
	defer starve()
	r.starve = starve
	background.Go(func() { r.watchdog(fed, r.live) })
	background.Go(func() { r.tend(running, c, signals) })
	err = r.b.Run(ctx)
	r.notify(daemon.SdNotifyStopping)
	r.log.Info("balancer ended", "lease", c.LeaseName)
	return r.runFault(err)
}

// notify tells systemd. A process whose place another one has taken is not the service any more, and is silent: its end
// would be taken for the service's.
func (r *balancing) notify(state string) {
	if !r.leaving.Load() {
		sdNotify(r.log, state)
	}
}

// serve runs a listener of the balancer's own, if there is one.
func (r *balancing) serve(ctx context.Context, s *status.Server) {
	if s == nil {
		return
	}
	if err := s.Run(ctx); err != nil {
		r.log.Error("the balancer's listener ended", "err", err)
	}
}

// runFault finds the exit code and the next step.
func (r *balancing) runFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EADDRINUSE):
		return &failure{code: exitConfig, err: err, hint: "another program has this port: end it, or set the rule's port or frontend"}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return &failure{code: exitConfig, err: err, hint: "this machine does not have that address: set the rule's frontend"}
	case errors.Is(err, fs.ErrPermission):
		return &failure{code: exitConfig, err: err, hint: "ports below 1024 and the kernel path need rights: see hotcold.balancer.user, or AmbientCapabilities in the unit"}
	}
	return err
}

// newBalancer chooses the data path and makes the balancer's options.
func (r *balancing) newBalancer(c *config.Config, in inherited) (balancer.Options, error) {
	o := r.options(c)
	var err error
	if r.path, err = r.choosePath(c, o, in); err != nil {
		return o, &failure{code: exitConfig, err: err}
	}
	o.Path = r.path
	return o, nil
}

// options maps the configuration to what a balancer needs.
func (r *balancing) options(c *config.Config) balancer.Options {
	return balancer.Options{Lease: c.LeaseName, Machines: c.Machines, Config: c.Balancer, Takeover: takeover(c), Clock: r.Clock, Log: r.log}
}

// listenPage opens the page's port, or takes the one that was handed over.
func (r *balancing) listenPage(c *config.Config, in inherited) error {
	l := c.Balancer.Listen
	if l.Address == "" {
		return nil
	}
	s, err := status.NewBalance(status.BalanceOptions{
		Address: l.Address, TLS: status.TLS{CertFile: l.TLS.Certificate, KeyFile: l.TLS.Key, ClientCAFile: l.TLS.ClientCA},
		Key: l.Key, View: r.view, Connections: r.path.connections, Live: r.live, Clock: r.Clock, Log: r.log,
	})
	if err != nil {
		return &failure{code: exitConfig, err: err}
	}
	if in.page != nil {
		page, err := net.FileListener(in.page)
		if err != nil {
			return err
		}
		s.Take(page)
	} else if err := s.Listen(); err != nil {
		return &failure{code: exitConfig, err: err}
	}
	r.server = s
	return nil
}

// view is what the balancer tells now.
func (r *balancing) view() status.BalanceView {
	c := r.conf.Load()
	f := status.BalanceFacts{
		Version: buildinfo.Read().Version, PID: os.Getpid(), Path: r.path.name, PathWhy: r.path.why, File: c.File, Loaded: c.loaded,
		Refused: r.refused.Load(), Leaving: r.leaving.Load(), Now: r.Clock.Now().Wall,
	}
	if rates := r.rates.Load(); rates != nil {
		f.Rates = *rates
	}
	return status.BalanceOf(r.b.Snapshot(), f)
}

// tend does what has to be done beside the traffic: it takes rates, looks for another configuration, and obeys
// signals.
func (r *balancing) tend(ctx context.Context, c *config.Config, signals <-chan os.Signal) {
	watch := newFileWatch(c)
	var rates status.Rates
	said := ""
	timer := r.Clock.Timer(r.Clock.Now().Boot)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			if s == syscall.SIGUSR2 {
				r.handOver(ctx)
				continue
			}
			r.access.reopen()
			r.reload(ctx, "SIGHUP", watch)
		case <-timer.C():
			now := r.Clock.Now().Boot
			taken := rates.Observe(now, r.b.Snapshot().Flows)
			r.rates.Store(&taken)
			if text := r.view().Headline(); text != said {
				said = text
				r.notify("STATUS=" + oneStatusLine(text))
			}
			if watch.changed() {
				r.reload(ctx, "change of the file", watch)
			}
			r.leaveWhenEmpty()
			r.beat(ctx)
			timer.Reset(r.Clock.Now().Boot + pulse)
		}
	}
}

// beat says that this process lives, if the loop that decides does.
func (r *balancing) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pulse)
	defer cancel()
	if r.b.Turns(ctx) == nil {
		r.live.Touch()
	}
}

// leaveWhenEmpty ends a process whose listeners another one has, once it has no connections.
func (r *balancing) leaveWhenEmpty() {
	if !r.leaving.Load() {
		return
	}
	f := r.b.Snapshot().Flows
	open := f.Parked
	for _, rule := range f.Rules {
		open += rule.Open
	}
	if open == 0 {
		r.log.Info("the last connection has ended")
		r.end()
	}
}
