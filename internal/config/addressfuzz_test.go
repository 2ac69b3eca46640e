package config

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzAddresses gives any text to every reader of addresses: none may panic, and what is
// taken names a host and can be handed on.
func FuzzAddresses(f *testing.F) {
	for _, dialect := range jdbcDialects() {
		for _, text := range dialect.table {
			f.Add(text)
		}
	}
	for _, text := range []string{
		"postgres://u:p@h1,h2:5433/db?sslmode=require", "mysql://u:p@h/db?tls=true", "sqlserver://u:p@h/INST?database=d", "oracle://u:p@h1,h2:1522/svc?ssl=true",
		"jdbc:oracle:thin:@" + strings.Repeat("(A=", 40), "jdbc:oracle:thin:@(DESCRIPTION=" + strings.Repeat("(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1))", 40) + ")",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, read := range addressReaders() {
			d, err := read(text)
			if err != nil {
				continue
			}
			if len(d.Hosts) == 0 || d.DSN.Empty() {
				t.Errorf("%s took %q, and made no address of it", name, text)
			}
		}
	})
}

// addressReaders are all readers of addresses, up to what the drivers are given.
func addressReaders() map[string]func(string) (Database, error) {
	return map[string]func(string) (Database, error){
		"jdbc:postgresql": func(s string) (Database, error) { a, err := parseJDBCPostgres(s); return made(a.toDatabase, err) },
		"postgres":        func(s string) (Database, error) { a, err := parsePostgresURL(s); return made(a.toDatabase, err) },
		"jdbc:mysql": func(s string) (Database, error) {
			a, err := parseJDBCMySQL(s)
			return made(func() Database { return a.toDatabase(DialectMySQL) }, err)
		},
		"jdbc:mariadb": func(s string) (Database, error) {
			a, err := parseJDBCMariaDB(s)
			return made(func() Database { return a.toDatabase(DialectMariaDB) }, err)
		},
		"mysql": func(s string) (Database, error) {
			a, err := parseMyURL(s)
			return made(func() Database { return a.toDatabase(DialectMySQL) }, err)
		},
		"jdbc:sqlserver": func(s string) (Database, error) { a, err := parseJDBCSQLServer(s); return made(a.toDatabase, err) },
		"sqlserver":      func(s string) (Database, error) { a, err := parseSQLServerURL(s); return made(a.toDatabase, err) },
		"jdbc:oracle":    func(s string) (Database, error) { a, err := parseJDBCOracle(s); return made(a.toDatabase, err) },
		"oracle":         func(s string) (Database, error) { a, err := parseOracleURL(s); return made(a.toDatabase, err) },
	}
}

func made(make func() Database, err error) (Database, error) {
	if err != nil {
		return Database{}, err
	}
	return make(), nil
}

// A password in every place of an address and of a data source where one may stand, well written or not: no fault, no
// warning and no rendering shows it.
func TestNoAddressShowsItsPassword(t *testing.T) {
	r := newRoom(t)
	rapid.Check(t, func(rt *rapid.T) {
		middle := rapid.StringOfN(rapid.SampledFrom([]rune(`az09 @:/?#&=%$'()"{}[],;+-_.\`)), 0, 8, -1).Draw(rt, "middle")
		secret := marker + middle + marker
		escaped := url.QueryEscape(secret)
		address := rapid.SampledFrom([]string{
			"jdbc:oracle:thin:u/" + secret + "@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1))(CONNECT_DATA=(SID=x)))",
			"jdbc:oracle:thin:u/" + secret + "@//h1,h2:1522/svc", "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1))(PASSWORD=" + secret + ")(CONNECT_DATA=(SID=x)))",
			"oracle://u:" + escaped + "@h/svc", "jdbc:sqlserver://h;user=u;password=" + secret, "jdbc:sqlserver://h;user=u;password={" + strings.ReplaceAll(secret, "}", "}}") + "}",
			"sqlserver://u:" + escaped + "@h", "jdbc:mysql://u:" + escaped + "@h/db", "jdbc:mysql://u:" + secret + "@h/db", "jdbc:mysql://h/db?password=" + secret,
			"jdbc:mariadb://h/db?password=" + secret, "mysql://u:" + escaped + "@h/db", "jdbc:postgresql://h/db?password=" + secret, "jdbc:postgresql://h/db?sslmode=" + secret,
		}).Draw(rt, "address")
		class := rapid.SampledFrom([]string{
			"org.postgresql.ds.PGSimpleDataSource", "com.mysql.cj.jdbc.MysqlDataSource", "org.mariadb.jdbc.MariaDbDataSource", "com.microsoft.sqlserver.jdbc.SQLServerDataSource",
			"oracle.jdbc.pool.OracleDataSource", "com.example.OtherDataSource",
		}).Draw(rt, "class")
		source := rapid.SampledFrom([]string{
			"jdbcUrl = " + quote(address), "jdbcUrl = \"jdbc:postgresql://h/d\", username = u, password = " + quote(secret),
			"dataSourceClassName = " + quote(class) + ", dataSource.url = " + quote(address),
			"dataSourceClassName = " + quote(class) + ", dataSource { serverName = h, portNumber = 1, databaseName = d, user = u, password = " + quote(secret) + " }",
			"dataSourceClassName = " + quote(class) + ", dataSource { serverName = h, portNumber = 1, databaseName = d, sslPassword = " + quote(secret) + ", trustStorePassword = " + quote(secret) + " }",
			"dataSourceClassName = " + quote(class) + ", dataSource { databaseName = d, properties = " + quote("user=u&password="+secret) + " }",
		}).Draw(rt, "source")
		r.file("hotcold.conf", "hotcold { name = pair, node.command = [/bin/true] }\ndataSourceProperties { "+source+" }\n")
		c, err := r.load("hotcold.conf")
		text := ""
		if err != nil {
			text = err.Error() + renderings(err)
		} else {
			text = renderings(c) + renderings(*c) + warningsOf(c) + c.Database.String()
		}
		if leaks(text) {
			rt.Fatalf("%s\nshows the secret %q: %s", source, secret, around(text))
		}
	})
}
