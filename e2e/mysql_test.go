package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// The goal: the settings of a node's own driver are enough for its pair, on a MySQL and on a MariaDB. The method: a node.conf
// with the driver's address, from which both agents take theirs; the hot machine dies, and is switched to and fro.
func TestAPairTakesItsLeaseFromTheMySQLOfTheNode(t *testing.T) {
	for name, c := range map[string]struct {
		server func(testing.TB) *testserver.MySQLServer
		class  string
	}{
		"mysql":   {testserver.SharedMySQL, "com.mysql.cj.jdbc.MysqlDataSource"},
		"mariadb": {testserver.SharedMariaDB, "org.mariadb.jdbc.MariaDbDataSource"},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(c.server(t).CreateDatabase(t, "node_of_a_pair"))
			if err != nil {
				t.Fatal(err)
			}
			p := newPair(t, sleeperNode)
			for _, m := range p.machines() {
				m.useSleeper()
				m.configureByNode(c.class, "jdbc:"+name, u)
			}
			p.startBoth()
			hot, _ := p.settle()
			cold := p.other(hot)
			if got := cold.run("switchover"); got.code != 0 {
				t.Fatalf("switchover ended with %d: %s", got.code, got.stderr)
			}
			cold.awaitState(settleLimit, "to be hot", func(s state) bool { return s.Hot })
			cold.crash()
			hot.awaitState(settleLimit, "to be hot again", func(s state) bool { return s.Hot })
		})
	}
}

// configureByNode writes a node.conf with the settings of a driver, and a configuration that includes it and names no database.
func (m *machine) configureByNode(class, scheme string, u *url.URL) {
	m.t.Helper()
	password, _ := u.User.Password()
	node := fmt.Sprintf(`dataSourceProperties {
  dataSourceClassName = %q
  dataSource { url = "%s://%s%s?sslMode=DISABLED", user = %q, password = %q }
}
`, class, scheme, u.Host, u.Path, u.User.Username(), password)
	body := strings.Replace(sleeperConfig(m, ""), "  database.url = \"\"\n", "", 1)
	m.configure(body)
	conf, err := os.ReadFile(m.conf)
	if err != nil {
		m.t.Fatal(err)
	}
	for file, text := range map[string]string{filepath.Join(filepath.Dir(m.conf), "node.conf"): node, m.conf: "include \"node.conf\"\n" + string(conf)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
}
