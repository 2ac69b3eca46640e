package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The sample of Corda Enterprise's hot-cold guide, as it stands. Its quotes keep ${..} from being substituted, and its
// database is one that this release keeps no lease in; a hotcold.conf beside it says where the lease is.
func TestTheGuidesNodeConfCanBeUsed(t *testing.T) {
	r := newRoom(t)
	text, err := os.ReadFile("testdata/guide-node.conf")
	if err != nil {
		t.Fatal(err)
	}
	r.file("node.conf", string(text))
	r.env["DB_USER"] = "corda"
	c := r.mustLoad("include \"node.conf\"\nhotcold.database.url = \"postgres://lease@db/hotcold\"\n")
	m := c.MutualExclusion
	got := fmt.Sprintf("%s|%v|%v|%v|%s|%s|%s", c.LeaseName, m.On, m.UpdateInterval, m.WaitInterval, c.Preset.Name, c.Database, c.Instance.ID)
	want := "O=Corda HA, L=London, C=GB|true|20s|40s|corda|postgres db:5432/hotcold|machine-a:" + r.dir
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c.Database.User != "lease" || !c.Database.Password.Empty() {
		t.Errorf("the node's user and password belong to the node's database, got user %q", c.Database.User)
	}
	if at := c.Where("hotcold.mutualExclusion.waitInterval"); at.String() != "node.conf:31:24" && filepath.Base(at.File) != "node.conf" {
		t.Errorf("waitInterval stands in node.conf, Where says %v", at)
	}
	for _, path := range []string{"p2pAddress", "rpcSettings.address", "rpcSettings.adminAddress"} {
		if !strings.Contains(warningsOf(c), ": "+path+": holds the text ${") {
			t.Errorf("there is no warning of the text ${ in %s:\n%s", path, warningsOf(c))
		}
	}
	if len(c.Node.Ports) != 0 {
		t.Errorf("addresses that are no addresses give no ports, got %v", c.Node.Ports)
	}
}

func TestTheGuidesNodeConfAloneIsAPairOnSQLServer(t *testing.T) {
	r := newRoom(t)
	text, err := os.ReadFile("testdata/guide-node.conf")
	if err != nil {
		t.Fatal(err)
	}
	// What the guide has in quotes is not substituted, be it meant to be.
	fixed := strings.NewReplacer(`"${DB_JDBC_URL}"`, "${DB_JDBC_URL}", `"${DB_PASSWORD}"`, "${DB_PASSWORD}").Replace(string(text))
	r.file("node.conf", fixed)
	r.env["DB_USER"], r.env["DB_PASSWORD"] = "corda", "ge;heim"
	r.env["DB_JDBC_URL"] = `jdbc:sqlserver://ag-listener:1433;databaseName=corda;encrypt=true;multiSubnetFailover=true`
	c, err := r.load("node.conf")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Database.String(); got != "sqlserver ag-listener:1433/corda" || c.Database.User != "corda" || c.Database.Password.Reveal() != "ge;heim" {
		t.Errorf("got %s as %s", got, c.Database.User)
	}
}

const cordaNode = `
myLegalName = "O=Bank, L=London, C=GB"
p2pAddress = "balancer:10002"
rpcSettings { address = "0.0.0.0:10003", adminAddress = "10.0.0.5:10103" }
dataSourceProperties {
  dataSource.url = "jdbc:postgresql://db1,db2:5433/corda?currentSchema=bank"
  dataSource.user = bank
  dataSource.password = geheim
}
`

func TestNodeConfAloneIsEnough(t *testing.T) {
	r := newRoom(t)
	r.file("node/node.conf", cordaNode)
	c, err := r.load("node/node.conf")
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(r.dir, "node")
	if c.BaseDir != base || c.NodeConf != filepath.Join(base, "node.conf") || c.File != c.NodeConf {
		t.Errorf("got %s %s %s", c.BaseDir, c.NodeConf, c.File)
	}
	if !c.Preset.Guessed || c.Preset.Name != PresetCorda || !c.MutualExclusion.On {
		t.Errorf("got preset %v, on %v", c.Preset.Name, c.MutualExclusion.On)
	}
	if m := c.MutualExclusion; m.UpdateInterval != 2*time.Second || m.WaitInterval != 10*time.Second || m.FenceTimeout != 0 || m.AttemptTimeout != 0 {
		t.Errorf("got %+v", m)
	}
	if want := "host='db1,db2' port=5432,5433 dbname='corda' user='bank' password='geheim' search_path='bank' target_session_attrs='read-write'"; c.Database.DSN.Reveal() != want {
		t.Errorf("got  %s\nwant %s", c.Database.DSN.Reveal(), want)
	}
	ports := []Port{{"p2p", "127.0.0.1:10002"}, {"rpc", "127.0.0.1:10003"}, {"rpc admin", "10.0.0.5:10103"}}
	if !reflect.DeepEqual(c.Node.Ports, ports) {
		t.Errorf("got %v, want %v", c.Node.Ports, ports)
	}
	n := c.Node
	if got := fmt.Sprint(n.Command, n.Dir == base, n.Ready.Log, n.Ready.Timeout, n.Health.TCP, n.Stop.Timeout, n.Stop.Signal, len(n.Ready.HTTP)); got !=
		"[java -jar corda.jar -n] true started up and registered in 10m0s [127.0.0.1:10003] 1m0s terminated 0" {
		t.Errorf("got %s", got)
	}
	if got := n.Env["CAPSULE_CACHE_DIR"].Reveal(); got != filepath.Join(base, ".capsule") {
		t.Errorf("got CAPSULE_CACHE_DIR %q", got)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("there is nothing to warn of, got\n%s", warningsOf(c))
	}
}

func TestBothSpellingsOfTheNodesDatabaseAreOne(t *testing.T) {
	for _, text := range []string{
		`dataSourceProperties { dataSource.url = "jdbc:postgresql://db/x", dataSource.user = u, dataSource.password = p }`,
		`dataSourceProperties { dataSource { url = "jdbc:postgresql://db/x", user = u, password = p } }`,
		`dataSourceProperties { "dataSource.url" = "jdbc:postgresql://db/x", "dataSource.user" = u, "dataSource.password" = p }`,
		`dataSourceProperties { "dataSource.url" = "jdbc:postgresql://db/x?user=u&password=p" }`,
	} {
		r := newRoom(t)
		c := r.mustLoad("hotcold { name = pair, node.command = [/bin/true] }\n" + text)
		if want := "host='db' port=5432 dbname='x' user='u' password='p'"; c.Database.DSN.Reveal() != want {
			t.Errorf("%s\ngot %s", text, c.Database.DSN.Reveal())
		}
	}
}

func TestOwnUserGoesToTheNodesDatabaseWithoutTheNodesPassword(t *testing.T) {
	r := newRoom(t)
	r.file("node.conf", cordaNode)
	c := r.mustLoad("include \"node.conf\"\nhotcold.database.user = lease\n")
	if c.Database.User != "lease" || !c.Database.Password.Empty() || len(c.Database.Hosts) != 2 {
		t.Errorf("got %v user %s, a password: %v", c.Database, c.Database.User, !c.Database.Password.Empty())
	}
}

func TestOwnPasswordGoesWithTheNodesUser(t *testing.T) {
	r := newRoom(t)
	r.file("node.conf", cordaNode)
	c := r.mustLoad("include \"node.conf\"\nhotcold.database.password = other\n")
	if c.Database.User != "bank" || c.Database.Password.Reveal() != "other" {
		t.Errorf("got user %s, the right password: %v", c.Database.User, c.Database.Password.Reveal() == "other")
	}
}

func TestPasswordInAnAddressIsOfTheUserInIt(t *testing.T) {
	r := newRoom(t)
	c := r.mustLoad(least + "hotcold.database { url = \"postgres://a:geheim@db/x\", user = b }")
	if c.Database.User != "b" || !c.Database.Password.Empty() {
		t.Errorf("got user %s, a password: %v", c.Database.User, !c.Database.Password.Empty())
	}
	c = r.mustLoad(least + "hotcold.database { url = \"postgres://a:geheim@db/x\", user = a }")
	if c.Database.Password.Reveal() != "geheim" {
		t.Errorf("the same user has lost the password")
	}
}

func TestMutualExclusionOfHotcoldWinsKeyByKey(t *testing.T) {
	node := "enterpriseConfiguration.mutualExclusionConfiguration { on = %s, machineName = other, updateInterval = 20000, waitInterval = 40000 }\n"
	tests := []struct{ node, own, want string }{
		{"", "", "true machine-a 2s 10s"},
		{fmt.Sprintf(node, "true"), "", "true other 20s 40s"},
		{fmt.Sprintf(node, "false"), "", "false other 20s 40s"},
		{fmt.Sprintf(node, "false"), "on = true", "true other 20s 40s"},
		{fmt.Sprintf(node, "true"), "on = false", "false other 20s 40s"},
		{fmt.Sprintf(node, "true"), "machineName = mine, waitInterval = 1 minute", "true mine 20s 1m0s"},
		{fmt.Sprintf(node, "true"), "updateInterval = 300", "true other 300ms 40s"},
		{"enterpriseConfiguration.mutualExclusionConfiguration { updateInterval = \"20000\" }\n", "", "true machine-a 20s 10s"},
	}
	for _, tc := range tests {
		r := newRoom(t)
		c := r.mustLoad(tc.node + least + "hotcold.mutualExclusion {" + tc.own + "}")
		m := c.MutualExclusion
		if got := fmt.Sprint(m.On, " ", c.Instance.MachineName, " ", m.UpdateInterval, " ", m.WaitInterval); got != tc.want {
			t.Errorf("%s%s: got %s, want %s", tc.node, tc.own, got, tc.want)
		}
	}
}

func TestWithoutALeaseNoDatabaseIsWantedAndItIsWarnedOf(t *testing.T) {
	r := newRoom(t)
	c := r.mustLoad("hotcold { name = pair, node.command = [/bin/true], mutualExclusion.on = false }")
	if c.MutualExclusion.On || c.Database.Dialect != "" {
		t.Errorf("got %v", c.Database)
	}
	if !strings.Contains(warningsOf(c), "hotcold.conf:1:73: hotcold.mutualExclusion.on: is false: the node runs without a lease") {
		t.Errorf("got %s", warningsOf(c))
	}
}

func TestSlipsInTheNodesBlockAreWarnedOf(t *testing.T) {
	r := newRoom(t)
	c := r.mustLoad(least + "enterpriseConfiguration.mutualExclusionConfiguration.waitIntervall = 3")
	if want := "hotcold.conf:2:1: enterpriseConfiguration.mutualExclusionConfiguration.waitIntervall: hotcold does not know this key; did you mean waitInterval?"; warningsOf(c) != want {
		t.Errorf("got %s", warningsOf(c))
	}
}

func TestNodeConfCanBeNamedInsteadOfIncluded(t *testing.T) {
	r := newRoom(t)
	r.file("corda/node.conf", cordaNode+"messagingServerAddress = \"10.0.0.5:\"${P2P}\nmessagingServerExternal = false\n")
	r.env["P2P"] = "11005"
	c := r.mustLoad(`hotcold { nodeConf = corda/node.conf, drive.path = /mnt/corda }`)
	if c.BaseDir != filepath.Join(r.dir, "corda") || c.NodeConf != filepath.Join(r.dir, "corda", "node.conf") {
		t.Errorf("got %s, %s", c.BaseDir, c.NodeConf)
	}
	if c.LeaseName != "O=Bank, L=London, C=GB" || c.Node.Ports[0].Address != "10.0.0.5:11005" {
		t.Errorf("got %s, %v", c.LeaseName, c.Node.Ports)
	}
	if c.Drive != (Drive{Path: "/mnt/corda", EpochFile: "/mnt/corda/hotcold.epoch", Type: "any", HangLimit: 30 * time.Second}) {
		t.Errorf("got %v", c.Drive)
	}
}

func TestBaseDirectoryIsWrittenOrWhereTheNodesFileLies(t *testing.T) {
	r := newRoom(t)
	r.file("corda/node.conf", cordaNode)
	include := "include \"corda/node.conf\"\n"
	for text, want := range map[string]string{
		include:                              filepath.Join(r.dir, "corda"),
		include + "baseDirectory = /opt/a":   "/opt/a",
		include + "baseDirectory = b/../c/":  filepath.Join(r.dir, "c"),
		least:                                r.dir,
		least + "hotcold.baseDirectory = /x": "/x",
		include + "baseDirectory = /y\nhotcold.baseDirectory = /x": "/x",
	} {
		if got := r.mustLoad(text).BaseDir; got != want {
			t.Errorf("%s\ngot %s, want %s", text, got, want)
		}
	}
}

func TestNodeConfMayUseItsBaseDirectory(t *testing.T) {
	r := newRoom(t)
	c := r.mustLoad(least + "hotcold.node.output.file = ${baseDirectory}/logs/out.log")
	if want := filepath.Join(r.dir, "logs/out.log"); c.Node.Output.File != want {
		t.Errorf("got %s, want %s", c.Node.Output.File, want)
	}
}

func TestRuntimeDirIsOfThisBootAndThisNode(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", least)
	world := r.world()
	dir := func() string {
		c, err := Load("hotcold.conf", world)
		if err != nil {
			t.Fatal(err)
		}
		return c.RuntimeDir
	}
	if got := dir(); got != filepath.Join(r.dir, ".hotcold") {
		t.Errorf("got %s", got)
	}
	r.env["XDG_RUNTIME_DIR"] = "/run/user/1000"
	if got := dir(); !strings.HasPrefix(got, "/run/user/1000/hotcold/") {
		t.Errorf("got %s", got)
	}
	world.Euid = 0
	if got := dir(); !strings.HasPrefix(got, "/run/hotcold/") || len(filepath.Base(got)) != 12 {
		t.Errorf("got %s", got)
	}
}

func TestOneLegalNameInTwoSpellingsIsOneLease(t *testing.T) {
	for name, want := range map[string]string{
		"O=Corda HA, L=London, C=GB":                  "O=Corda HA, L=London, C=GB",
		"O=Corda HA,L=London,C=GB":                    "O=Corda HA, L=London, C=GB",
		" c = GB ,L=London,  o=Corda HA":              "O=Corda HA, L=London, C=GB",
		`C=GB,O=Bank\, the old one,L=London`:          `O=Bank\, the old one, L=London, C=GB`,
		`C=GB,O="Bank, the old one",L=London`:         `O="Bank, the old one", L=London, C=GB`,
		"CN=x,OU=y,O=z,L=London,ST=s,C=GB":            "CN=x, OU=y, O=z, L=London, ST=s, C=GB",
		"X=1,O=z":                                     "O=z, X=1",
		"  just a name  ":                             "just a name",
		"O=A=B, L=Paris, C=FR":                        "O=A=B, L=Paris, C=FR",
		"O=trailing backslash\\":                      "O=trailing backslash\\",
		"OU=b, OU=a, O=z, L=London, C=GB":             "OU=b, OU=a, O=z, L=London, C=GB",
		"L=London, O=Corda HA, C=GB":                  "O=Corda HA, L=London, C=GB",
		"o=Corda HA, l=London, c=GB":                  "O=Corda HA, L=London, C=GB",
		"O=Corda HA, L=London, C=GB ":                 "O=Corda HA, L=London, C=GB",
		"O=\"unclosed, L=London":                      "O=\"unclosed, L=London",
		"CN=service, O=Corda HA, L=London, C=GB, X=1": "CN=service, O=Corda HA, L=London, C=GB, X=1",
	} {
		if got := canonicalLegalName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestMachineWithoutAHostNameMustBeNamed(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", least)
	world := r.world()
	world.Hostname = ""
	_, err := Load("hotcold.conf", world)
	if err == nil || !strings.Contains(err.Error(), "hotcold.mutualExclusion.machineName: is not set and the machine has no host name") {
		t.Errorf("got %v", err)
	}
	world.Hostname = "localhost"
	c, err := Load("hotcold.conf", world)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(warningsOf(c), "is localhost") {
		t.Errorf("got %s", warningsOf(c))
	}
}

func TestWarningsOfACordaNode(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", cordaNode+"devMode = true\nhotcold.log.level = debug\nnotary.x = [\"a ${B}\"]\n")
	c, err := r.load("hotcold.conf")
	if err != nil {
		t.Fatal(err)
	}
	want := `hotcold.conf:10:11: devMode: devMode makes a new random identity where a keystore is missing; it must be off in production
hotcold.conf:11:1: hotcold: stands in the node's own file, and a node refuses to start with keys that it does not know; put it into a hotcold.conf that begins with include "node.conf"
hotcold.conf:12:13: notary.x.0: holds the text ${: nothing is substituted inside quotes; write ${NAME} without quotes, as in ${HOST}":"${PORT}`
	if got := warningsOf(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFilesThatCannotBeReadAreFaults(t *testing.T) {
	r := newRoom(t)
	if _, err := r.load("gone.conf"); err == nil || !strings.Contains(err.Error(), "gone.conf") {
		t.Errorf("got %v", err)
	}
	if got := r.faults(least + "hotcold.nodeConf = gone.conf"); len(got) != 1 || !strings.Contains(got[0], "gone.conf") {
		t.Errorf("got %v", got)
	}
	if got := r.faults("hotcold { name = ${GONE} }"); len(got) != 1 || !strings.HasPrefix(got[0], "hotcold.conf:1:18: ") {
		t.Errorf("got %v", got)
	}
}

func TestSettingsRecordWhatIsInForceAndWhereItStands(t *testing.T) {
	r := newRoom(t)
	c := r.mustLoad(least + "hotcold.database.password = geheim\nhotcold.node.env { A = geheim }")
	got := map[string]string{}
	for _, s := range c.Settings {
		got[s.Path] = fmt.Sprintf("%s (%v)", s.Value, s.Pos)
	}
	for path, want := range map[string]string{
		"hotcold.database.url":                   "postgres db:5432/hotcold (hotcold.conf:1:67)",
		"hotcold.database.password":              "*** (hotcold.conf:2:29)",
		"hotcold.node.env":                       "A=*** (hotcold.conf:3:18)",
		"hotcold.mutualExclusion.updateInterval": "2s (default)",
		"hotcold.node.command":                   `["/bin/true"] (hotcold.conf:1:39)`,
		"hotcold.listen.address":                 "127.0.0.1:4653 (default)",
		"hotcold.node.output.file":               " (default)",
	} {
		if got[path] != want {
			t.Errorf("%s: got %s, want %s", path, got[path], want)
		}
	}
}

func TestADeviceThatWasNamedByMistakeIsNotReadToItsEnd(t *testing.T) {
	_, err := Load("/dev/zero", Env{Hostname: "a", WorkDir: t.TempDir()})
	const want = "/dev/zero: the file cannot be read: it is larger than 4194304 bytes, which no configuration is"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestAllFilesThatCountAreKnown(t *testing.T) {
	r := newRoom(t)
	r.file("corda/node.conf", "include \"ports.conf\"\n"+cordaNode)
	r.file("corda/ports.conf", "messagingServerAddress = \"10.0.0.5:11005\"\nmessagingServerExternal = false\n")
	c := r.mustLoad("include \"this-machine.conf\"\nhotcold.nodeConf = corda/node.conf\n")
	var want []string
	for _, name := range []string{"hotcold.conf", "this-machine.conf", "corda/node.conf", "corda/ports.conf"} {
		want = append(want, filepath.Join(r.dir, name))
	}
	if !slices.Equal(c.Files, want) {
		t.Errorf("got  %q\nwant %q", c.Files, want)
	}
}
