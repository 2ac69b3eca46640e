package cli_test

import (
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcold/hotcold/internal/testserver"
)

// A twin by SSH, with a real sshd: what a person sees, and what is refused.
func TestTheCommandLineBySSH(t *testing.T) {
	server := testserver.SSH(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/ssh", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
		Setup: func(e *testscript.Env) error {
			e.Setenv("TO", server.User+"@127.0.0.1:"+strconv.Itoa(server.Port))
			e.Setenv("KEY", server.KeyFile)
			e.Setenv("KNOWN", server.KnownHosts)
			return nil
		},
	})
}
