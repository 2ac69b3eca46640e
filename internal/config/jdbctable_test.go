package config

import (
	"math/rand/v2"
	"strings"
)

// The addresses that were thought of, for each driver: what manuals show, and the corners where a reading may differ.

func tableOfPostgres() []string {
	return []string{
		"jdbc:postgresql:/", "jdbc:postgresql:/db", "jdbc:postgresql:db", "jdbc:postgresql:", "jdbc:postgresql:///", "jdbc:postgresql:///db",
		"jdbc:postgresql:?user=x", "jdbc:postgresql://h?user=x", "jdbc:postgresql://h", "jdbc:postgresql://h/", "jdbc:postgresql://h/db",
		"jdbc:postgresql://h:5433/db", "jdbc:postgresql://h1:5433,h2/db?k=v&k2", "jdbc:postgresql://h1,h2:5433,h3:5434/db?targetServerType=primary",
		"jdbc:postgresql://[::1]:5433/db", "jdbc:postgresql://[::1]/db",
		"jdbc:postgresql://h/db?user=u&user=v", "jdbc:postgresql://h/db?ssl=1", "jdbc:postgresql://h/db?sslmode=require&ssl=true",
		"jdbc:postgresql://h/db?ssl=true&sslmode=Disable", "jdbc:postgresql://h/db?password=%2B+%20", "jdbc:postgresql://h/db?user=%C3%BC",
		"jdbc:postgresql://h/db?user=a?b", "jdbc:postgresql://h/db#x", "jdbc:postgresql://u:p@h/db", "jdbc:postgresql://h//db", "jdbc:postgresql://h/db/",
		"jdbc:postgresql://h /db", "JDBC:POSTGRESQL://h/db", "jdbc:postgresql://h/db?User=x", "jdbc:postgresql://h/db?sslmode=verify_full",
	}
}

func tableOfMariaDB() []string {
	return []string{
		"jdbc:mariadb:///db", "jdbc:mariadb:///db?localSocket=/x", "jdbc:mariadb://h/db", "jdbc:mariadb://h:3307/db", "jdbc:mariadb://h1,h2:3307/db",
		"jdbc:mariadb:sequential://h1,h2/db", "jdbc:mariadb:replication://h1,h2/db", "jdbc:mariadb:load-balance://h1,h2/db", "jdbc:mariadb:perhaps://h/db",
		"jdbc:mariadb://h/db?user=u&password=p%40x", "jdbc:mariadb://h/db?USER=u&Password=p", "jdbc:mariadb://h/db?password=a=b", "jdbc:mariadb://h/db?password=a&password=b",
		"jdbc:mariadb://h/db?sslMode=verify-full", "jdbc:mariadb://h/db?sslMode=VERIFY_FULL", "jdbc:mariadb://h/db?useSsl=1", "jdbc:mariadb://h/db?useSSL=true&sslMode=trust",
		"jdbc:mariadb://h/db?sslMode=perhaps", "jdbc:mariadb://address=(host=h)/db", "jdbc:mariadb://address=(port=3307)(host=h)/db",
		"jdbc:mariadb://address=(host=h)(port=3307)(type=replica)/db", "jdbc:mariadb://[::1]:3307/db", "jdbc:mariadb://u:p@h/db", "jdbc:mariadb://h/a/b",
		"jdbc:mariadb://h", "jdbc:mariadb:h/db", "jdbc:mariadb://h/db?", "jdbc:mariadb://h/db?&user=u", "jdbc:mariadb://h/db?user", "jdbc:mariadb://h/db?trustServerCertificate=true",
	}
}

func tableOfMySQL() []string {
	return []string{
		"jdbc:mysql:///db", "jdbc:mysql://u:p+q@h/db?user=x", "jdbc:mysql://u@h/db?user=x&password=z", "jdbc:mysql://:p@h/db?user=x", "jdbc:mysql://h/db",
		"jdbc:mysql://h:3307/db", "jdbc:mysql://h1:3307,h2/db?user=u&password=p%40x", "jdbc:mysql:replication://h1,h2/db", "jdbc:mysql:loadbalance://h1,h2/db",
		"jdbc:mysql://address=(host=h)(port=3307)/db", "jdbc:mysql://address=(host=h)(user=u)(password=p)/db", "jdbc:mysql://(host=h,port=3307)/db", "jdbc:mysql://[h1,h2]/db",
		"jdbc:mysql://u:p@[h1,h2]/db", "jdbc:mysql://[::1]:3307/db", "jdbc:mysql+srv://h/db", "jdbc:mysql://h/db?useSSL=true", "jdbc:mysql://h/db?useSSL=true&requireSSL=true",
		"jdbc:mysql://h/db?requireSSL=true", "jdbc:mysql://h/db?verifyServerCertificate=true", "jdbc:mysql://h/db?useSSL=false&sslMode=REQUIRED", "jdbc:mysql://h/db?sslMode=perhaps",
		"jdbc:mysql://h/db?sslMode=", "jdbc:mysql://h/db?USER=u", "jdbc:mysql://h/db?User=a&user=b", "jdbc:mysql://h/db?password=a&password=b", "jdbc:mysql://h/db?usessl=false",
		"jdbc:mysql://h/a/b", "jdbc:mysql://h", "jdbc:mysql:h/db", "jdbc:mysql://h/db?user=a%2Bb", "jdbc:mysql://h/a%2Fb", "jdbc:mysql://h/db#x", "jdbc:mysql://h/db?user= u ",
	}
}

func tableOfSQLServer() []string {
	return []string{
		"jdbc:sqlserver://;serverName=::1;portNumber=1", "jdbc:sqlserver://h", "jdbc:sqlserver://", "jdbc:sqlserver://h:1444", `jdbc:sqlserver://h\inst`, `jdbc:sqlserver://h\inst:1444`,
		"jdbc:sqlserver://h;databaseName=d;user=u;password={a;b}}c}", "jdbc:sqlserver://h;database=d;databaseName=e", "jdbc:sqlserver://h;databaseName=e;database=d",
		"jdbc:sqlserver://h;user=a;userName=b", "jdbc:sqlserver://h;password=;user=u", "jdbc:sqlserver://h; user = u ; password = p ", "jdbc:sqlserver://h;password={ p }",
		"jdbc:sqlserver://h;password={a}b", "jdbc:sqlserver://h;password=a}b", "jdbc:sqlserver://h;password=a=b", "jdbc:sqlserver://h;;user=u;;", "jdbc:sqlserver://h;user",
		"jdbc:sqlserver://h;encrypt=TRUE", "jdbc:sqlserver://h;encrypt=mandatory", "jdbc:sqlserver://h;encrypt=optional", "jdbc:sqlserver://h;port=1500", "jdbc:sqlserver://h:1444;port=1500",
		"jdbc:sqlserver://h/db", "jdbc:sqlserver://h;serverName=g", `jdbc:sqlserver://h;instanceName=inst`, "jdbc:sqlserver://h ;user=u", "jdbc:sqlserver:h", "jdbc:sqlserver://h:;user=u",
		"jdbc:sqlserver://h;failoverPartner=p;databaseName=d", "jdbc:sqlserver://h;geheim=1", "JDBC:SQLSERVER://h",
	}
}

func tableOfOracle() []string {
	const begin, end = "jdbc:oracle:thin:@(DESCRIPTION=", "(CONNECT_DATA=(SERVICE_NAME=svc)))"
	return []string{
		"jdbc:oracle:thin:@h:1522:SID", "jdbc:oracle:thin:@//h:1522/svc", "jdbc:oracle:thin:@h:1522/svc", "jdbc:oracle:thin:@h/svc", "jdbc:oracle:thin:u/p@h/svc", "jdbc:oracle:thin:u@h/svc",
		`jdbc:oracle:thin:u/"p@q"@h/svc`, "jdbc:oracle:thin:u/p@q@h/svc", "jdbc:oracle:thin:[u]/p@h/svc", "jdbc:oracle:thin:u[v]/p@h/svc", "jdbc:oracle:thin:u/p/q@h/svc", "jdbc:oracle:thin:@alias",
		"jdbc:oracle:thin:@h1,h2:1522,h3:1523/svc", "jdbc:oracle:thin:@tcps://h1,h2:1522/svc", "jdbc:oracle:thin:@TCPS://h:1522/svc", "jdbc:oracle:thin:@tcp://h/svc:dedicated",
		"jdbc:oracle:thin:@tcps://h/svc?wallet_location=/x", "jdbc:oracle:thin:@h/svc/inst", "jdbc:oracle:thin:@[::1]:1522/svc", "jdbc:oracle:thin:@h:1522", "jdbc:oracle:thin:h/svc",
		"jdbc:oracle:thin:@//h:1522/svc?connect_timeout=3&retry_count=2", "jdbc:oracle:thin:@h1:1522,h2:1523:SID", "jdbc:oracle:thin:@ h/svc", "jdbc:oracle:thin:@h/ svc",
		begin + "(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1522))" + end, begin + "(ADDRESS_LIST=(FAILOVER=on)(ADDRESS=(PROTOCOL=TCP)(HOST=a)(PORT=1521))(ADDRESS=(PROTOCOL=TCP)(HOST=b)(PORT=1522)))" + end,
		begin + "(address = (protocol = tcp) (host = h) (port = 1522)) (CONNECT_DATA = (SID = x)))", begin + "(ADDRESS=(PROTOCOL=TCPS)(HOST=h)(PORT=2484))(SECURITY=(SSL_SERVER_DN_MATCH=yes))" + end,
		begin + "(ADDRESS=(PROTOCOL=TCP)(HOST=h))" + end, begin + "(ADDRESS=(HOST=h)(PORT=1))" + end, begin + "(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=x))" + end, begin + end,
		begin + "(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1))(CONNECT_DATA=(SERVER=DEDICATED)))", begin + "(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1))" + end + ")", begin + "(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1)" + end,
		"jdbc:oracle:thin:@(DESCRIPTION_LIST=(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1))" + end + ")",
		begin + `(ADDRESS=(PROTOCOL=TCP)(HOST="h")(PORT=1))` + end, begin + "(ADDRESS=(PROTOCOL=TCP)(HOST=::1)(PORT=1))" + end, begin + "(ADDRESS=(PROTOCOL=BEQ)(HOST=h)(PORT=1))" + end,
	}
}

// drawDescriptor makes an address with a descriptor.
func drawDescriptor(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	space := pick("", "", " ")
	option := func() string {
		return pick("", "", "(LOAD_BALANCE=ON)", "(FAILOVER=on)", "(FAILOVER=off)", "(CONNECT_TIMEOUT=3)", "(RETRY_COUNT=2)(RETRY_DELAY=1)", "(ENABLE=BROKEN)",
			"(SOURCE_ROUTE=yes)", "(SDU=8192)")
	}
	protocol := pick("TCP", "tcp", "TCP", "TCPS")
	addresses := ""
	for range 1 + r.IntN(3) {
		parts := []string{"(PROTOCOL=" + protocol + ")", "(HOST" + space + "=" + space + pick("h1", "h2.example.com", "10.0.0.1", "::1") + ")", pick("(PORT=1522)", "(PORT=1523)", "(PORT=0)")}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		addresses += pick("(ADDRESS=", "(address=") + strings.Join(parts, space) + ")"
	}
	if r.IntN(2) == 0 {
		addresses = "(ADDRESS_LIST=" + option() + addresses + ")"
	}
	data := "(CONNECT_DATA=" + pick("", "(SERVER=DEDICATED)", "(SERVER=SHARED)", "(INSTANCE_NAME=i)") + pick("(SERVICE_NAME=svc)", "(SID=x)", "(SERVICE_NAME=svc.example.com)") + ")"
	security := pick("", "", "(SECURITY=(SSL_SERVER_DN_MATCH=yes))", "(SECURITY=(SSL_SERVER_CERT_DN=\"CN=a,O=b\"))")
	return pick("jdbc:oracle:thin:@", "jdbc:oracle:thin:u/p@") + "(DESCRIPTION=" + option() + addresses + data + security + ")"
}
