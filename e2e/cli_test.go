package e2e

import (
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcold/hotcold/internal/testserver"
)

// The scripts in testdata run the program as a person does at a prompt. Beside
// the commands of testscript they have
//
//	exits CODE PROGRAM ARGUMENT...
//
// which wants this exit code, and fails on anything that looks like a crash.
// Their environment names a database of the script's own: $DB as its owner, $POOR
// as a role that may only log in, $WRONG with a wrong password, $NOWHERE where
// nobody listens, $NODB where there is no such database; and $TAKEN, a port on
// which somebody listens.
func TestScripts(t *testing.T) {
	server := testserver.SharedPostgres(t)
	program := hotcold(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		WorkdirRoot:   testserver.Dir(t),
		Setup:         func(env *testscript.Env) error { return setUpScript(t, env, server, program) },
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		UpdateScripts: os.Getenv("HOTCOLD_UPDATE") == "1",
	})
}

func setUpScript(t *testing.T, env *testscript.Env, server *testserver.PostgresServer, program string) error {
	name := strings.NewReplacer("-", "_", ".", "_").Replace(filepath.Base(env.WorkDir))
	dsn := server.CreateDatabase(t, name)
	poor := "poor_" + name
	server.Exec(t, "CREATE ROLE "+poor+" LOGIN PASSWORD 'poverty'")
	t.Cleanup(func() { server.Exec(t, "DROP ROLE "+poor) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = listener.Close() })
	address, err := url.Parse(dsn)
	if err != nil {
		return err
	}
	as := func(change func(u *url.URL)) string {
		u := *address
		change(&u)
		return u.String()
	}
	env.Setenv("DB", dsn)
	env.Setenv("POOR", as(func(u *url.URL) { u.User = url.UserPassword(poor, "poverty") }))
	env.Setenv("POORROLE", poor)
	env.Setenv("WRONG", as(func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "a-wrong-password") }))
	env.Setenv("NODB", as(func(u *url.URL) { u.Path = "/nosuch" }))
	env.Setenv("NOWHERE", as(func(u *url.URL) { u.Host = loopback(testserver.FreePort(t)) }))
	env.Setenv("TAKEN", listener.Addr().String())
	env.Setenv("FREE", loopback(testserver.FreePort(t)))
	env.Setenv("SECRET", server.Password())
	env.Setenv("PATH", filepath.Dir(program)+":/usr/bin:/bin")
	return nil
}

// exits runs a program and wants an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	stderr := ts.ReadFile("stderr")
	if trace := stackTrace.FindString(stderr); trace != "" {
		ts.Fatalf("it crashed: %s", trace)
	}
	if secret := ts.Getenv("SECRET"); strings.Contains(stderr+ts.ReadFile("stdout"), secret) {
		ts.Fatalf("it shows a password")
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}
