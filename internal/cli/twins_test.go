package cli_test

import (
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// Twins and no twins, with two agents on a real PostgreSQL.
func TestTheCommandLineOnPostgres(t *testing.T) {
	server := testserver.Postgres(t, testserver.NoFsync())
	runScripts(t, "testdata/postgres", map[string]string{"DB": server.DSN()})
}
