package testserver

import (
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
)

// ArtemisVersion is the release that the tests run. scripts/test-deps.sh fetches it.
const ArtemisVersion = "2.40.0"

// artemisFiles are the settings of an instance, as templates over artemisValues.
//
//go:embed artemis
var artemisFiles embed.FS

// ArtemisHome is an unpacked distribution of the broker.
type ArtemisHome struct {
	dir  string
	java string
}

// Artemis finds the broker's distribution in the cache: the folder HOTCOLD_CACHE,
// or .cache in the module's root. Where it or Java is missing it skips the test,
// and fails it in the build.
func Artemis(t testing.TB) *ArtemisHome {
	t.Helper()
	home, err := findArtemis()
	if err != nil {
		missing(t, err)
	}
	return home
}

// InstanceOptions describe one broker.
type InstanceOptions struct {
	// AMQPPort is the port on which the broker serves AMQP 1.0, and Host the
	// address of loopback; empty means 127.0.0.1.
	AMQPPort int
	Host     string
	// Data is the directory that the instance's data/ is linked to: journal,
	// bindings, pages, large messages. Two instances with the same Data are a hot
	// and a cold broker. Empty means a directory of the instance's own.
	Data string
}

func (o InstanceOptions) amqp() string {
	if o.Host == "" {
		return loopback(o.AMQPPort)
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(o.AMQPPort))
}

// ArtemisInstance is the settings of one broker and where it keeps its data.
type ArtemisInstance struct {
	home *ArtemisHome
	dir  string
	addr string
}

// artemisValues is what the templates know.
type artemisValues struct {
	AMQP      string // host:port
	BrokerURI string
}

// CreateInstance writes a broker's settings into dir, which may exist: messages
// persistent and synced, NIO journal, AMQP only, no security, no web console. An
// address becomes a durable queue when a client names it.
func (h *ArtemisHome) CreateInstance(t testing.TB, dir string, o InstanceOptions) *ArtemisInstance {
	t.Helper()
	if err := h.createInstance(dir, o); err != nil {
		t.Fatalf("create the Artemis instance %s: %v", dir, err)
	}
	return &ArtemisInstance{home: h, dir: dir, addr: o.amqp()}
}

// Dir returns the instance's directory. Its data/ is the directory, or the link,
// that holds the messages.
func (i *ArtemisInstance) Dir() string { return i.dir }

// Addr returns the broker's AMQP address as host:port.
func (i *ArtemisInstance) Addr() string { return i.addr }

// Command says how to run the broker in the foreground: one process, which logs to
// its standard output and ends in good order on SIGTERM.
func (i *ArtemisInstance) Command() (argv []string, dir string, env []string) {
	argv = []string{
		i.home.java,
		"-Xms64m", "-Xmx256m", "-XX:+UseSerialGC",
		"-XX:TieredStopAtLevel=1", // a test's broker lives too short for the slow compiler
		"-XX:-UsePerfData",        // it would write into the machine's temporary folder
		"-Dlog4j2.disableJmx=true",
		"--add-opens", "java.base/jdk.internal.misc=ALL-UNNAMED",
		"-Dartemis.home=" + i.home.dir,
		"-Dartemis.instance=" + i.dir,
		"-Dartemis.instance.etc=" + filepath.Join(i.dir, "etc"),
		"-Ddata.dir=" + filepath.Join(i.dir, "data"),
		"-Djava.io.tmpdir=" + filepath.Join(i.dir, "tmp"),
		"-classpath", filepath.Join(i.home.dir, "lib", "artemis-boot.jar"),
		"org.apache.activemq.artemis.boot.Artemis", "run",
	}
	// log4j2.properties is found through the class path of the boot class.
	env = []string{
		"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + i.dir,
		"ARTEMIS_HOME=" + i.home.dir, "ARTEMIS_INSTANCE=" + i.dir,
	}
	return argv, i.dir, env
}

func (h *ArtemisHome) createInstance(dir string, o InstanceOptions) error {
	if !filepath.IsAbs(dir) || (o.Data != "" && !filepath.IsAbs(o.Data)) {
		return errors.New("the directories must be absolute")
	}
	etc := filepath.Join(dir, "etc")
	for _, d := range []string{etc, filepath.Join(dir, "tmp")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if o.Data == "" {
		o.Data = filepath.Join(dir, "data")
	} else if err := os.Symlink(o.Data, filepath.Join(dir, "data")); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Data, 0o755); err != nil {
		return err
	}
	uri := url.URL{Scheme: "file", Path: filepath.Join(etc, "broker.xml")}
	return writeTemplates(etc, artemisValues{AMQP: o.amqp(), BrokerURI: uri.String()})
}

// writeTemplates fills every file of artemisFiles into dir.
func writeTemplates(dir string, values artemisValues) error {
	templates, err := template.New("").Funcs(template.FuncMap{"xml": escapeXML}).ParseFS(artemisFiles, "artemis/*")
	if err != nil {
		return err
	}
	for _, tmpl := range templates.Templates() {
		var text strings.Builder
		if err := tmpl.Execute(&text, values); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, tmpl.Name()), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func escapeXML(text string) (string, error) {
	var escaped strings.Builder
	err := xml.EscapeText(&escaped, []byte(text))
	return escaped.String(), err
}

func findArtemis() (*ArtemisHome, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, errors.New("no java in PATH: the broker needs Java 17")
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "apache-artemis-"+ArtemisVersion)
	if _, err := os.Stat(filepath.Join(dir, "lib", "artemis-boot.jar")); err != nil {
		return nil, fmt.Errorf("the Artemis broker is not in the cache: %w", err)
	}
	return &ArtemisHome{dir: dir, java: java}, nil
}

// cacheDir returns the folder that scripts/test-deps.sh fills.
func cacheDir() (string, error) {
	if dir := os.Getenv("HOTCOLD_CACHE"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("HOTCOLD_CACHE is %q: it must be an absolute path, because tests run in many folders", dir)
		}
		return dir, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".cache"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the test: set HOTCOLD_CACHE")
		}
		dir = parent
	}
}
