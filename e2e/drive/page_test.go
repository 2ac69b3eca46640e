package drive

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/internal/testserver/markdown"
)

const (
	chapter       = "../../docs/two-machines.md"
	blockLimit    = 3 * time.Minute // it may wait for a takeover
	storePassword = "change-it"     // as the chapter's environment has it
)

// withSystemd has a guest go on as a machine does: systemd is its first process, and an SSH server runs. What this
// machine has in /usr/local/bin, /home and /tmp is not seen there.
const withSystemd = `
for d in /usr/local/bin /home /tmp /var/tmp; do mount -t tmpfs tmp $d; done
chmod 1777 /tmp /var/tmp
echo '%[1]s db.example.com lb.example.com' >> /etc/hosts
ip addr add %[2]s/16 dev vec0
rm -rf /etc/systemd/system/* /etc/ssh/ssh_host_*
cp /proc/sys/kernel/hostname /etc/hostname
mkdir -p /run/units /run/sshd
for unit in sysinit basic sockets network-online remote-fs shutdown multi-user; do echo "[Unit]" > /run/units/$unit.target; done
mkdir /run/units/hotcold.service.d && printf '[Service]\nStandardError=append:/run/ctl/agent.log\n' > /run/units/hotcold.service.d/log.conf # there is no journald
ssh-keygen -q -A && /usr/sbin/sshd
/bin/bash /run/ctl/answer &
exec env -i container=uml PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/units ` +
	`/lib/systemd/systemd --system --unit=multi-user.target --show-status=no
`

// Goal: the chapter leads from two fresh machines to a check without a fault, and to a node that goes there and back.
//
// Method: its blocks are run, one after the other, as they stand.
func TestTheChapterLeadsToACheckWithoutAFault(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(chapter)
	if err != nil {
		t.Fatal(err)
	}
	page, err := markdown.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	node := nodeJar(t)
	l := newLab(t, 2)
	l.database()
	l.nfs()
	l.fresh()
	guests := map[string]*guest{"machine-a": l.guest(1), "machine-b": l.guest(2)}
	for name, address := range map[string]string{"machine-a": "10.0.1.4", "machine-b": "10.0.2.4"} {
		guests[name].powerOnWith(fmt.Sprintf(withSystemd, serverIP, address))
	}
	for _, g := range guests {
		g.untilUp()
		l.until("systemd of "+g.name, bootLimit, func() bool {
			_, code := g.end(g.begin("systemctl is-active multi-user.target"), commandLimit)
			return code == 0
		})
		l.sh("cp " + hotcold(t) + " " + node + " " + g.ctl) // a guest has a /tmp of its own
	}
	a := guests["machine-a"]
	a.deploy()

	r := &reader{t: t, guests: guests}
	for _, b := range page.Blocks {
		r.run(b)
	}
	if want := 2 * len(guests); r.checks != want {
		t.Errorf("%d checks were run, want %d", r.checks, want)
	}
	epochs := strings.Fields(a.sh("cat /mnt/corda/artemis/journal"))
	if got := strings.Join(epochs, " "); got != "0 1 2 3" {
		t.Errorf("the journal on the drive has the epochs %q, want what was there before and three terms", got)
	}
	if got := a.sh("cat /opt/corda/artemis.before-hotcold/journal"); got != "0\n" {
		t.Errorf("the journal that was kept is %q", got)
	}
}

// fresh makes the export what a new file system is: empty, and root's.
func (l *lab) fresh() {
	l.t.Helper()
	if err := errors.Join(os.Remove(filepath.Join(l.export, "other")), os.Chmod(l.export, 0o755)); err != nil {
		l.t.Fatal(err)
	}
}

// nodeJar is a folder with corda.jar.
func nodeJar(t *testing.T) string {
	t.Helper()
	need(t, "javac", "jar", "keytool", "ssh-keyscan", "scp", "/usr/sbin/sshd", "/lib/systemd/systemd")
	dir := testserver.Dir(t)
	manifest := filepath.Join(dir, "manifest")
	if err := os.WriteFile(manifest, []byte("Corda-Release-Version: 4.12\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := filepath.Abs("testdata/Node.java")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"javac", "--release", "17", "-d", ".", source},
		{"jar", "--create", "--file", "corda.jar", "--manifest", manifest, "--main-class", "Node", "Node.class"},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	return filepath.Join(dir, "corda.jar")
}

// deploy makes a guest the machine with the node, before anything of hotcold is there.
func (g *guest) deploy() {
	g.l.t.Helper()
	g.sh(`mkdir -p /opt/corda/certificates /opt/corda/additional-node-infos /opt/corda/cordapps /opt/corda/artemis && cd /opt/corda
cp /run/ctl/corda.jar .
echo parameters > network-parameters; echo info > additional-node-infos/nodeInfo-1; echo flows > cordapps/flows.jar; echo 0 > artemis/journal
for store in nodekeystore sslkeystore; do
	keytool -genkeypair -keystore certificates/$store.jks -storepass ` + storePassword + ` -alias identity -keyalg EC -dname CN=x 2>/dev/null
done
keytool -exportcert -keystore certificates/nodekeystore.jks -storepass ` + storePassword + ` -alias identity -file /run/cert 2>/dev/null
keytool -importcert -noprompt -keystore certificates/truststore.jks -storepass ` + storePassword + ` -alias root -file /run/cert 2>/dev/null`)
}

// reader does what the chapter says.
type reader struct {
	t      *testing.T
	guests map[string]*guest
	shell  string // with what a shell begins
	checks int
}

func (r *reader) run(b markdown.Block) {
	r.t.Helper()
	a := r.guests["machine-a"]
	switch {
	case b.Is("hocon node"):
		a.file("/opt/corda/node.conf", b.Text)
	case b.Is("text environment"):
		u, err := url.Parse(a.l.dsn)
		if err != nil {
			r.t.Fatal(err)
		}
		password, _ := u.User.Password()
		a.file("/etc/hotcold/environment", replaced(r.t, b.Text,
			"5432/corda", "5432"+u.Path, "DB_USER=corda", "DB_USER="+u.User.Username(), "DB_PASSWORD=change-it", "DB_PASSWORD="+password))
	case b.Is("sh both shell"):
		r.shell = b.Text
	case b.Is("sh"):
		words := strings.Fields(b.Info)
		for _, name := range []string{"machine-a", "machine-b"} {
			if words[1] == name || words[1] == "both" {
				r.sh(b, r.guests[name], words[2])
			}
		}
	default:
		r.t.Errorf("%s:%d: nobody runs a block of the kind %q", chapter, b.Line, b.Info)
	}
}

func (r *reader) sh(b markdown.Block, g *guest, user string) {
	r.t.Helper()
	text := b.Text
	const example = "ssh-ed25519 AAAA... hotcold@machine-a"
	if strings.Contains(text, example) {
		text = replaced(r.t, text, example, strings.TrimSpace(r.guests["machine-a"].sh("cat ~hotcold/.ssh/id_ed25519.pub")))
	}
	script := filepath.Join(g.ctl, "block")
	g.l.write(script, "set -e\n"+r.shell+text)
	line := "cd /run/ctl && bash block"
	if user != "root" {
		line = "runuser -l " + user + " -c 'bash /run/ctl/block'"
	}
	out, code := g.end(g.begin(line), blockLimit)
	r.t.Logf("%s, %s:\n%s%s", g.name, user, b.Text, out)
	if code != 0 {
		r.t.Fatalf("%s:%d: on %s it ended with %d", chapter, b.Line, g.name, code)
	}
	for line := range strings.Lines(b.Text) {
		if line == "hotcold check\n" || line == "hotcold drive check\n" {
			r.checks++
			if strings.Contains(out, "✗") {
				r.t.Errorf("%s:%d: on %s a fault was found", chapter, b.Line, g.name)
			}
		}
	}
}

// file puts a file of the node's user in its place.
func (g *guest) file(name, text string) {
	g.l.t.Helper()
	g.l.write(filepath.Join(g.ctl, "file"), text)
	g.sh("install -m 0600 -o hotcold -g hotcold /run/ctl/file " + name)
}

// replaced replaces texts that have to be there.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Errorf("the chapter does not say %q", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	return text
}
