package sqlstore_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease/notice"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

var update = flag.Bool("update", false, "write the golden files anew")

// role makes a login that may do nothing, and returns the address under it.
func role(t *testing.T, server *testserver.PostgresServer, dsn string) (name, as string) {
	t.Helper()
	name = fmt.Sprintf("agent_%x", nameCounter.Add(1))
	do(t, dsn, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", name, server.Password()))
	t.Cleanup(func() { do(t, dsn, "DROP OWNED BY "+name, "DROP ROLE "+name) })
	c, err := pgx.ParseConfig(dsn)
	must(t, err)
	return name, strings.Replace(dsn, c.User+":", name+":", 1)
}

// psql runs a script as an administrator does.
func psql(t *testing.T, dsn, script string, args ...string) {
	t.Helper()
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
	if err != nil || len(programs) == 0 {
		t.Skip("there is no psql")
	}
	file := filepath.Join(t.TempDir(), "schema.sql")
	must(t, os.WriteFile(file, []byte(script), 0o600))
	c, err := pgx.ParseConfig(dsn)
	must(t, err)
	cmd := exec.Command(programs[0], append([]string{"-X", "-v", "ON_ERROR_STOP=1", "-f", file}, args...)...)
	cmd.Env = []string{"PGHOST=" + c.Host, fmt.Sprint("PGPORT=", c.Port), "PGUSER=" + c.User, "PGPASSWORD=" + c.Password, "PGDATABASE=" + c.Database}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

// The goal: an administrator makes the tables, and an agent whose role may not do
// so works with them. Each step of the way says what is missing.
func TestAnAgentWithoutRightsSaysWhatAnAdministratorHasToDo(t *testing.T) {
	server := testserver.SharedPostgres(t)
	dsn := database(t)
	name, as := role(t, server, dsn)
	db := openPostgres(t, as)

	_, err := db.Read(t.Context(), "node")
	silent(t, server, err)
	var schema *sqlstore.SchemaError
	if !errors.As(err, &schema) || len(schema.Missing) != 5 || !errors.Is(err, sqlstore.ErrRights) {
		t.Fatalf("no tables, no right to create: %v, want a SchemaError with five tables", err)
	}
	for _, word := range []string{"hotcold_lease", "hotcold_request", "hotcold schema --print"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}

	script, err := sqlstore.Schema(sqlstore.Postgres, "")
	must(t, err)
	tables := script[:strings.Index(script, "GRANT")]
	psql(t, dsn, tables)
	do(t, dsn, "GRANT SELECT, INSERT ON hotcold_lease, hotcold_instance TO "+name)
	_, err = db.Read(t.Context(), "node")
	var rights *sqlstore.RightsError
	if !errors.As(err, &rights) || !errors.Is(err, sqlstore.ErrRights) {
		t.Fatalf("tables without rights: %v, want a RightsError", err)
	}
	text := strings.Join(rights.Missing, ", ")
	for _, word := range []string{"UPDATE on hotcold_lease", "DELETE on hotcold_instance", "SELECT on hotcold_meta"} {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not name %q", text, word)
		}
	}
	if strings.Contains(text, "SELECT on hotcold_lease") {
		t.Errorf("%q names a right that was granted", text)
	}

	for range 2 { // a second run changes nothing
		psql(t, dsn, script, "-v", "role="+name)
	}
	held := claimed(t, db, "node")
	swapped(t, db, held, renewal(held))
	must(t, db.Announce(t.Context(), notice.Instance{Lease: "node", ID: "a", Nonce: "1"}))
	must(t, db.Append(t.Context(), notice.Event{Lease: "node", Kind: "hot"}))
	id, err := db.Ask(t.Context(), notice.Request{Lease: "node", Kind: "pause"})
	must(t, err)
	wins(t, db.Accept, id, "a", true)

	do(t, dsn, "REVOKE UPDATE ON hotcold_lease FROM "+name)
	held = observed(t, db, "node")
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.Is(err, sqlstore.ErrRights) || !strings.Contains(err.Error(), "hotcold_lease") {
		t.Fatalf("renewal without the right: %v, want ErrRights", err)
	}
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.As(err, &rights) || len(rights.Missing) != 1 {
		t.Fatalf("the next call: %v, want a RightsError with UPDATE on hotcold_lease", err)
	}
}

func TestTablesThatWereDroppedAreMadeAgainAsAnotherDatabase(t *testing.T) {
	dsn := database(t)
	db := openPostgres(t, dsn)
	held := claimed(t, db, "node")
	do(t, dsn, "DROP TABLE hotcold_lease")
	var schema *sqlstore.SchemaError
	if err := db.Swap(t.Context(), held, renewal(held)); !errors.As(err, &schema) {
		t.Fatalf("renewal without a table: %v, want a SchemaError", err)
	}
	now := observed(t, db, "node")
	if now.Exists || now.Incarnation == held.Incarnation {
		t.Fatalf("a new table was read as %+v", now)
	}
}

func TestManyAgentsMayMakeThePostgresTablesAtOnce(t *testing.T) {
	dsn := database(t)
	var wg sync.WaitGroup
	for range 6 {
		db := openPostgres(t, dsn)
		wg.Go(func() {
			if _, err := db.Read(t.Context(), "node"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestTablesOfAnotherVersionAreRefused(t *testing.T) {
	dsn := database(t)
	claimed(t, openPostgres(t, dsn), "node")
	do(t, dsn, "UPDATE hotcold_meta SET value = '99' WHERE name = 'schema'")
	_, err := openPostgres(t, dsn).Read(t.Context(), "node")
	var schema *sqlstore.SchemaError
	if !errors.As(err, &schema) || schema.Found != "99" || !strings.Contains(err.Error(), `version "99"`) {
		t.Fatalf("read: %v, want a SchemaError with the version", err)
	}
}

func TestAReadOnlyServerIsSaidToBeOne(t *testing.T) {
	dsn := database(t)
	db := openPostgres(t, dsn)
	held := claimed(t, db, "node")
	c, err := pgx.ParseConfig(dsn)
	must(t, err)
	do(t, dsn, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = on", c.Database))
	for name, fresh := range map[string]string{"with tables": dsn, "without tables": dsn + "&search_path=pg_temp"} {
		if _, err := openPostgres(t, fresh).Read(t.Context(), "node"); !errors.Is(err, sqlstore.ErrReadOnly) {
			t.Errorf("%s: read: %v, want ErrReadOnly", name, err)
		}
	}
	swapped(t, db, held, renewal(held)) // its session is from before
}

func TestALoginThatIsRefusedIsSaidToBeOne(t *testing.T) {
	server := testserver.SharedPostgres(t)
	dsn := database(t)
	wrong := strings.Replace(dsn, server.Password(), server.Password()[1:], 1)
	for name, address := range map[string]string{
		"password": wrong,
		"role":     strings.Replace(dsn, "postgres://", "postgres://nobody-", 1),
		"database": strings.Replace(dsn, "/db_", "/none_", 1),
	} {
		_, err := openPostgres(t, address).Read(t.Context(), "node")
		silent(t, server, err)
		if !errors.Is(err, sqlstore.ErrLogin) || strings.Contains(err.Error(), server.Password()[1:]) {
			t.Errorf("wrong %s: %v, want ErrLogin", name, err)
		}
	}
}

func TestAWrongConfigurationIsRefusedWithoutShowingThePassword(t *testing.T) {
	const secret = "s3cr3t"
	for _, c := range []sqlstore.Config{
		{Dialect: "oracle7", DSN: secret},
		{Dialect: sqlstore.Postgres},
		{Dialect: sqlstore.Postgres, DSN: "postgres://u:" + secret + "@h:port/db"},
		{Dialect: sqlstore.Postgres, DSN: "postgres://u:%" + secret + "@h/db"},
		{Dialect: sqlstore.Postgres, DSN: "postgres://u@h/db?password=" + secret + "&sslmode=perhaps"},
		{Dialect: sqlstore.Postgres, DSN: "host=h password=" + secret + " port=x"},
		{Dialect: sqlstore.Postgres, DSN: "host=h password = '" + secret + " port=5432"},
		{Dialect: sqlstore.Postgres, DSN: "postgres://h/db?sslmode=perhaps"},
		{Dialect: sqlstore.Postgres, DSN: "postgres://h/db", TablePrefix: "Robert'); DROP TABLE "},
		{Dialect: sqlstore.Postgres, DSN: "postgres://h/db", Attempt: 1},
		{Dialect: sqlstore.MySQL, DSN: "mysql://u:" + secret + "@h:port/db"},
		{Dialect: sqlstore.MySQL, DSN: "mysql://u:%" + secret + "@h/db"},
		{Dialect: sqlstore.MySQL, DSN: "mysql://u:" + secret + "@h"},
		{Dialect: sqlstore.MySQL, DSN: "mysql://u:" + secret + "@h/db?" + secret + "=1"},
		{Dialect: sqlstore.MySQL, DSN: "mysql://u:" + secret + "@h/db?tls=perhaps"},
		{Dialect: sqlstore.MySQL, DSN: "mysql://u:" + secret + "@h/db?tls=false&cleartext=true"},
		{Dialect: sqlstore.MySQL, DSN: "mysql://u:" + secret + "@h/db?tls=true&tlsCA=/none"},
		{Dialect: sqlstore.MySQL, DSN: "jdbc:mysql://h/db?password=" + secret},
		{Dialect: sqlstore.MariaDB, DSN: "u:" + secret + "@tcp(h:3306)/db"},
		{Dialect: sqlstore.SQLite, DSN: "file:x.db?mode=memory"},
		{Dialect: sqlstore.SQLite, DSN: ":memory:"},
	} {
		db, err := sqlstore.Open(t.Context(), c)
		if err == nil {
			t.Errorf("%#v was taken", c)
			must(t, db.Close())
			continue
		}
		for _, shown := range []string{err.Error(), c.String(), fmt.Sprintf("%v %+v %#v", c, c, c), c.LogValue().String()} {
			if strings.Contains(shown, secret) {
				t.Errorf("the password is shown: %s", shown)
			}
		}
	}
}

func TestTheSchemaOfSQLiteIsComplete(t *testing.T) {
	script, err := sqlstore.Schema(sqlstore.SQLite, "mine_")
	must(t, err)
	file := filepath.Join(t.TempDir(), "lease.db")
	program := newOther(t, file)
	program.run(script)
	db := open(t, sqlstore.Config{Dialect: sqlstore.SQLite, DSN: file, TablePrefix: "mine_"})
	claimed(t, db, "node")
	if _, err := sqlstore.Schema("oracle7", ""); err == nil {
		t.Error("an unknown database has a schema")
	}
}

// Run with -update to write the golden files anew, and say why each line changed.
func TestTheSchemaIsAsItWas(t *testing.T) {
	for _, dialect := range sqlstore.Dialects() {
		got, err := sqlstore.Schema(dialect, "")
		must(t, err)
		file := filepath.Join("testdata", "schema."+dialect+".sql")
		if *update {
			must(t, os.WriteFile(file, []byte(got), 0o644))
		}
		want, err := os.ReadFile(file)
		must(t, err)
		if got != string(want) {
			t.Errorf("%s differs from %s:\n%s", dialect, file, got)
		}
	}
}
