package config

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// jdbcDriver is a running driver of JDBC, asked through testdata/jdbc/Drivers.java.
type jdbcDriver struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

// newJDBCDriver starts the Java machine, once for a whole test.
func newJDBCDriver(t testing.TB, name string) *jdbcDriver {
	t.Helper()
	java, jar := testserver.JDBCDriver(t, name)
	source, err := filepath.Abs("testdata/jdbc/Drivers.java")
	if err != nil {
		t.Fatal(err)
	}
	d := &jdbcDriver{t: t}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Duser.home="+dir, "-Duser.name=somebody", "-cp", jar, source, name)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + dir}
	if d.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if testing.Verbose() { // MariaDB's driver says there what is deprecated
		cmd.Stderr = os.Stderr
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.in.Close() // its end is the answer to that
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("the driver %s: %v", name, err)
		}
	})
	return d
}

// ask asks one question of several words. A driver that does not take them gives its reason instead.
func (d *jdbcDriver) ask(words ...string) (reading map[string]string, fault string) {
	d.t.Helper()
	if _, err := io.WriteString(d.in, strings.Join(words, "\t")+"\n"); err != nil {
		d.t.Fatalf("ask the driver: %v", err)
	}
	line, err := d.out.ReadString('\n')
	if err != nil {
		d.t.Fatalf("read the driver's answer: %v", err)
	}
	text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "=")
	if !ok {
		return nil, strings.TrimPrefix(line, "!")
	}
	if err := json.Unmarshal([]byte(text), &reading); err != nil {
		d.t.Fatalf("read the driver's answer: %v\n%s", err, line)
	}
	return reading, ""
}

// hostList writes hosts as testdata/jdbc/Drivers.java does.
func hostList(hosts []HostPort) string {
	texts := make([]string, len(hosts))
	for i, h := range hosts {
		texts[i] = h.String()
	}
	return strings.Join(texts, ",")
}

// jdbcReading is one reading of an address, ours or the driver's, in words that can be compared.
type jdbcReading map[string]string

// differences names what two readings do not have in common.
func (r jdbcReading) differences(other jdbcReading) []string {
	var names []string
	for _, key := range slices.Sorted(maps.Keys(r)) {
		if r[key] != other[key] {
			names = append(names, fmt.Sprintf("%s: ours %q, the driver's %q", key, r[key], other[key]))
		}
	}
	return names
}

// jdbcDialect is how one driver's reading is compared with ours.
type jdbcDialect struct {
	driver string
	// ours reads an address as this package does.
	ours func(text string) (jdbcReading, error)
	// theirs brings the driver's answer into the same words.
	theirs func(answer map[string]string) jdbcReading
	// grammar makes addresses.
	grammar jdbcGrammar
	// other makes addresses of another form, or is nil.
	other func(*rand.Rand) string
	// table are addresses that were thought of.
	table []string
	// stricter allows our reading to ask more of TLS.
	stricter bool
	// more says why we may take an address that the driver does not.
	more func(text, fault string) bool
}

// jdbcGrammar makes addresses out of parts of them: any place with any database and any parameters.
type jdbcGrammar struct {
	begin, host, port, database, param []string
	// first and next stand before the first parameter and between them.
	first, next string
	// hosts is how many hosts there may be.
	hosts int
}

// address draws one.
func (g jdbcGrammar) address(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var b strings.Builder
	b.WriteString(pick(g.begin))
	for i := range 1 + r.IntN(g.hosts) {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(pick(g.host) + pick(g.port))
	}
	b.WriteString(pick(g.database))
	for i := range r.IntN(4) {
		b.WriteString([]string{g.first, g.next}[min(i, 1)] + pick(g.param))
	}
	return b.String()
}

// differences names what ours has and theirs has not.
func (j jdbcDialect) differences(ours, theirs jdbcReading) []string {
	if j.stricter && tlsStrength(ours["tls"]) >= tlsStrength(theirs["tls"]) {
		theirs["tls"] = ours["tls"]
	}
	return ours.differences(theirs)
}

// addresses are those of the table, and some more that are drawn.
func (j jdbcDialect) addresses() []string {
	const drawn = 500
	r := rand.New(rand.NewPCG(7, 42))
	all := slices.Clone(j.table)
	for range drawn {
		all = append(all, j.grammar.address(r))
		if j.other != nil {
			all = append(all, j.other(r))
		}
	}
	return all
}

// Every address is read by the driver that a node has, and by us. We may refuse what the driver takes: the fault
// says why. What both take has one meaning. So it is with the parts of data sources.
func TestAddressesOfJDBCAreReadAsTheRealDriversReadThem(t *testing.T) {
	for _, dialect := range jdbcDialects() {
		t.Run(dialect.driver, func(t *testing.T) {
			t.Parallel()
			d := newJDBCDriver(t, dialect.driver)
			compareAddresses(t, d, dialect)
			compareParts(t, d, dialect)
		})
	}
}

func compareAddresses(t *testing.T, d *jdbcDriver, dialect jdbcDialect) {
	addresses, both, refused := dialect.addresses(), 0, map[string]int{}
	for _, text := range addresses {
		answer, fault := d.ask("url", text)
		ours, err := dialect.ours(text)
		switch {
		case err != nil && fault == "":
			refused[err.Error()]++
		case err != nil:
		case fault != "" && dialect.more != nil && dialect.more(text, fault):
		case fault != "":
			t.Errorf("%s\nis taken by us, and not by the driver: %s", text, fault)
		default:
			both++
			if different := dialect.differences(ours, dialect.theirs(answer)); len(different) > 0 {
				t.Errorf("%s\n%s", text, strings.Join(different, "\n"))
			}
		}
	}
	if both < len(addresses)/10 {
		t.Errorf("of %d addresses only %d were taken by both: the comparison is of little use", len(addresses), both)
	}
	t.Logf("of %d addresses %d were taken by both", len(addresses), both)
	for _, reason := range slices.SortedFunc(maps.Keys(refused), func(a, b string) int { return cmp.Compare(refused[b], refused[a]) }) {
		t.Logf("%d addresses that the driver takes are refused: %s", refused[reason], reason)
	}
}
