package hocon_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/hocon"
)

// environment is what the cases under testdata may look up.
func environment(name string) (string, bool) {
	value, ok := map[string]string{
		"USER_NAME":  "jane",
		"EMPTY":      "",
		"PORT":       "20000",
		"WITH.POINT": "p",
	}[name]
	return value, ok
}

// load parses and resolves one text.
func load(t *testing.T, name, text string) (*hocon.Config, error) {
	t.Helper()
	doc, err := hocon.Parse(name, []byte(text))
	if err != nil {
		return nil, err
	}
	return hocon.Resolve(hocon.Layers{doc}, hocon.Env(environment))
}

// mustLoad is load for text without faults.
func mustLoad(t *testing.T, text string) *hocon.Config {
	t.Helper()
	c, err := load(t, "t.conf", text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustJSON(t *testing.T, c *hocon.Config) string {
	t.Helper()
	text, err := c.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCases runs the tables under testdata. A case is a title after "===", a
// text, and either the JSON it makes or every fault it has.
func TestCases(t *testing.T) {
	for _, c := range tableCases(t) {
		t.Run(c.name, c.run)
	}
}

// tableCase is one case of the tables.
type tableCase struct {
	name string
	text string
	json string // what it makes
	want string // or its faults
}

func tableCases(t *testing.T) []tableCase {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("read the tables: %v, %v", files, err)
	}
	var out []tableCase
	for _, file := range files {
		table, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(table), "\n=== ")[1:] {
			title, rest, _ := strings.Cut(part, "\n")
			c := tableCase{name: filepath.Base(file) + "/" + title}
			in, json, ok := strings.Cut("\n"+rest, "\n--- json\n")
			if ok {
				c.json = strings.TrimRight(json, "\n")
			} else if in, c.want, ok = strings.Cut("\n"+rest, "\n--- faults\n"); ok {
				c.want = strings.TrimRight(c.want, "\n")
			} else {
				t.Fatalf("%s says neither json nor faults", c.name)
			}
			c.text = input(in)
			out = append(out, c)
		}
	}
	return out
}

func (c tableCase) run(t *testing.T) {
	if c.json != "" {
		if got := mustJSON(t, mustLoad(t, c.text)); got != c.json {
			t.Errorf("got  %s\nwant %s", got, c.json)
		}
		return
	}
	_, err := load(t, "t.conf", c.text)
	if err == nil {
		t.Fatal("no fault was found")
	}
	if err.Error() != c.want {
		t.Errorf("got\n%s\nwant\n%s", err, c.want)
	}
}

// input returns a case's text, whose last newline the cut took away.
func input(in string) string {
	if in == "" {
		return ""
	}
	return in[1:] + "\n"
}

// guide is the node.conf of Corda Enterprise's hot-cold guide, with the
// variables outside the quotes, where HOCON substitutes them.
const guide = `
p2pAddress : ${LOAD_BALANCER_ADDRESS}":"${P2P_PORT}
rpcSettings {
    address : ${NODE_MACHINE_ADDRESS}":"${RPC_PORT}
    adminAddress : ${NODE_MACHINE_ADDRESS}":"${RPC_ADMIN_PORT}
}
myLegalName : "O=Corda HA, L=London, C=GB"
keyStorePassword : "password"
trustStorePassword : "password"
rpcUsers=[
    {
        user=corda
        password=corda_is_awesome
        permissions=[
            ALL
        ]
    }
]
database.runMigration = true
dataSourceProperties = {
    dataSourceClassName = "com.microsoft.sqlserver.jdbc.SQLServerDataSource"
    dataSource.url = ${DB_JDBC_URL}
    dataSource.user = ${DB_USER}
    dataSource.password = "${DB_PASSWORD}"
}
enterpriseConfiguration = {
    mutualExclusionConfiguration = {
        on = true
        updateInterval = 20000
        waitInterval = 40000
    }
}
`

func guideEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"LOAD_BALANCER_ADDRESS": "lb.example.com", "P2P_PORT": "10002",
		"NODE_MACHINE_ADDRESS": "10.1.0.4", "RPC_PORT": "10003", "RPC_ADMIN_PORT": "10005",
		"DB_JDBC_URL": "jdbc:sqlserver://db:1433;databaseName=corda", "DB_USER": "corda",
	}[name]
	return value, ok
}

func TestTheGuidesNodeConfIsRead(t *testing.T) {
	doc, err := hocon.Parse("node.conf", []byte(guide))
	if err != nil {
		t.Fatal(err)
	}
	c, err := hocon.Resolve(hocon.Layers{doc}, hocon.Env(guideEnv))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"p2pAddress":                          "lb.example.com:10002",
		"rpcSettings.adminAddress":            "10.1.0.4:10005",
		"rpcUsers.0.permissions.0":            "ALL",
		"dataSourceProperties.dataSource.url": "jdbc:sqlserver://db:1433;databaseName=corda",
		"enterpriseConfiguration.mutualExclusionConfiguration.waitInterval": "40000",
		// Quoted as the guide has it, a substitution is text.
		"dataSourceProperties.dataSource.password": "${DB_PASSWORD}",
	} {
		if got := c.At(path).Reveal(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestTheGuidesNodeConfNeedsItsEnvironment(t *testing.T) {
	doc, err := hocon.Parse("node.conf", []byte(guide))
	if err != nil {
		t.Fatal(err)
	}
	_, err = hocon.Resolve(hocon.Layers{doc})
	var es hocon.Errors
	if !errors.As(err, &es) {
		t.Fatalf("got %v, want Errors", err)
	}
	// Two in each address, two for the database; a piece that fails ends its text.
	const want = "node.conf:2:14: p2pAddress: ${LOAD_BALANCER_ADDRESS} refers to nothing: " +
		"there is no such key, and no environment variable of that name"
	if es[0].Error() != want {
		t.Errorf("got  %s\nwant %s", es[0], want)
	}
	if len(es) != 8 {
		t.Errorf("got %d faults, want 8:\n%v", len(es), es)
	}
}

func TestMissingFileIsAFaultOfTheWholeFile(t *testing.T) {
	_, err := hocon.ParseFile(filepath.Join(t.TempDir(), "node.conf"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist in it", err)
	}
	if !strings.HasSuffix(err.Error(), "node.conf: the file cannot be read: no such file or directory") {
		t.Errorf("got %q", err)
	}
}

func TestUTF16IsNamed(t *testing.T) {
	_, err := hocon.Parse("t.conf", []byte("\xff\xfea\x00=\x001\x00"))
	if err == nil || err.Error() != "t.conf: want UTF-8, got UTF-16: save the file as UTF-8" {
		t.Errorf("got %v", err)
	}
}

func TestBytesThatAreNotUTF8AreReplaced(t *testing.T) {
	if got := mustJSON(t, mustLoad(t, "a = caf\xe9 # \xff\n")); got != "{\"a\":\"caf\ufffd\"}" {
		t.Errorf("got %s", got)
	}
}

func TestBrokenCharactersAreCountedAsJavaDoes(t *testing.T) {
	for text, want := range map[string]string{
		"\xff\xff":         "\ufffd\ufffd",
		"\xe2\x82x":        "\ufffdx",
		"\xf0\x9f\x98x":    "\ufffdx",
		"\xed\xa0\x80":     "\ufffd",
		"\xc3(":            "\ufffd(",
		"\xe2\x82\xac\x80": "\u20ac\ufffd",
	} {
		if got, err := mustLoad(t, "a = "+text).At("a").Text(); got != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestAnEscapeThatIsCutInPropertiesIsAFault(t *testing.T) {
	_, err := load(t, "t.properties", "a = 1\nb.c = x\\u12")
	const want = `t.properties:2:1: \u must be followed by four hex digits: write \\ for a backslash`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestCarriageReturnsAreSpaces(t *testing.T) {
	if got := mustJSON(t, mustLoad(t, "\ufeffa = x y\r\nb = [\r\n1\r\n]\r\n")); got != `{"a":"x y","b":[1]}` {
		t.Errorf("got %s", got)
	}
}

func TestStrictJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": 1, "b.c": [true, null, {}]}`: "",
		`{"a": "${b}"}`:                     "",
		``:                                  `t.json:1:1: want a JSON object, got an empty file`,
		`{"a": 1,}`:                         `t.json:1:9: JSON allows no comma before '}'`,
		`{"a": [1,]}`:                       `t.json:1:10: a: JSON allows no comma before ']'`,
		`{"a": 1, "a": 2}`:                  `t.json:1:10: a: JSON allows a key only once, and this one was there before`,
		`{"a" = 1}`:                         `t.json:1:6: a: want ':' after the key, got '='`,
		`{a: 1}`:                            `t.json:1:2: want a key in double quotes, got unquoted text`,
		`{"a": x}`:                          `t.json:1:7: a: want a JSON value, got text without quotes`,
		`{"a": ${b}}`:                       `t.json:1:7: a: JSON has no substitutions`,
		`{"a": "x" "y"}`:                    `t.json:1:11: a: want a comma or '}', got a quoted string`,
		"{\"a\": 1\n\"b\": 2}":              `t.json:2:1: a: want a comma or '}', got a quoted string`,
		"{\"a\": 1 // one\n}":               `t.json:1:9: a: want a comma or '}', got unquoted text`,
		`{"a": 1} {}`:                       `t.json:1:10: want nothing after the '}' that closes the root object, got '{'`,
	} {
		_, err := load(t, "t.json", text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestPropertiesFiles(t *testing.T) {
	const text = "# comment\n! another\na.b = 1\na.c : two words \nd\ne=x\\\n   y\nk\\ ey\\=\tv\\u0041l\\q\n" +
		"both = lost\nboth.inner = kept\nmachines.0 = p\nmachines.1 = b\ntwice=1\ntwice=2\nlit = ${a}\n"
	c, err := load(t, "t.properties", text)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"a":{"b":"1","c":"two words "},"d":"","e":"xy","k ey=":"vAlq","both":{"inner":"kept"},` +
		`"machines":{"0":"p","1":"b"},"twice":"2","lit":"${a}"}`
	if got := mustJSON(t, c); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err := c.At("machines").Strings(); err != nil || strings.Join(got, " ") != "p b" {
		t.Errorf("machines as a list: %v, %v", got, err)
	}
	if got := c.At("a.c").Pos().String(); got != "t.properties:4:7" {
		t.Errorf("a.c stands at %s", got)
	}
}
