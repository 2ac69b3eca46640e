package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
)

// peer is the other side of a clone.
type peer struct {
	// machine is its name in hotcold.machines; empty where it is none of them.
	machine string
	// host is where SSH finds it; the zero Host for a directory of this machine.
	host clone.Host
	// dir is its base directory.
	dir string
}

func (p peer) local() bool { return p.host == clone.Host{} }

// closing is a side that is closed at the end.
type closing interface {
	clone.Side
	io.Closer
}

// peer finds out which machine or directory is meant.
func (a *app) peer(c *config.Config, target string, f cloneFlags) (peer, error) {
	if f.from != "" {
		target = f.from
	}
	dir := f.directory
	if dir == "" {
		dir = c.BaseDir
	}
	if target == "" {
		others := otherMachines(c)
		if len(others) != 1 {
			return peer{}, &failure{code: exitUsage, err: fmt.Errorf("which machine? hotcold.machines names %s besides this one", count(len(others), "machine")),
				hint: "name it: hotcold clone [user@]host"}
		}
		target = others[0].Name
	}
	for _, m := range c.Machines {
		if m.Name != target {
			continue
		}
		if m.Name == c.Instance.MachineName {
			return peer{}, usage("%s is this machine: name the other one", m.Name)
		}
		address := m.SSH
		if address == "" {
			address = m.Address.String()
		}
		h, err := clone.ParseHost(address, a.username())
		return peer{machine: m.Name, host: h, dir: dir}, err
	}
	if strings.Contains(target, "/") || target == "." || target == ".." {
		return a.directory(c, target)
	}
	h, err := clone.ParseHost(target, a.username())
	if err != nil {
		return peer{}, usage("%v, and no name of hotcold.machines", err)
	}
	return peer{host: h, dir: dir}, nil
}

// directory is a directory of this machine as the other side.
func (a *app) directory(c *config.Config, target string) (peer, error) {
	work, err := a.WorkDir()
	if err != nil {
		return peer{}, err
	}
	dir := target
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(work, dir)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return peer{}, fmt.Errorf("open the directory to clone to: %w", err)
	}
	base, err := filepath.EvalSymlinks(c.BaseDir)
	if err != nil {
		return peer{}, fmt.Errorf("open the base directory: %w", err)
	}
	for _, pair := range [][2]string{{real, base}, {base, real}} {
		if inner, err := filepath.Rel(pair[0], pair[1]); err == nil && filepath.IsLocal(inner) {
			return peer{}, usage("%s and the base directory %s lie in each other: a twin lies apart", real, base)
		}
	}
	return peer{dir: real}, nil
}

// otherMachines are those of the pair besides this one.
func otherMachines(c *config.Config) (others []config.Machine) {
	for _, m := range c.Machines {
		if m.Name != c.Instance.MachineName {
			others = append(others, m)
		}
	}
	return others
}

func (a *app) username() string {
	if name, ok := a.Lookup("USER"); ok && name != "" {
		return name
	}
	if me, err := user.Current(); err == nil {
		return me.Username
	}
	return "root"
}

// side opens the other side.
func (a *app) side(ctx context.Context, c *config.Config, p peer, f cloneFlags) (closing, error) {
	if p.local() {
		return clone.OpenDirectory(p.dir)
	}
	home, _ := a.Lookup("HOME")
	o := clone.SSHOptions{Host: p.host, KnownHosts: f.knownHosts, Keys: f.keys, Clock: a.Clock}
	if len(o.KnownHosts) == 0 {
		o.KnownHosts = clone.UserKnownHosts(home)
	}
	if len(o.Keys) == 0 {
		o.Keys = clone.UserKeys(home)
	}
	for _, key := range f.keys { // asked for by name: one that is not there is a mistake
		if _, err := os.Stat(key); err != nil {
			return nil, fmt.Errorf("read the private key: %w", err)
		}
	}
	o.AgentSocket, _ = a.Lookup("SSH_AUTH_SOCK")
	if terminal(a.Stdin) {
		o.Passphrase = a.passphrase
	}
	r, err := clone.DialSSH(ctx, o, p.dir)
	var unknown *clone.UnknownHostError
	var changed *clone.ChangedHostError
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &unknown):
		return nil, &failure{code: exitFailed, err: err, hint: "on its own console compare with `ssh-keygen -lf` of its /etc/ssh/ssh_host_*_key.pub; " +
			"only if they are alike: echo '" + unknown.Line + "' >> " + unknown.File}
	case errors.As(err, &changed):
		return nil, &failure{code: exitRefused, err: err, hint: "nothing was sent; if it was made anew, take the old key out of that line and compare the new one on its console"}
	case errors.Is(err, os.ErrNotExist):
		return nil, &failure{code: exitFailed, err: err, hint: "make the base directory there, for the user of the node; or name it with --directory"}
	}
	return nil, err
}

// passphrase asks the person at the terminal for that of a key.
func (a *app) passphrase(file string) (config.Secret, error) {
	fmt.Fprintf(a.Stderr, "passphrase of %s: ", file)
	text, err := term.ReadPassword(int(a.Stdin.Fd()))
	fmt.Fprintln(a.Stderr)
	if err != nil {
		return config.Secret{}, fmt.Errorf("ask for the passphrase: %w", err)
	}
	return config.NewSecret(string(text)), nil
}
