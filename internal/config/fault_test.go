package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestFaultsSayWhereWhatWasReadAndWhatWouldBeRight(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []string
	}{
		{
			"an unknown key", least + "hotcold.mutualExclusion.waitIntervall = 3",
			[]string{"hotcold.conf:2:1: hotcold.mutualExclusion.waitIntervall: no such setting; did you mean waitInterval?"},
		},
		{
			"a key in the wrong place", least + "hotcold.waitInterval = 3",
			[]string{"hotcold.conf:2:1: hotcold.waitInterval: no such setting; there is hotcold.mutualExclusion.waitInterval"},
		},
		{
			"an object that is a text", least + "hotcold.listen = yes",
			[]string{"hotcold.conf:2:18: hotcold.listen: want an object with address, tls, keyFile or probe"},
		},
		{
			"a wrong word", least + "hotcold.mutualExclusion.standby = wiat",
			[]string{`hotcold.conf:2:35: hotcold.mutualExclusion.standby: want wait or exit, got "wiat"; did you mean wait?`},
		},
		{
			"a span out of range", least + "hotcold.mutualExclusion.updateInterval = 2",
			[]string{"hotcold.conf:2:42: hotcold.mutualExclusion.updateInterval: want a duration from 50 ms to 1 day, got 2ms (a number without a unit is milliseconds)"},
		},
		{
			"a number out of range", least + "hotcold.node.health.threshold = 0",
			[]string{"hotcold.conf:2:33: hotcold.node.health.threshold: want a whole number from 1 to 1000, got 0"},
		},
		{
			"a size out of range", least + "hotcold.node.output.maxSize = 1",
			[]string{"hotcold.conf:2:31: hotcold.node.output.maxSize: want a size from 4 KiB to 1 TiB, got 1 bytes"},
		},
		{
			"no database", "hotcold { name = pair, node.command = [/bin/true] }",
			[]string{"hotcold.conf:1:9: hotcold.database.url: no database: the lease has to be where both machines see it; " + wantedDatabase},
		},
		{
			"a login to SQL Server that is none of ours", least + `hotcold.database.url = "jdbc:sqlserver://db:1433;integratedSecurity=true;password=geheim"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: hotcold logs in to SQL Server with a user and a password over plain sockets and TLS, " +
				"and cannot do what these ask for: integratedSecurity; set hotcold.database.url without them"},
		},
		{
			"an address of SQL Server that cannot be read", least + `hotcold.database.url = "jdbc:sqlserver://db:x;password=geheim"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: cannot be read as an address of SQL Server: " + errAddressPort.Error()},
		},
		{
			"H2", least + `hotcold.database.url = "jdbc:h2:file:./persistence"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: H2 keeps its data in a file on one machine, so two machines would have two leases; " + wantedDatabase},
		},
		{
			"an address of nothing", least + `hotcold.database.url = "db.example.com"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: want an address that begins with postgres://, mysql://, mariadb://, sqlserver://, oracle://, jdbc:, etcd://, etcds:// or sqlite:"},
		},
		{
			"a port that is none", least + `hotcold.database.url = "postgres://u:geheim@db:99999/x"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: cannot be read as an address of PostgreSQL: a port is not a number from 1 to 65535"},
		},
		{
			"an address with a substitution in quotes", least + `hotcold.database.url = "${DB_URL}"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: still holds ${: nothing is substituted inside quotes; write ${NAME} without quotes"},
		},
		{
			"a replica", least + `hotcold.database.url = "postgres://db/x?target_session_attrs=standby"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: target_session_attrs asks for a server that takes no writes; the lease wants read-write"},
		},
		{
			"a login in an address of etcd", least + `hotcold.database.url = "etcd://u:geheim@a:2379/x"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: cannot be read as an address of etcd: a user and a password are not taken from the address; set hotcold.database.user and passwordFile"},
		},
		{
			"an address of etcd with a doubled slash", least + `hotcold.database.url = "etcd://a:2379//x"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: cannot be read as an address of etcd: what stands after the hosts begins the keys; want letters, digits and . _ - with single slashes between"},
		},
		{
			"a certificate for etcd without its key", least + `hotcold.database.url = "etcds://a/x?cert=c.pem"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: cannot be read as an address of etcd: want both cert and key, or neither"},
		},
		{
			"a user of etcd without a password", least + "hotcold.database { url = \"etcds://a/x\", user = u }",
			[]string{"hotcold.conf:2:26: hotcold.database.url: cannot be read as an address of etcd: want both hotcold.database.user and a password, or neither"},
		},
		{
			"SQLite in memory", least + `hotcold.database.url = "sqlite::memory:"`,
			[]string{"hotcold.conf:2:24: hotcold.database.url: want the path of a file after sqlite: (a database in memory is seen by one process only)"},
		},
		{
			"a prefix with a blank", least + `hotcold.database.tablePrefix = "hot cold"`,
			[]string{"hotcold.conf:2:32: hotcold.database.tablePrefix: want at most 30 lower-case letters, digits and underscores, not beginning with a digit"},
		},
		{
			"an open listener", least + `hotcold.listen.address = "0.0.0.0:4653"`,
			[]string{"hotcold.conf:2:26: hotcold.listen.address: other machines can reach this address, so it wants hotcold.listen.tls.certificate and key, and tls.clientCA or keyFile; or listen on 127.0.0.1"},
		},
		{
			"a listener that asks for nothing", least + `hotcold.listen { address = ":4653", tls { certificate = c.pem, key = k.pem } }`,
			[]string{"hotcold.conf:2:28: hotcold.listen.address: other machines can reach this address, so callers must prove themselves: want hotcold.listen.tls.clientCA or hotcold.listen.keyFile; or listen on 127.0.0.1"},
		},
		{
			"a certificate alone", least + `hotcold.listen.tls.certificate = c.pem`,
			[]string{"hotcold.conf:2:34: hotcold.listen.tls.certificate: want both hotcold.listen.tls.certificate and hotcold.listen.tls.key"},
		},
		{
			"a listener for probes without a port", least + `hotcold.listen.probe = "0.0.0.0"`,
			[]string{"hotcold.conf:2:24: hotcold.listen.probe: want host:port or off, as in 0.0.0.0:4655"},
		},
		{
			"one port for both listeners", least + `hotcold.listen.probe = "0.0.0.0:4653"`,
			[]string{"hotcold.conf:2:24: hotcold.listen.probe: hotcold.listen.address has the port 4653 already"},
		},
		{
			"a listener without a port", least + `hotcold.listen.address = localhost`,
			[]string{"hotcold.conf:2:26: hotcold.listen.address: want host:port or off, as in 127.0.0.1:4653"},
		},
		{
			"a pattern that is none", least + `hotcold.node.ready.log = "("`,
			[]string{"hotcold.conf:2:26: hotcold.node.ready.log: want a regular expression (RE2): error parsing regexp: missing closing ): `(`"},
		},
		{
			"a body without a page", least + `hotcold.node.ready.httpBody = up`,
			[]string{"hotcold.conf:2:31: hotcold.node.ready.httpBody: is of no use without hotcold.node.ready.http"},
		},
		{
			"a page that is none", least + `hotcold.node.ready.http = "localhost:80"`,
			[]string{"hotcold.conf:2:27: hotcold.node.ready.http: want a URL that begins with http:// or https:// and a host"},
		},
		{
			"a page with a password", least + `hotcold.node.ready.http = "http://u:geheim@x/"`,
			[]string{"hotcold.conf:2:27: hotcold.node.ready.http: want a URL without a user or password, since it is shown in logs; a check that needs one can be a command"},
		},
		{
			"an address in a list", least + `hotcold.node.ready.tcp = ["localhost:80", "localhost"]`,
			[]string{"hotcold.conf:2:43: hotcold.node.ready.tcp.1: want host:port, got no port (an IPv6 address wants brackets, [::1]:10002)"},
		},
		{
			"a longest wait below the first", least + `hotcold.node.restart { backoff = 5 s, maxBackoff = 1 s }`,
			[]string{"hotcold.conf:2:52: hotcold.node.restart.maxBackoff: want no less than hotcold.node.restart.backoff, which is 5s; got 1s"},
		},
		{
			"a relative cgroup", least + `hotcold.node.cgroup = mine`,
			[]string{"hotcold.conf:2:23: hotcold.node.cgroup: want auto, off, or the absolute path of a cgroup v2 directory"},
		},
		{
			"an empty name", least + `hotcold.name = ""`,
			[]string{"hotcold.conf:2:16: hotcold.name: want a name without blanks around it, and not an empty one"},
		},
		{
			"a machine's name in quotes", least + `enterpriseConfiguration.mutualExclusionConfiguration.machineName = "${UNIQUE_ID}"`,
			[]string{"hotcold.conf:2:68: enterpriseConfiguration.mutualExclusionConfiguration.machineName: " + quotedSubstitution},
		},
		{
			"a name of many lines", least + `hotcold.name = "a\nb"`,
			[]string{"hotcold.conf:2:16: hotcold.name: holds a control character, want plain text"},
		},
		{
			"two passwords", least + `hotcold.database { password = a, passwordFile = secret }`,
			[]string{"hotcold.conf:2:49: hotcold.database.passwordFile: want only one of hotcold.database.password and hotcold.database.passwordFile"},
		},
		{
			"several faults, sorted", "hotcold {\n nmae = x\n preset = command\n log.level = loud\n database.url = \"sqlite:x.db\"\n}\n",
			[]string{
				"hotcold.conf:1:9: hotcold.name: is not set and node.conf has no myLegalName; want a name that both machines of the pair have and no other pair in the database, as in \"payments broker\"",
				`hotcold.conf:1:9: hotcold.node.command: want what is to be run, as in ["/usr/bin/program", "argument"]`,
				"hotcold.conf:2:2: hotcold.nmae: no such setting; did you mean name?",
				`hotcold.conf:4:14: hotcold.log.level: want debug, info, warn or error, got "loud"`,
			},
		},
		{
			"nothing at all", "",
			[]string{
				"hotcold.conf: hotcold.database.url: no database: the lease has to be where both machines see it; " + wantedDatabase,
				"hotcold.conf: hotcold.name: is not set and node.conf has no myLegalName; want a name that both machines of the pair have and no other pair in the database, as in \"payments broker\"",
				"hotcold.conf: hotcold.preset: cannot be told from the file: want corda, artemis, or command with hotcold.node.command",
			},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := newRoom(t)
			r.fileMode("secret", "geheim\n", 0o600)
			got := r.faults(tc.text)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tc.want, "\n  "))
			}
		})
	}
}

func TestSecretFilesThatOthersMayReadAreRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o604, 0o640, 0o666} {
		r := newRoom(t)
		path := r.fileMode("secret", "geheim\n", mode)
		got := strings.Join(r.faults(least+"hotcold.database.passwordFile = secret"), "\n")
		if !strings.Contains(got, "hotcold.conf:2:33: hotcold.database.passwordFile: ") ||
			!strings.Contains(got, "run: chmod 600 "+strings.Replace(path, r.dir, "ROOM", 1)) {
			t.Errorf("mode %o: %s", mode, got)
		}
	}
}

func TestSecretFilesAreReadByTheirFirstLine(t *testing.T) {
	r := newRoom(t)
	r.fileMode("secret", "geheim\r\nnot this\n", 0o400)
	c := r.mustLoad(least + "hotcold.database.passwordFile = secret")
	if got := c.Database.Password.Reveal(); got != "geheim" {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(c.Database.DSN.Reveal(), "password='geheim'") {
		t.Errorf("the connection string lacks the password")
	}
}

// systemd lets a service's user read its credentials by an access list, which shows as rights of the group.
func TestCredentialsOfSystemdMayShowRightsOfTheGroup(t *testing.T) {
	r := newRoom(t)
	r.env["CREDENTIALS_DIRECTORY"] = r.dir + "/credentials"
	path := r.fileMode("credentials/db", "geheim\n", 0o440)
	text := least + "hotcold.database.passwordFile = " + path
	if got := r.mustLoad(text).Database.Password.Reveal(); got != "geheim" {
		t.Errorf("got %q", got)
	}
	r.fileMode("credentials/db", "geheim\n", 0o444)
	if got := strings.Join(r.faults(text), ""); !strings.Contains(got, "may be read by others") {
		t.Errorf("everybody may read it: %s", got)
	}
}

func TestSecretFilesMustHoldASecret(t *testing.T) {
	r := newRoom(t)
	r.fileMode("empty", "\n", 0o600)
	r.fileMode("large", strings.Repeat("x", maxSecretBytes+1), 0o600)
	for file, want := range map[string]string{
		"empty": "has an empty first line", "large": "is too large", ".": "is not a regular file", "gone": "no such file",
	} {
		if got := strings.Join(r.faults(least+"hotcold.database.passwordFile = "+quote(file)), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
	r.fileMode("short", "short\n", 0o600)
	if got := strings.Join(r.faults(least+"hotcold.listen.keyFile = short"), "\n"); !strings.Contains(got, "has 5 characters, want at least 16") {
		t.Errorf("a short key: %s", got)
	}
}
