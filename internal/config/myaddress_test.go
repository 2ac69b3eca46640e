package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestAddressesOfMySQLAndMariaDBAreReadAsTheirOwnDriversReadThem(t *testing.T) {
	tests := []struct {
		address string
		want    string // hosts database user password params ignored
	}{
		{"jdbc:mysql://h1:3307,h2/db?user=u&password=p%40x", `[h1:3307 h2:3306] db "u" "p@x" map[] []`},
		{"jdbc:mysql://u:p%3Aq@h/my%20db", `[h:3306] my db "u" "p:q" map[] []`},
		{"jdbc:mysql:replication://h1,h2/db?sslMode=VERIFY_IDENTITY", `[h1:3306 h2:3306] db "" "" map[tls:true] []`},
		{"jdbc:mysql:loadbalance://h1,h2/db", `[h1:3306 h2:3306] db "" "" map[] [loadbalance]`},
		{"jdbc:mysql://address=(host=h1)(port=3307)(type=source),address=(host=::1)/db", `[h1:3307 [::1]:3306] db "" "" map[] []`},
		{"jdbc:mysql://[::1]:3307/db?serverTimezone=UTC&connectTimeout=3000&allowPublicKeyRetrieval=true", `[[::1]:3307] db "" "" map[] []`},
		{"jdbc:mysql:///db", `[localhost:3306] db "" "" map[] []`},
		{"jdbc:mysql://h/db?useSSL=false", `[h:3306] db "" "" map[tls:false] []`},
		{"jdbc:mysql://h/db?useSSL=true", `[h:3306] db "" "" map[] []`},
		{"jdbc:mysql://h/db?useSSL=true&requireSSL=true", `[h:3306] db "" "" map[tls:skip-verify] []`},
		{"jdbc:mysql://h/db?useSSL=true&verifyServerCertificate=true", `[h:3306] db "" "" map[tls:verify-ca] []`},
		{"jdbc:mysql://h/db?sslMode=VERIFY_CA&useSSL=false", `[h:3306] db "" "" map[tls:verify-ca] []`},
		{"jdbc:mysql://h/db?profileSQL=true", `[h:3306] db "" "" map[] [one that is not known]`},
		{"jdbc:mysql://h/db?trustCertificateKeyStoreUrl=file:x.jks", "fault: trustCertificateKeyStoreUrl cannot be translated"},
		{"jdbc:mysql://h/db?socketFactory=x", "fault: socketFactory cannot be translated"},
		{"jdbc:mysql://h/db?sslMode=perhaps", "fault: " + errAddressSSLMode.Error()},
		{"jdbc:mysql+srv://h/db", "fault: " + errAddressSRV.Error()},
		{"jdbc:mysql:h/db", "fault: " + errAddressForm.Error()},
		{"jdbc:mysql:perhaps://h/db", "fault: " + errAddressForm.Error()},
		{"jdbc:mysql://h", "fault: " + errAddressDatabase.Error()},
		{"jdbc:mysql://h:x/db", "fault: " + errAddressPort.Error()},
		{"jdbc:mysql://(host=h,port=1)/db", "fault: " + errMyAddressBrace.Error()},
		{"jdbc:mysql://address=(host=h)(user=u)/db", "fault: " + errMyAddressBrace.Error()},
		{"jdbc:mysql://u:a/b@h/db", "fault: " + errAddressAt.Error()},
		{"jdbc:mysql://h/db?password=%zz", "fault: " + errAddressEscape.Error()},
		{"jdbc:mariadb://h1:3307,h2/db?user=u&password=p%40+x", `[h1:3307 h2:3306] db "u" "p%40+x" map[] []`},
		{"jdbc:mariadb:sequential://h1,h2/a%20b", `[h1:3306 h2:3306] a%20b "" "" map[] []`},
		{"jdbc:mariadb:aurora://h/db", `[h:3306] db "" "" map[] [aurora]`},
		{"jdbc:mariadb://h/db?useSsl=true", `[h:3306] db "" "" map[tls:true] []`},
		{"jdbc:mariadb://h/db?useSSL=true&trustServerCertificate=true", `[h:3306] db "" "" map[tls:skip-verify] []`},
		{"jdbc:mariadb://h/db?useSSL=true&disableSslHostnameVerification=true&serverSslCert=/x/ca.pem", `[h:3306] db "" "" map[tls:verify-ca tlsCA:/x/ca.pem] []`},
		{"jdbc:mariadb://h/db?sslMode=verify-full&serverSslCert=classpath:ca.pem", "fault: serverSslCert cannot be translated"},
		{"jdbc:mariadb://h/db?sslMode=trust&localSocket=/run/m.sock", `[h:3306] db "" "" map[socket:/run/m.sock tls:skip-verify] []`},
		{"jdbc:mariadb://u:p@h/db", "fault: " + errAddressAt.Error()},
		{"mysql://u:p%40ss@h1,h2:3307/db?tls=verify-ca&tlsCA=/x/ca.pem", `[h1:3306 h2:3307] db "u" "p@ss" map[tls:verify-ca tlsCA:/x/ca.pem] []`},
		{"mariadb://h/db?user=x&password=y", `[h:3306] db "x" "y" map[] []`},
		{"mysql://h/db?tls=perhaps", "fault: " + errAddressTLS.Error()},
		{"mysql://h/db?sslMode=DISABLED", "fault: a parameter is none of"},
		{"mysql://h/", "fault: " + errAddressDatabase.Error()},
		{"mysql://u:12/3@h/db", "fault: " + errAddressAt.Error()},
		{"mysql://u:12?3@h/db", "fault: " + errAddressAt.Error()},
		{"mysql://u:%zz@h/db", "fault: " + errAddressEscape.Error()},
		{"mysql://::1/db", "fault: " + errAddressBracket.Error()},
	}
	for _, tc := range tests {
		parse := parseMyURL
		switch {
		case strings.HasPrefix(tc.address, "jdbc:mysql"):
			parse = parseJDBCMySQL
		case strings.HasPrefix(tc.address, "jdbc:mariadb"):
			parse = parseJDBCMariaDB
		}
		a, err := parse(tc.address)
		got := fmt.Sprintf("%v %s %q %q %v %v", a.hosts, a.database, a.user, a.password, a.params, a.ignored)
		if err != nil {
			got = "fault: " + err.Error()
		}
		if got != tc.want && !(err != nil && strings.HasPrefix(got, tc.want)) {
			t.Errorf("%s\n got %s\nwant %s", tc.address, got, tc.want)
		}
	}
}

// The node's own settings, as both drivers and HikariCP have them.
func TestNodesWithMySQLOrMariaDBKeepTheirLeaseThere(t *testing.T) {
	r := newRoom(t)
	for text, want := range map[string]string{
		`dataSourceProperties { dataSourceClassName = "com.mysql.cj.jdbc.MysqlDataSource", dataSource { url = "jdbc:mysql://db1,db2/x", user = u, password = "p@:/?" } }`: "mysql db1:3306,db2:3306/x mysql://u:p%40%3A%2F%3F@db1:3306,db2:3306/x",
		`dataSourceProperties { dataSourceClassName = "org.mariadb.jdbc.MariaDbDataSource", "dataSource.url" = "jdbc:mariadb://db/x?user=a%40b&password=p" }`:             "mariadb db:3306/x mariadb://a%2540b:p@db:3306/x",
		`dataSourceProperties { dataSourceClassName = "org.mariadb.jdbc.MariaDbDataSource", "dataSource.url" = "jdbc:mysql://db/x?password=%41", "dataSource.user" = u }`: "mariadb db:3306/x mariadb://u:%2541@db:3306/x",
		`dataSourceProperties { dataSourceClassName = "com.mysql.cj.jdbc.MysqlDataSource", "dataSource.url" = "jdbc:mysql://db/x?password=%41&sslMode=REQUIRED" }`:        "mysql db:3306/x mysql://:A@db:3306/x?tls=skip-verify",
		`hotcold.database { url = "mariadb://a:geheim@db/x?tls=true&tlsCA=ca.pem", user = b }`:                                                                            "mariadb db:3306/x mariadb://b:@db:3306/x?tls=true&tlsCA=" + strings.ReplaceAll(r.dir, "/", "%2F") + "%2Fca.pem",
	} {
		c := r.mustLoad("hotcold { name = pair, node.command = [/bin/true] }\n" + text)
		if got := c.Database.String() + " " + c.Database.DSN.Reveal(); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}
