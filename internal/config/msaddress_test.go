package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/microsoft/go-mssqldb/msdsn"
)

func TestAddressesOfSQLServerAreReadAsTheirOwnDriversReadThem(t *testing.T) {
	const sure = "encrypt:true"
	tests := []struct {
		address string
		want    string // host instance port database user password params ignored refused
	}{
		{`jdbc:sqlserver://h`, `h "" 0 "" "" "" map[` + sure + `] [] []`},
		{`jdbc:sqlserver://`, `localhost "" 0 "" "" "" map[` + sure + `] [] []`},
		{`jdbc:sqlserver://h1\inst:1444;databaseName=corda;user=u;password={a;b}}c}`, `h1 "inst" 1444 "corda" "u" "a;b}c" map[` + sure + `] [] []`},
		{`jdbc:sqlserver://h\inst;database=d`, `h "inst" 0 "d" "" "" map[` + sure + `] [] []`},
		{`jdbc:sqlserver://;serverName=h;portNumber=1500;DATABASENAME=d;`, `h "" 1500 "d" "" "" map[` + sure + `] [] []`},
		{`jdbc:sqlserver://h;encrypt=strict;hostNameInCertificate=*.example.com`, `h "" 0 "" "" "" map[encrypt:strict hostnameincertificate:*.example.com] [] []`},
		{`jdbc:sqlserver://h;encrypt=false`, `h "" 0 "" "" "" map[encrypt:false trustservercertificate:true] [] []`},
		{`jdbc:sqlserver://h;encrypt=false;trustServerCertificate=false`, `h "" 0 "" "" "" map[encrypt:false trustservercertificate:false] [] []`},
		{`jdbc:sqlserver://h;trustServerCertificate=true`, `h "" 0 "" "" "" map[` + sure + ` trustservercertificate:true] [] []`},
		{`jdbc:sqlserver://l;multiSubnetFailover=true;applicationIntent=ReadWrite;loginTimeout=30`, `l "" 0 "" "" "" map[` + sure + ` multisubnetfailover:true] [] []`},
		{`jdbc:sqlserver://h;databaseName=d;failoverPartner=p`, `h "" 0 "d" "" "" map[` + sure + ` failoverpartner:p] [] []`},
		{`jdbc:sqlserver://h;integratedSecurity=true;authenticationScheme=JavaKerberos`, `h "" 0 "" "" "" map[` + sure + `] [] [integratedSecurity authenticationscheme]`},
		{`jdbc:sqlserver://h;authentication=ActiveDirectoryPassword`, `h "" 0 "" "" "" map[` + sure + `] [] [authentication]`},
		{`jdbc:sqlserver://h;trustStore=/a.jks;geheim=1`, `h "" 0 "" "" "" map[` + sure + `] [truststore one that is not known] []`},
		{`jdbc:sqlserver://h;sslProtocol=TLSv1.2`, `h "" 0 "" "" "" map[` + sure + ` tlsmin:1.2] [] []`},
		{`jdbc:sqlserver://h;failoverPartner=p`, "fault: " + errAddressPartner.Error()},
		{`jdbc:sqlserver://h;applicationIntent=ReadOnly`, "fault: " + errAddressIntent.Error()},
		{`jdbc:sqlserver://h;password={a;b`, "fault: " + errAddressBrace.Error()},
		{`jdbc:sqlserver://h;password=a;b`, "fault: " + errAddressPair.Error()},
		{`jdbc:sqlserver://h:x`, "fault: " + errAddressPort.Error()},
		{`jdbc:sqlserver://h;port=0`, "fault: " + errAddressPort.Error()},
		{`jdbc:sqlserver://h\in st`, "fault: " + errAddressInstance.Error()},
		{`jdbc:sqlserver://h;encrypt=perhaps`, "fault: encrypt wants true, false or strict"},
		{`sqlserver://u:p%40ss@h:1444?database=corda&encrypt=strict`, `h "" 1444 "corda" "u" "p@ss" map[encrypt:strict] [] []`},
		{`sqlserver://u@h/INST?database=corda`, `h "INST" 0 "corda" "u" "" map[` + sure + `] [] []`},
		{`sqlserver://[::1]:1444`, `::1 "" 1444 "" "" "" map[` + sure + `] [] []`},
		{`sqlserver://h?log=63`, `h "" 0 "" "" "" map[` + sure + `] [one that is not known] []`},
		{`sqlserver://u:1/2@h`, "fault: " + errAddressAt.Error()},
		{`sqlserver://h1,h2`, "fault: more than one host; want the listener of the availability group, or failoverPartner"},
	}
	for _, tc := range tests {
		parse := parseSQLServerURL
		if tc.address[0] == 'j' {
			parse = parseJDBCSQLServer
		}
		a, err := parse(tc.address)
		got := fmt.Sprintf("%s %q %d %q %q %q %v %v %v", a.host, a.instance, a.port, a.database, a.user, a.password, a.params, a.ignored, a.refused)
		if err != nil {
			got = "fault: " + err.Error()
		}
		if got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.address, got, tc.want)
		}
	}
}

// The real driver reads our connection string as it was meant, whatever characters a password has, and never less
// safely than the address asked for.
func TestConnectionStringsAreReadByGoMSSQL(t *testing.T) {
	for _, password := range []string{"plain", `a'b\c d`, "=%&?@/;{}", "ü🔥+", " "} {
		quoted := "{" + strings.ReplaceAll(password, "}", "}}") + "}"
		for _, tc := range []struct {
			address   string
			host      string
			port      uint64
			encrypted msdsn.Encryption
			trusts    bool
		}{
			{`jdbc:sqlserver://h:1444;databaseName=my db`, "h", 1444, msdsn.EncryptionRequired, false},
			{`jdbc:sqlserver://h;databaseName=my db;encrypt=false`, "h", 1433, msdsn.EncryptionOff, true},
			{`jdbc:sqlserver://h\INST;databaseName=my db;encrypt=strict;trustServerCertificate=true`, "h", 0, msdsn.EncryptionStrict, false},
		} {
			a, err := parseJDBCSQLServer(tc.address + ";user=o'brien;password=" + quoted)
			if err != nil {
				t.Fatal(err)
			}
			c, err := msdsn.Parse(a.toDatabase().DSN.Reveal())
			if err != nil {
				t.Fatalf("%s: %v", tc.address, err)
			}
			if c.Host != tc.host || c.Port != tc.port || c.Database != "my db" || c.User != "o'brien" || c.Password != password ||
				c.Encryption != tc.encrypted || c.TrustServerCertificate != tc.trusts || tc.port == 0 && c.Instance != "INST" {
				t.Errorf("%s was read as host %q port %d instance %q database %q user %q password %q encryption %v, trusting %v",
					tc.address, c.Host, c.Port, c.Instance, c.Database, c.User, c.Password, c.Encryption, c.TrustServerCertificate)
			}
			if tc.encrypted == msdsn.EncryptionStrict && c.TLSConfig.InsecureSkipVerify {
				t.Error("strict encryption goes without looking at the certificate")
			}
		}
	}
}
