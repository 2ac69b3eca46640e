package cli_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hotcold/hotcold/internal/testserver"
)

// Twins and no twins, with two agents on a real PostgreSQL.
func TestTheCommandLineOnPostgres(t *testing.T) {
	server := testserver.Postgres(t, testserver.NoFsync())
	testscript.Run(t, testscript.Params{
		Dir: "testdata/postgres", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
		Setup: func(e *testscript.Env) error {
			e.Setenv("DB", server.DSN())
			return nil
		},
	})
}
