package config

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// sourceCase is a data source and its properties, as node.conf has them.
type sourceCase struct{ class, properties string }

func sourceCases(driver string) (cases []sourceCase) {
	const postgres, maria, mysql = "org.postgresql.ds.PGSimpleDataSource", "org.mariadb.jdbc.MariaDbDataSource", "com.mysql.cj.jdbc.MysqlDataSource"
	const server, oracle = "com.microsoft.sqlserver.jdbc.SQLServerDataSource", "oracle.jdbc.pool.OracleDataSource"
	for class, all := range map[string]string{
		postgres: `databaseName=db|serverName=h|serverName=h portNumber=0 databaseName=d|serverNames=h1,h2 portNumbers=1,2 databaseName=d|serverNames=h1,h2 databaseName=d
serverNames=h1,h2 portNumber=7|serverName=h databaseName=a/b sslMode=require currentSchema=s|serverName=h databaseName=d ssl=true sslmode=verify-ca sslRootCert=/x
serverName=[::1] databaseName=d|serverName=h databaseName=a+b|serverName=h ssl=true|serverName=h ssl=false|url=jdbc:postgresql://h/d|serverName=h portNumber=5433 databaseName=d?x
serverName=h databaseName=d sslmode=perhaps|url=jdbc:postgresql://h/d?user=a sslmode=require|url=jdbc:postgresql://h/d?sslmode=disable sslmode=require`,
		maria: `serverName=h databaseName=d|databaseName=d|serverName=h port=1 databaseName=d|serverName=h portNumber=2 databaseName=d|url=jdbc:mariadb://h/d
serverName=h databaseName=d properties=useSsl=true&connectTimeout=3|serverName=h`,
		mysql: `serverName=h databaseName=d|databaseName=d|serverName=h port=1 databaseName=d sslMode=REQUIRED useSSL=true|serverName=h portNumber=3 databaseName=a+b
serverName=h1,h2 databaseName=d|url=jdbc:mysql://h/d|url=jdbc:mysql://h/d?sslMode=REQUIRED sslMode=VERIFY_CA|serverName=h databaseName=d?x|serverName=::1 databaseName=d`,
		server: `serverName=h\inst databaseName=d|serverName=h instanceName=inst portNumber=1 databaseName=d encrypt=false trustServerCertificate=true multiSubnetFailover=true
URL=jdbc:sqlserver://a;databaseName=x serverName=h databaseName=d|url=jdbc:sqlserver://a;databaseName=x encrypt=strict|databaseName=d|serverName=::1 databaseName=d
serverName=h databaseName=a;b|serverName=h databaseName=a}b{c|serverName=h failoverPartner=p databaseName=d|serverName=h hostNameInCertificate=*.example.com`,
		oracle: `serverName=h serviceName=s|serverName=h portNumber=3 databaseName=s driverType=thin|serverName=h portNumber=3 databaseName=s serviceName=t driverType=thin networkProtocol=tcps
serverName=h portNumber=3 databaseName=s driverType=oci|portNumber=3 databaseName=s driverType=thin|serverName=h databaseName=s driverType=thin|serverName=h portNumber=3 driverType=thin
URL=jdbc:oracle:thin:@h/x serverName=g serviceName=y driverType=thin|url=jdbc:oracle:thin:@h/x|tNSEntryName=a driverType=thin|serverName=::1 portNumber=3 serviceName=t driverType=thin
serverName=h portNumber=3 serviceName=t)(A=b driverType=thin`,
	} {
		if sourceFamily(class) == strings.TrimSuffix(driver, "2") {
			for _, one := range strings.FieldsFunc(all, func(r rune) bool { return r == '|' || r == '\n' }) {
				cases = append(cases, sourceCase{class, one})
			}
		}
	}
	return cases
}

// compareParts gives the real data sources their properties as HikariCP does, and has them tell the address that they
// would connect to. MariaDB's since release 3 has no parts.
func compareParts(t *testing.T, d *jdbcDriver, dialect jdbcDialect) {
	cases, both := sourceCases(dialect.driver), 0
	for _, tc := range cases {
		answer, fault := d.ask(append([]string{"parts", tc.class}, strings.Split(tc.properties, " ")...)...)
		parts := map[string]string{}
		for pair := range strings.SplitSeq(tc.properties, " ") {
			name, value, _ := strings.Cut(pair, "=")
			parts[strings.ToLower(name)] = value
		}
		address := parts["url"]
		delete(parts, "url")
		text, err := assemble(sourceFamily(strings.ToLower(tc.class)), address, parts)
		var ours jdbcReading
		if err == nil {
			ours, err = dialect.ours(text)
		}
		switch {
		case err != nil:
			t.Logf("%s is refused: %v", tc.properties, err)
		case fault != "":
			t.Errorf("%s\nis taken by us, and not by the data source: %s", tc.properties, fault)
		default:
			both++
			theirs := dialect.theirs(answer)
			theirs["user"] = cmp.Or(theirs["user"], strings.TrimPrefix(answer["getUser"], "null"))
			if different := dialect.differences(ours, theirs); len(different) > 0 {
				t.Errorf("%s\n%s", tc.properties, strings.Join(different, "\n"))
			}
		}
	}
	if both < len(cases)/3 {
		t.Errorf("of %d data sources only %d were taken by both", len(cases), both)
	}
}

// Flat and nested keys are one, and what is wrong is told at its place.
func TestDataSourcesGivenInPartsKeepTheLease(t *testing.T) {
	r := newRoom(t)
	const head = "hotcold { name = pair, node.command = [/bin/true] }\n"
	for text, want := range map[string]string{
		`{ dataSourceClassName = "org.postgresql.ds.PGSimpleDataSource", dataSource { serverName = h, portNumber = 5433, databaseName = d, user = u, password = p } }`:                 "postgres h:5433/d u",
		`{ dataSourceClassName = "org.postgresql.ds.PGSimpleDataSource", "dataSource.serverNames" = [a, b], "dataSource.portNumbers" = [1, 2], "dataSource.databaseName" = d }`:        "postgres a:1,b:2/d ",
		`{ dataSourceClassName = "com.microsoft.sqlserver.jdbc.SQLServerDataSource", "dataSource.serverName" = h, dataSource.databaseName = d, username = pool, dataSource.user = u }`: "sqlserver h:1433/d pool",
		`{ dataSourceClassName = "oracle.jdbc.pool.OracleDataSource", dataSource { serverName = h, portNumber = 1522, serviceName = s, driverType = thin } }`:                          "oracle h:1522/s ",
		`{ jdbcUrl = "jdbc:postgresql://h/d", username = u, password = p, driverClassName = "org.postgresql.Driver" }`:                                                                 "postgres h:5432/d u",
		`{ jdbcUrl = "jdbc:mysql://h/d", driverClassName = "org.mariadb.jdbc.Driver" }`:                                                                                                "mariadb h:3306/d ",
	} {
		c := r.mustLoad(head + "dataSourceProperties " + text)
		if got := c.Database.String() + " " + c.Database.User; got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if warnings := warningsOf(c); strings.Contains(warnings, "address") {
			t.Errorf("%s\nwarns: %s", text, warnings)
		}
	}
	for text, want := range map[string]string{
		`{ dataSourceClassName = "org.postgresql.ds.PGSimpleDataSource", dataSource { serverNames = "a,b", portNumbers = "1" } }`: "hotcold.conf:2:",
		`{ dataSourceClassName = "oracle.jdbc.pool.OracleDataSource", dataSource { serverName = a } }`:                            errPartsOracle.Error(),
		// TLS that is asked for beside the address is not passed over.
		`{ jdbcUrl = "jdbc:postgresql://h/d", dataSource { ssl = true, sslmode = verify-full, cachePrepStmts = true } }`: "hotcold.conf:2:34: dataSourceProperties.jdbcUrl: stands beside properties that hotcold does not hand to its driver: dataSource.ssl, dataSource.sslmode; write them into jdbcUrl",
	} {
		if got := r.faults(head + "dataSourceProperties " + text); len(got) != 1 || !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%s\n got %q\nwant %s", text, got, want)
		}
	}
}
