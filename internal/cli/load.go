package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/process"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/etcdstore"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// configVar names the configuration file where --config does not.
const configVar = "HOTCOLD_CONFIG"

// places are where a configuration is looked for, in order.
func places() []string { return []string{"hotcold.conf", "/etc/hotcold/hotcold.conf"} }

// find tells which file to read.
func (a *app) find() (string, error) {
	if a.config != "" {
		return a.config, nil
	}
	if name, ok := a.Lookup(configVar); ok && name != "" {
		return name, nil
	}
	for _, p := range places() {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	dir, _ := a.WorkDir()
	return "", &failure{code: exitConfig, err: fmt.Errorf("there is no configuration: neither %s nor %s", filepath.Join(dir, places()[0]), places()[1]),
		hint: "name it with --config, or see `hotcold demo` first"}
}

// load reads the configuration and warns of what a person should know.
func (a *app) load(ctx context.Context) (*config.Config, error) {
	path, err := a.find()
	if err != nil {
		return nil, err
	}
	return a.loadFile(ctx, path)
}

// loadFile reads the configuration in a file.
func (a *app) loadFile(ctx context.Context, path string) (*config.Config, error) {
	return a.loadWith(ctx, path, os.Geteuid(), config.Load)
}

// loadWith reads as much of a configuration as the reader wants.
func (a *app) loadWith(ctx context.Context, path string, euid int, reader func(string, config.Env) (*config.Config, error)) (*config.Config, error) {
	host, err := a.Hostname()
	if err != nil {
		return nil, err
	}
	dir, err := a.WorkDir()
	if err != nil {
		return nil, err
	}
	env := config.Env{Lookup: a.Lookup, Hostname: host, WorkDir: dir, Euid: euid}
	c, err := a.read(ctx, path, func() (*config.Config, error) { return reader(path, env) })
	switch {
	case err == nil || ctx.Err() != nil:
		return c, err
	case errors.Is(err, fs.ErrPermission):
		return nil, &failure{code: exitConfig, err: err, hint: "run it as the user of the node, who may read that file"}
	}
	return nil, &failure{code: exitConfig, err: err}
}

// read loads a configuration, or gives up with ctx: a file on a drive that hangs,
// or a pipe into which nobody writes, holds up whoever opens it for ever, and
// Ctrl-C has to work then too. What hangs ends with the process.
func (a *app) read(ctx context.Context, path string, load func() (*config.Config, error)) (*config.Config, error) {
	type loaded struct {
		c   *config.Config
		err error
	}
	done := make(chan loaded, 1)
	go func() {
		c, err := load()
		done <- loaded{c, err}
	}()
	select {
	case l := <-done:
		return l.c, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: %w", path, context.Cause(ctx))
	}
}

// timing checks the inequality and says where the numbers stand that break it.
func timing(c *config.Config) (lease.Timing, error) {
	m := c.MutualExclusion
	t, err := lease.Settings{Update: m.UpdateInterval, Wait: m.WaitInterval, Fence: m.FenceTimeout, Attempt: m.AttemptTimeout}.Timing()
	if err != nil {
		return t, &failure{code: exitConfig, err: fmt.Errorf("%v: %w", c.Where("hotcold.mutualExclusion.waitInterval"), err),
			hint: "docs/lease.md explains the inequality; the defaults (2000 and 10000) are sound"}
	}
	if m.Watchdog != "" && t.Fence < process.MinWatchdog {
		return t, &failure{code: exitConfig, err: fmt.Errorf("%v: a watchdog needs a fenceTimeout of %v or more, got %v: the devices count in seconds",
			c.Where("hotcold.mutualExclusion.watchdog"), process.MinWatchdog, t.Fence),
			hint: "set hotcold.mutualExclusion.fenceTimeout and a longer waitInterval, or leave the watchdog out"}
	}
	return t, nil
}

// open prepares the use of the configuration's database. It does not wait for it.
func open(ctx context.Context, c *config.Config, attempt time.Duration, log *slog.Logger) (database, error) {
	db := c.Database
	if db.Dialect != config.DialectEtcd {
		return openSQL(ctx, db, attempt, log)
	}
	o := etcdstore.Config{Prefix: db.Name, User: db.User, Password: db.Password.Reveal(), Logger: log,
		TLS: etcdstore.TLS{On: db.TLS.On, CAFile: db.TLS.CA, CertFile: db.TLS.Certificate, KeyFile: db.TLS.Key}}
	for _, h := range db.Hosts {
		o.Endpoints = append(o.Endpoints, h.String())
	}
	store, err := etcdstore.Open(ctx, o)
	if err != nil {
		return nil, err // and not a store that is nil and does not look it
	}
	return etcd{store}, nil
}

func openSQL(ctx context.Context, db config.Database, attempt time.Duration, log *slog.Logger) (database, error) {
	store, err := sqlstore.Open(ctx, sqlstore.Config{
		Dialect: string(db.Dialect), DSN: db.DSN.Reveal(), TablePrefix: db.TablePrefix,
		Attempt: attempt, Replication: vouchedFor(db.Replication), Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// opened loads the configuration and opens its database, for the commands that
// look and steer from any machine.
func (a *app) opened(ctx context.Context) (*config.Config, database, error) {
	c, err := a.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !c.MutualExclusion.On {
		return nil, nil, &failure{code: exitConfig, err: fmt.Errorf("%v: mutual exclusion is off: there is no lease to look at", c.Where("hotcold.mutualExclusion.on"))}
	}
	t, err := timing(c)
	if err != nil {
		return nil, nil, err
	}
	// A person has more time than a renewal.
	db, err := open(ctx, c, max(t.Attempt, lease.MaxAttempt), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, &failure{code: exitConfig, err: err} // it does not connect: what is wrong stands in the file
	}
	return c, db, nil
}
