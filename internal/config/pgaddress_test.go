package config

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestAddressesOfPostgresAreReadAsTheirOwnDriversReadThem(t *testing.T) {
	tests := []struct {
		address string
		want    string // hosts/database user password params ignored
	}{
		{"jdbc:postgresql://h1:5433,h2/db?k=v&k2", `[h1:5433 h2:5432] db "" "" map[] [one that is not known one that is not known]`},
		{"jdbc:postgresql:db", `[localhost:5432] db "" "" map[] []`},
		{"jdbc:postgresql:///", `[localhost:5432]  "" "" map[] []`},
		{"jdbc:postgresql://h", "fault: " + errAddressForms.Error()},
		{"jdbc:postgresql:?user=x", `[localhost:5432]  "x" "" map[] []`},
		{"jdbc:postgresql://[::1]:5433/db", `[[::1]:5433] db "" "" map[] []`},
		{"jdbc:postgresql://h/a%20b?user=u%40x&password=p%26q", `[h:5432] a b "u@x" "p&q" map[] []`},
		{"jdbc:postgresql://h/db?currentSchema=partya&ApplicationName=node&connectTimeout=3", `[h:5432] db "" "" map[search_path:partya] []`},
		{"jdbc:postgresql://h/db?ssl=true", `[h:5432] db "" "" map[sslmode:verify-full] []`},
		{"jdbc:postgresql://h/db?ssl=true&sslmode=require", `[h:5432] db "" "" map[sslmode:require] []`},
		{"jdbc:postgresql://h/db?sslmode=require&ssl=true", `[h:5432] db "" "" map[sslmode:require] []`},
		{"jdbc:postgresql://h/db?ssl=false", `[h:5432] db "" "" map[] []`},
		{"jdbc:postgresql://h/db?sslcert=c.crt&sslkey=k.pk8&sslmode=require", `[h:5432] db "" "" map[sslmode:require] [sslkey]`},
		{"jdbc:postgresql://h/db?targetServerType=master", `[h:5432] db "" "" map[target_session_attrs:primary] []`},
		{"jdbc:postgresql://h/db?targetServerType=secondary&loadBalanceHosts=true", `[h:5432] db "" "" map[] [targetServerType]`},
		{"jdbc:postgresql://h/db?sslfactory=x", `[h:5432] db "" "" map[] [sslfactory]`},
		{"postgres://u:p%40ss@h1,h2:5433/db?sslmode=require", `[h1:5432 h2:5433] db "u" "p@ss" map[sslmode:require] []`},
		{"postgresql:///db?host=/var/run/postgresql&port=5433", `[/var/run/postgresql:5433] db "" "" map[] []`},
		{"postgres:///db?host=h1", `[h1:5432] db "" "" map[] []`},
		{"postgres://u@[fe80::1%25eth0]/db", `fault: a host has characters that no host name has`},
		{"postgres://h/db?user=x&password=y&dbname=z", `[h:5432] z "x" "y" map[] []`},
		{"postgres://h", `[h:5432]  "" "" map[] []`},
		{"postgres://h/a/b", "fault: " + errAddressSlashes.Error()},
		{"postgres://h/%zz", "fault: " + errAddressEscape.Error()},
		{"postgres://u:%zz@h/x", "fault: " + errAddressEscape.Error()},
		{"postgres://::1/db", "fault: " + errAddressBracket.Error()},
		{"postgres://[::1/db", "fault: " + errAddressBracket.Error()},
		{"postgres://h:0/db", "fault: " + errAddressPort.Error()},
		{"postgres://h:65536/db", "fault: " + errAddressPort.Error()},
		{"postgres://u:12/3@h/db", "fault: " + errAddressAt.Error()},
		{"postgres://u:12?3@h/db", "fault: " + errAddressAt.Error()},
		{"jdbc:postgresql://u:p@h/db", "fault: " + errAddressAt.Error()},
		{"jdbc:postgresql://h:x/db", "fault: " + errAddressPort.Error()},
		{"jdbc:postgresql://h/a/b", "fault: " + errAddressSlashes.Error()},
	}
	for _, tc := range tests {
		parse := parsePostgresURL
		if tc.address[0] == 'j' {
			parse = parseJDBCPostgres
		}
		a, err := parse(tc.address)
		got := fmt.Sprintf("%v %s %q %q %v %v", a.hosts, a.database, a.user, a.password, a.params, a.ignored)
		if err != nil {
			got = "fault: " + err.Error()
		}
		if got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.address, got, tc.want)
		}
	}
}

// The real driver reads our connection string as it was meant, whatever characters a password has.
func TestConnectionStringsAreReadByPgx(t *testing.T) {
	for _, password := range []string{"plain", `a'b\c d`, "=%&?@/", `\'`, ""} {
		a := pgAddress{
			hosts: []HostPort{{"db1", 5432}, {"::1", 5433}}, database: "my db", user: "o'brien", password: password,
			params: map[string]string{"search_path": "a b", "sslmode": "disable"},
		}
		d := a.toDatabase()
		cfg, err := pgconn.ParseConfig(d.DSN.Reveal())
		if err != nil {
			t.Fatalf("%q: %v", password, err)
		}
		got := fmt.Sprintf("%s %d %s %s %q %s %s %d", cfg.Host, cfg.Port, cfg.Database, cfg.User, cfg.Password,
			cfg.RuntimeParams["search_path"], cfg.Fallbacks[0].Host, cfg.Fallbacks[0].Port)
		want := fmt.Sprintf("db1 5432 my db o'brien %q a b ::1 5433", password)
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if cfg.ValidateConnect == nil {
			t.Errorf("with two hosts the one that takes writes must be looked for")
		}
		if d.String() != "postgres db1:5432,[::1]:5433/my db" {
			t.Errorf("got %s", d)
		}
	}
}
