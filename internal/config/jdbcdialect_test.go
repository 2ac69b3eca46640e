package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

func jdbcDialects() []jdbcDialect {
	maria := jdbcGrammar{
		begin: []string{"jdbc:mariadb://", "jdbc:mariadb://", "jdbc:mariadb:sequential://", "jdbc:mariadb:replication://", "jdbc:mysql://"},
		host:  []string{"h1", "h2.example.com", "10.0.0.1", "[::1]", "address=(host=h3)(port=3307)", "address=(host=h4)(port=3307)(type=master)", ""},
		port:  []string{"", "", ":3307", ":x", ":0"}, hosts: 3,
		database: []string{"/db", "/db", "/a%20b", "/a b", "/", ""},
		param: []string{
			"user=u", "password=p%40x", "password=p+x", "user=", "useSsl=true", "useSSL=false", "useSsl", "trustServerCertificate=true",
			"disableSslHostnameVerification=true", "serverSslCert=/x/ca.pem", "sslMode=verify-ca", "sslMode=VERIFY_IDENTITY", "sslMode=disable",
			"sslMode=trust", "localSocket=/run/m.sock", "connectTimeout=3000", "password=a=b", "user=u", "password=%zz", "useSsl=1", "useSsl=0",
		},
		first: "?", next: "&",
	}
	return []jdbcDialect{
		{
			driver: "postgresql", ours: oursOfPostgres, theirs: theirsOfPostgres,
			table: tableOfPostgres(),
			grammar: jdbcGrammar{
				begin: []string{"jdbc:postgresql://", "jdbc:postgresql://", "jdbc:postgresql:", "jdbc:postgresql:/"},
				host:  []string{"h1", "h2.example.com", "10.0.0.1", "[::1]", "[fe80::1]", "", "h_3"}, hosts: 3,
				port:     []string{"", "", ":5433", ":65535", ":0", ":x", ":"},
				database: []string{"/db", "/db", "/a%20b", "/a+b", "/a/b", "/", "", "/%C3%BC", "/%zz"},
				param: []string{
					"user=u", "user=u%40x", "password=p%26q", "password=p+q", "password=", "ssl=true", "ssl=false", "ssl", "ssl=TRUE", "ssl=no",
					"sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "sslmode=disable", "sslmode=prefer", "sslmode=allow", "sslmode=VERIFY-CA",
					"sslmode=", "currentSchema=a", "currentSchema=a,b", "targetServerType=primary", "targetServerType=any", "sslrootcert=/x/ca.pem",
					"options=-c%20a=b", "connectTimeout=3", "", "=x", "user", "PGDBNAME=other", "PGHOST=h9", "PGPORT=99", "password=a=b", "sslmode=perhaps",
				},
				first: "?", next: "&",
			},
		},
		{driver: "mariadb2", ours: oursOfMySQL(parseJDBCMariaDB), theirs: theirsOfMySQL, stricter: true, more: modeOfRelease3, grammar: maria, table: tableOfMariaDB()},
		{driver: "mariadb3", ours: oursOfMySQL(parseJDBCMariaDB), theirs: theirsOfMySQL, stricter: true, more: schemeOfRelease2, grammar: maria, table: tableOfMariaDB()},
		{
			driver: "mysql", ours: oursOfMySQL(parseJDBCMySQL), theirs: theirsOfMySQL, table: tableOfMySQL(),
			grammar: jdbcGrammar{
				begin: []string{"jdbc:mysql://", "jdbc:mysql://", "jdbc:mysql:replication://", "jdbc:mysql:loadbalance://", "jdbc:mysql://u:p%40q@"},
				host: []string{
					"h1", "h2.example.com", "10.0.0.1", "[::1]", "address=(host=h3)(port=3307)", "address=(host=h4)", "(host=h5,port=3308)", "u2:p2@h6", "",
				},
				port: []string{"", "", ":3307", ":x", ":0"}, hosts: 3,
				database: []string{"/db", "/db", "/a%20b", "/a+b", "/", ""},
				param: []string{
					"user=u", "password=p%40x", "password=p+x", "user=", "useSSL=true", "useSSL=false", "useSSL", "requireSSL=true", "requireSSL=false",
					"verifyServerCertificate=true", "sslMode=VERIFY_CA", "sslMode=verify_identity", "sslMode=DISABLED", "sslMode=REQUIRED", "sslMode=PREFERRED",
					"connectTimeout=3000", "password=a=b", "password=%zz", "useSSL=yes", "useSSL=no", "user=u",
				},
				first: "?", next: "&",
			},
		},
		{
			driver: "sqlserver", ours: oursOfSQLServer, theirs: theirsOfSQLServer, table: tableOfSQLServer(),
			grammar: jdbcGrammar{
				begin: []string{"jdbc:sqlserver://"},
				host:  []string{"h1", "h2.example.com", "10.0.0.1", "[::1]", "", `h\INST`, `h\IN-ST`}, hosts: 1,
				port:     []string{"", "", ":1444", ":x", ":0", ":"},
				database: []string{"", ";", "; "},
				param: []string{
					"databaseName=d", "DATABASE=d2", "user=u", "userName=v", "password={a;b}}c}", "password=p q", "password= p ", "password={a}", "password=a{b}",
					"encrypt=true", "encrypt=false", "encrypt=strict", "encrypt=optional", "encrypt=no", "encrypt=yes", "encrypt=", "trustServerCertificate=true",
					"trustServerCertificate=false", "hostNameInCertificate=*.example.com", "serverName=h9", "server=h8", "portNumber=1500", "port=1600",
					"instanceName=OTHER", "multiSubnetFailover=true", "loginTimeout=30", "x", "password={a", "user={b};", " user =w", "password={}", "serverName={h7}",
					"failoverPartner=p", "applicationName=a=b",
				},
				first: ";", next: ";",
			},
		},
		{
			driver: "oracle", ours: oursOfOracle, theirs: theirsOfOracle, table: tableOfOracle(), other: drawDescriptor,
			grammar: jdbcGrammar{
				begin: []string{
					"jdbc:oracle:thin:@", "jdbc:oracle:thin:@//", "jdbc:oracle:thin:u/p@", "jdbc:oracle:thin:u/p@//", "jdbc:oracle:thin:@tcp://", "jdbc:oracle:thin:@tcps://",
					"jdbc:oracle:thin:@tcps:",
				},
				host: []string{"h1", "h2.example.com", "10.0.0.1", "[::1]", "h3"}, hosts: 3,
				port:     []string{"", "", ":1522", ":1523", ":1524", ":x"},
				database: []string{"/svc", "/svc", "/svc", "/svc", "/svc.example.com", ":SID", "/svc:dedicated", "/svc/inst", "/", "", ":dedicated", "/svc:shared/inst"},
				param:    []string{"connect_timeout=3", "retry_count=3", "ssl_server_dn_match=off", "failover=on", "ssl_server_cert_dn=\"cn=a\"", "load_balance=off"},
				first:    "?", next: "&",
			},
		},
	}
}

// schemeOfRelease2 allows jdbc:mysql: for MariaDB's driver: release 3 wants to be asked for it, release 2 does not.
func schemeOfRelease2(text, _ string) bool { return strings.HasPrefix(text, "jdbc:mysql:") }

// modeOfRelease3 allows load-balance, which release 2 does not know.
func modeOfRelease3(text, _ string) bool {
	return strings.HasPrefix(text, "jdbc:mariadb:load-balance:")
}

func oursOfPostgres(text string) (jdbcReading, error) {
	a, err := parseJDBCPostgres(text)
	return jdbcReading{
		"hosts": hostList(a.hosts), "database": a.database, "user": a.user, "password": a.password, "tls": cmp.Or(a.params["sslmode"], "prefer"),
		"currentSchema": a.params["search_path"], "sslrootcert": a.params["sslrootcert"], "options": a.params["options"],
	}, err
}

func theirsOfPostgres(answer map[string]string) jdbcReading {
	r := jdbcReading(answer)
	r["hosts"] = strings.ReplaceAll(","+r["hosts"], ",:", ",localhost:")[1:] // what Java makes of an empty name
	r["tls"] = strings.ReplaceAll(strings.ToLower(r["tls"]), "_", "-")
	return r
}

func oursOfMySQL(parse func(string) (myAddress, error)) func(string) (jdbcReading, error) {
	return func(text string) (jdbcReading, error) {
		a, err := parse(text)
		return jdbcReading{
			"hosts": hostList(a.hosts), "database": a.database, "user": a.user, "password": a.password, "tls": cmp.Or(a.params["tls"], "preferred"),
			"serverSslCert": a.params["tlsCA"], "localSocket": a.params["socket"],
		}, err
	}
}

func theirsOfMySQL(answer map[string]string) jdbcReading {
	r := jdbcReading(answer)
	r["hosts"] = bracketedHosts(r["hosts"])
	r["tls"] = map[string]string{
		"DISABLE": "false", "PREFERRED": "preferred", "DISABLED": "false", "TRUST": "skip-verify", "REQUIRED": "skip-verify",
		"VERIFY_CA": "verify-ca", "VERIFY_FULL": "true", "VERIFY_IDENTITY": "true",
	}[r["tls"]]
	return r
}

// bracketedHosts writes "::1:3306" as "[::1]:3306". MariaDB's driver 2 makes port 0 of an IPv6 address without one,
// and of no host at all none: a node with either cannot run.
func bracketedHosts(text string) string {
	var hosts []string
	for host := range strings.SplitSeq(cmp.Or(text, "localhost:3306"), ",") {
		at := strings.LastIndex(host, ":")
		port := host[at:]
		if port == ":0" {
			port = ":3306"
		}
		name := strings.Trim(host[:at], "[]")
		if name == "null" { // there is a socket
			name = "localhost"
		}
		hosts = append(hosts, bracketed(name)+port)
	}
	return strings.Join(hosts, ",")
}

func oursOfSQLServer(text string) (jdbcReading, error) {
	a, err := parseJDBCSQLServer(text)
	if err == nil && len(a.refused) > 0 {
		err = errAddressPair
	}
	return jdbcReading{
		"servername": a.host, "instancename": strings.ToUpper(a.instance), "portnumber": strconv.Itoa(a.port), "databasename": a.database, "user": a.user, "password": a.password,
		"encrypt": a.params["encrypt"], "hostnameincertificate": a.params["hostnameincertificate"], "failoverpartner": a.params["failoverpartner"],
	}, err
}

func theirsOfSQLServer(answer map[string]string) jdbcReading {
	r := jdbcReading(answer)
	r["servername"] = cmp.Or(r["servername"], "localhost")
	if host, instance, found := strings.Cut(r["servername"], `\`); found { // which the driver takes apart when it connects
		r["servername"], r["instancename"] = host, instance
	}
	r["portnumber"] = cmp.Or(r["portnumber"], "0")
	r["instancename"] = strings.ToUpper(r["instancename"])
	r["encrypt"] = map[string]string{"": "true", "yes": "true", "true": "true", "mandatory": "true", "no": "false", "optional": "false", "false": "false", "strict": "strict"}[strings.ToLower(r["encrypt"])]
	return r
}

func oursOfOracle(text string) (jdbcReading, error) {
	a, err := parseJDBCOracle(text)
	hosts := strings.Split(hostList(a.hosts), ",")
	slices.Sort(hosts)
	protocol := "tcp"
	if a.tls {
		protocol = "tcps"
	}
	return jdbcReading{
		"hosts": strings.Join(hosts, ","), "services": a.service, "sids": a.sid, "user": a.user, "password": a.password, "protocols": protocol,
	}, err
}

// theirsOfOracle sorts the hosts: where they take turns the driver shuffles them.
func theirsOfOracle(answer map[string]string) jdbcReading {
	r := jdbcReading(answer)
	var hosts []string
	for host := range strings.SplitSeq(r["hosts"], ",") {
		at := strings.LastIndex(host, ":")
		hosts = append(hosts, bracketed(host[:at])+host[at:])
	}
	slices.Sort(hosts)
	r["hosts"] = strings.Join(hosts, ",")
	for _, key := range []string{"services", "sids"} {
		r[key] = strings.TrimPrefix(r[key], "null")
	}
	return r
}
