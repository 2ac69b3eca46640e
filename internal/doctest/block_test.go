package doctest

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/testserver/markdown"
)

// A configuration in the manual is one that works. What it takes from the environment is there.
func TestConfigurationsOfTheManualLoad(t *testing.T) {
	for _, name := range manual(t) {
		p := readPage(t, name)
		for _, b := range p.Blocks {
			if !b.Is("hocon conf") && !b.Is("hocon warned") {
				continue
			}
			c, err := load(t, p, b)
			switch {
			case err != nil:
				t.Errorf("%s:%d: %v", name, b.Line, err)
			case b.Is("hocon conf") && len(c.Warnings) > 0:
				t.Errorf("%s:%d: is warned of: %v", name, b.Line, c.Warnings)
			case b.Is("hocon warned") && len(c.Warnings) == 0:
				t.Errorf("%s:%d: is not warned of, and the page says that it is", name, b.Line)
			}
		}
	}
}

// load reads a block as hotcold.conf, beside the page's node.conf if it has one.
func load(t *testing.T, p page, b markdown.Block) (*config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	for _, other := range p.Blocks {
		if other.Is("hocon node") {
			write(t, filepath.Join(dir, "node.conf"), other.Text, 0o600)
		}
	}
	file := filepath.Join(dir, "hotcold.conf")
	write(t, file, b.Text, 0o600)
	return config.Load(file, config.Env{Lookup: environment, Hostname: "primary", WorkDir: dir, Euid: 0})
}

// environment is where the manual's examples run.
func environment(name string) (string, bool) {
	known := map[string]string{
		"DB_JDBC_URL": "jdbc:postgresql://db.example.com/corda", "DB_USER": "corda", "DB_PASSWORD": "secret",
		"HOTCOLD_DB_PASSWORD": "secret", "LOAD_BALANCER_ADDRESS": "balancer.example.com",
		"NODE_MACHINE_ADDRESS": "10.0.0.4", "KEY_STORE_PASSWORD": "secret", "TRUST_STORE_PASSWORD": "secret", "RPC_PASSWORD": "secret",
	}
	value, ok := known[name]
	return value, ok
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestXMLOfTheManualIsWellFormed(t *testing.T) {
	for _, name := range manual(t) {
		for _, b := range readPage(t, name).Blocks {
			if !b.Is("xml") {
				continue
			}
			d := xml.NewDecoder(strings.NewReader(b.Text))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Errorf("%s:%d: %v", name, b.Line, err)
					break
				}
			}
		}
	}
}

// What the preset knows of a Corda node is what its page says.
func TestThePageOfCordaSaysWhatThePresetKnows(t *testing.T) {
	p := readPage(t, "docs/corda.md")
	c, err := load(t, p, markdown.Block{Info: "hocon conf", Text: "include \"node.conf\"\nhotcold.preset = corda\n"})
	if err != nil {
		t.Fatal(err)
	}
	cells := func(column string) (all string) {
		for _, row := range p.table(t, column) {
			all += row[0] + " "
		}
		return all
	}
	for _, f := range c.Preset.Files {
		if !strings.Contains(cells("path"), "`"+f.Path+"`") {
			t.Errorf("docs/corda.md does not say to copy %s", f.Path)
		}
	}
	for _, e := range c.Preset.ExitCodes {
		if !strings.Contains(" "+strings.ReplaceAll(cells("code"), ",", "")+" ", " "+strconv.Itoa(e.Code)+" ") {
			t.Errorf("docs/corda.md does not explain exit code %d", e.Code)
		}
	}
}
