package cli_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcold/hotcold/internal/cli"
)

// TestMain makes this test binary the command `hotcold` of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"hotcold": func() { os.Exit(cli.Main(os.Args, cli.System())) },
	})
}

var update = flag.Bool("update", false, "write what the program says now into the scripts")

// The scripts are what a person at a terminal does and sees.
func TestTheCommandLine(t *testing.T) { runScripts(t, "testdata", nil) }

// runScripts runs the scripts of a folder with these environment variables.
func runScripts(t *testing.T, dir string, vars map[string]string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir, RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", os.Getenv("GORACE")) // a script's environment is its own
			for name, value := range vars {
				e.Setenv(name, value)
			}
			return nil
		},
	})
}

// code runs a command and wants an exit code: code 3 hotcold check.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}
