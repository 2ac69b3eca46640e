package cli

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/config"
)

// becomeUser runs this program anew, in this process, as the user that the configuration names, before anything is
// opened. It keeps no right but to open ports below 1024 and to make rules in the kernel, as far as the configuration
// needs that. It returns only where there is nothing to do, or where it failed.
//
// Running anew is what makes it simple to be sure of: credentials belong to threads in Linux, Go has many, and a new
// program has one.
func (a *app) becomeUser(c *config.Config, in inherited) error {
	if c.Balancer.User == "" || os.Geteuid() != 0 {
		return nil
	}
	u, err := lookupUser(c.Balancer.User)
	if err != nil {
		return &failure{code: exitConfig, err: fmt.Errorf("%v: hotcold.balancer.user: %w", c.Where("hotcold.balancer.user"), err)}
	}
	if u.uid == 0 {
		return nil // root it stays
	}
	if err := a.runtimeFor(c, u); err != nil {
		return err
	}
	program, err := a.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	env := append(withoutOwn(a.Environ()), rootVar+"=1")
	if names := in.names(); len(names) > 0 {
		env = append(env, inheritVar+"="+strings.Join(names, ":"))
		if past, ok := a.Lookup(pastVar); ok && in.past != nil {
			env = append(env, pastVar+"="+past)
		}
	}
	return execAs(u, rightsFor(c), in, program, env)
}

// account is a user of this machine.
type account struct {
	uid, gid int
	groups   []int
}

func lookupUser(name string) (account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return account{}, err
	}
	var a account
	if a.uid, err = strconv.Atoi(u.Uid); err != nil {
		return a, err
	}
	if a.gid, err = strconv.Atoi(u.Gid); err != nil {
		return a, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return a, fmt.Errorf("find the groups of %s: %w", name, err)
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return a, err
		}
		a.groups = append(a.groups, n)
	}
	return a, nil
}

// runtimeFor makes the directory of the balancer's socket one in which the user can make it.
func (a *app) runtimeFor(c *config.Config, u account) error {
	dir := filepath.Dir(a.controlPath(c))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the runtime directory: %w", err)
	}
	if err := os.Chown(dir, u.uid, u.gid); err != nil {
		return fmt.Errorf("give the runtime directory to the balancer's user: %w", err)
	}
	// The directory above is root's, and others have to pass through it.
	if parent := filepath.Dir(dir); parent == "/run/hotcold" {
		if err := os.Chmod(parent, 0o711); err != nil {
			return fmt.Errorf("let the balancer's user into its runtime directory: %w", err)
		}
	}
	return nil
}

// rightsFor are the capabilities that the balancer keeps: to open a port below 1024 at a reload, and to make rules in
// the kernel where that may be.
func rightsFor(c *config.Config) (rights []uintptr) {
	for _, r := range c.Balancer.Rules {
		if r.Port < 1024 {
			rights = append(rights, unix.CAP_NET_BIND_SERVICE)
			break
		}
	}
	if c.Balancer.DataPath != config.DataPathSplice {
		rights = append(rights, unix.CAP_NET_ADMIN)
	}
	return rights
}

// execAs runs a program in the place of this one. It returns only an error.
func execAs(u account, rights []uintptr, in inherited, program string, env []string) error {
	runtime.LockOSThread() // capabilities are this thread's, and it is the one that execs; on an error the process ends
	for _, f := range in.all {
		if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("keep the socket %s: %w", f.Name(), err)
		}
	}
	if err := takeOn(u, rights); err != nil {
		return fmt.Errorf("become the balancer's user: %w", err)
	}
	return fmt.Errorf("run this program as the balancer's user: %w", unix.Exec(program, os.Args, env))
}

// takeOn becomes the user and keeps nothing of root but some rights, which the next program has from its first
// instruction on, and no program after it can add to.
func takeOn(u account, rights []uintptr) error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(u.groups), syscall.Setresgid(u.gid, u.gid, u.gid), syscall.Setresuid(u.uid, u.uid, u.uid)); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, right := range rights {
		bit := uint32(1) << (right % 32)
		d := &data[right/32]
		d.Effective, d.Permitted, d.Inheritable = d.Effective|bit, d.Permitted|bit, d.Inheritable|bit
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for _, right := range rights {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, right, 0, 0); err != nil {
			return err
		}
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
