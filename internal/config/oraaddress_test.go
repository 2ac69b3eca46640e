package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	go_ora "github.com/sijms/go-ora/v2"
)

func TestAddressesOfOracleAreReadAsItsThinDriverReadsThem(t *testing.T) {
	for _, tc := range []struct{ address, want string }{
		{"jdbc:oracle:thin:@//h:1522/svc", `[h:1522] "svc" "" "" "" false []`},
		{"jdbc:oracle:thin:@h/svc", `[h:1521] "svc" "" "" "" false []`},
		{"jdbc:oracle:thin:@h:1522:ORCL", `[h:1522] "" "ORCL" "" "" false []`},
		{"jdbc:oracle:thin:u/p@ss@h:1522/svc", "fault: " + errOracleLogin.Error()},
		{"jdbc:oracle:thin:@tcps://h1,h2:1523/svc", `[h1:1523 h2:1523] "svc" "" "" "" true []`},
		{"oracle://u:p%2Fq@h1:1,h2/svc?ssl=true&x=y", `[h1:1 h2:1521] "svc" "" "u" "p/q" true [one that is not known]`},
		{"jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=h)))", "fault: " + errDescriptorForm.Error()},
		{"jdbc:oracle:thin:@alias", "fault: " + errOracleTNS.Error()},
		{"jdbc:oracle:oci:@h/svc", "fault: " + errOracleOCI.Error()},
		{"jdbc:oracle:thin:@h:x/svc", "fault: " + errAddressPort.Error()},
		{"jdbc:oracle:thin:@h/svc:shared", "fault: " + errOracleMode.Error()},
		{"oracle://h", "fault: the service is missing"},
	} {
		parse := parseOracleURL
		if tc.address[0] == 'j' {
			parse = parseJDBCOracle
		}
		a, err := parse(tc.address)
		got := fmt.Sprintf("%v %q %q %q %q %v %v", a.hosts, a.service, a.sid, a.user, a.password, a.tls, a.ignored)
		if err != nil {
			got = "fault: " + err.Error()
		}
		if got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.address, got, tc.want)
		}
	}
}

func TestConnectionStringsAreReadByGoOra(t *testing.T) {
	for _, password := range []string{"plain", `a'b\c d`, "=%&?@/;{}", "ü+"} {
		a := oraAddress{hosts: []HostPort{{"h1", 1521}, {"h2", 1522}}, service: "svc", user: "o'brien", password: password, tls: true}
		c, err := go_ora.ParseConfig(a.toDatabase().DSN.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if c.UserID != "o'brien" || c.Password != password || len(c.Servers) != 2 || c.ServiceName != "svc" || !c.SSL || !c.SSLVerify {
			t.Errorf("%q was read as %q at %v, TLS %v, verified %v", password, c.Password, c.Servers, c.SSL, c.SSLVerify)
		}
	}
}

// All hosts of a descriptor reach the driver in Go, with its service and its TLS.
func TestDescriptorsAreReadByGoOra(t *testing.T) {
	a, err := parseJDBCOracle("jdbc:oracle:thin:u/p@(DESCRIPTION=(RETRY_COUNT=3)(ADDRESS_LIST=(LOAD_BALANCE=on)" +
		"(ADDRESS=(PROTOCOL=tcps)(HOST=a)(PORT=2484))(ADDRESS=(PROTOCOL=tcps)(HOST=::1)(PORT=2485)))(CONNECT_DATA=(SID=x)))")
	if err != nil {
		t.Fatal(err)
	}
	c, err := go_ora.ParseConfig(a.toDatabase().DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%s:%d %s:%d %s %s %s %v", c.Servers[0].Addr, c.Servers[0].Port, c.Servers[1].Addr, c.Servers[1].Port, c.SID, c.UserID, c.Password, c.SSL); got != "a:2484 ::1:2485 x u p true" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(a.ignored); got != "[RETRY_COUNT]" {
		t.Errorf("left out: %s", got)
	}
}

func TestWhatADescriptorCannotKeepIsRefusedByName(t *testing.T) {
	const address, data = "(ADDRESS=(PROTOCOL=TCP)(HOST=h)(PORT=1))", "(CONNECT_DATA=(SID=x))"
	for inner, want := range map[string]error{
		address + data + "(SECURITY=(SSL_SERVER_CERT_DN=\"CN=h\"))": errOracleDN, address + data + "(SECURITY=(MY_WALLET_DIRECTORY=/x))": errOracleWallet,
		"(SOURCE_ROUTE=yes)" + address + data: errOracleRoute, "(FAILOVER=off)" + address + address + data: errOracleAlone,
		address + "(ADDRESS=(PROTOCOL=TCPS)(HOST=h)(PORT=1))" + data: errDescriptorMix, address: errDescriptorName,
		address + "(CONNECT_DATA=(SID=x)(INSTANCE_NAME=i))": errOracleInstance, address + "(CONNECT_DATA=(SID=x)(SERVICE_NAME=y))": errDescriptorName,
		address + data + strings.Repeat("(A=", 100) + strings.Repeat(")", 100): errDescriptorSize, address + data + "(A=" + strings.Repeat("x", maxDescriptorBytes) + ")": errDescriptorSize,
		data: errDescriptorForm, address + data + "(A": errDescriptorForm,
	} {
		if _, err := parseJDBCOracle("jdbc:oracle:thin:@(DESCRIPTION=" + inner + ")"); !errors.Is(err, want) {
			t.Errorf("%.80s\n got %v\nwant %v", inner, err, want)
		}
	}
}
