package cli_test

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcold/hotcold/internal/testserver"
)

// The same commands, with the lease and the board in a real etcd.
func TestTheCommandLineOnEtcd(t *testing.T) {
	server := testserver.Etcd(t, 3)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/etcd", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
		Setup: func(e *testscript.Env) error {
			e.Setenv("ETCD", "etcd://"+strings.Join(server.Addrs(), ",")+"/pair")
			return nil
		},
	})
}
