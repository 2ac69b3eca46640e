package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// Load reads hotcold.conf, or a node.conf, with all that it includes, and checks all of it. The error is
// hocon.Errors with every fault that was found, sorted by position.
func Load(path string, env Env) (*Config, error) {
	c, _, err := load(path, env, readAgent)
	return c, err
}

// RuntimeDir reads only where agent and balancer keep their sockets, from a file whose other settings may be at fault: who
// asks a running process must not need a file that it would start with.
func RuntimeDir(path string, env Env) (string, error) {
	lookup := env.Lookup
	if lookup == nil {
		lookup = func(string) (string, bool) { return "", false }
	}
	env.Lookup = emptyWhereUnset(lookup)
	src, err := read(path, env)
	if err != nil {
		return "", err
	}
	d := &decoder{
		env: env, cfg: src.cfg, baseDir: src.baseDir, front: true,
		where: map[string]Pos{}, origins: map[string]hocon.Origin{}, shown: map[string]string{},
	}
	d.useRows(table())
	d.env.Lookup = lookup
	d.defaults = tree("default", "hotcold.runtimeDir = "+quote(d.runtimeDir()))
	dir := d.path("hotcold.runtimeDir")
	if len(d.errs) > 0 {
		return "", sortErrors(d.errs)
	}
	return dir, nil
}

// emptyWhereUnset finds every variable: one that is not set is empty.
func emptyWhereUnset(lookup func(string) (string, bool)) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if lookup == nil {
			return "", true
		}
		text, _ := lookup(name)
		return text, true
	}
}

// LoadBalancer reads the same files as Load, and of them only what a balancer needs: LeaseName, MutualExclusion,
// Machines, Balancer, RuntimeDir and Log. A balancer's machine has neither the node's secrets nor its variables, so a variable that is not set is empty
// here, and what only an agent needs is not checked.
func LoadBalancer(path string, env Env) (*Config, error) {
	env.Lookup = emptyWhereUnset(env.Lookup)
	c, _, err := load(path, env, readFront)
	return c, err
}

// LoadSetup reads what LoadBalancer does, and what else a rendered set-up says, on a machine that has the configuration
// and nothing else: files with secrets are not opened, so the secrets are empty here.
func LoadSetup(path string, env Env) (*Config, error) {
	env.Lookup = emptyWhereUnset(env.Lookup)
	c, _, err := load(path, env, readSetup)
	return c, err
}

// reader is for whom the files are read.
type reader int

const (
	// readAgent checks everything, readFront what a balancer needs, readSetup what is rendered.
	readAgent reader = iota
	readFront
	readSetup
)

// load also returns the decoder, which remembers what it was asked for.
func load(path string, env Env, who reader) (*Config, *decoder, error) {
	if env.Lookup == nil {
		env.Lookup = func(string) (string, bool) { return "", false }
	}
	src, err := read(path, env)
	if err != nil {
		return nil, nil, err
	}
	d := &decoder{
		env: env, cfg: src.cfg, baseDir: src.baseDir, front: who != readAgent, setup: who == readSetup,
		where: map[string]Pos{}, origins: map[string]hocon.Origin{}, shown: map[string]string{},
	}
	d.useRows(table())
	c := &Config{File: absoluteFrom(env.WorkDir, path), NodeConf: src.nodeConf, Files: src.files, BaseDir: src.baseDir}
	d.checkKeys()
	d.decode(c)
	if who == readAgent {
		d.lint(c)
	}
	if len(d.errs) > 0 {
		return nil, d, sortErrors(d.errs)
	}
	c.Warnings = sortWarnings(d.warnings)
	c.where, c.origins = d.where, d.origins
	for _, s := range d.rows {
		c.Settings = append(c.Settings, Effective{Path: s.Path, Value: d.shown[s.Path], Pos: d.where[s.Path]})
	}
	return c, d, nil
}

// decode reads every setting. The preset comes first, because the defaults of the others hang on it.
func (d *decoder) decode(c *Config) {
	c.Preset = d.decodePreset()
	d.preset = c.Preset.Name
	facts, fronts := d.nodeFacts(), d.fronts()
	names := d.balancerNames(fronts)
	d.useRows(expand(table(), names))
	d.defaults = d.defaultTree(facts, fronts)
	c.Machines = d.machines(names[machinesAt])
	c.Balancer = d.balancer(names, c.Machines)
	c.Log = d.log()
	c.Cloud = d.cloud()
	if d.front {
		// What a rendered unit of the agent, and a cloud that asks it, have to know.
		c.Listen.Probe = d.probeAddress()
		c.Drive.Path = d.path("hotcold.drive.path")
		c.Node.Stop.Timeout = d.duration("hotcold.node.stop.timeout")
		c.LeaseName, c.RuntimeDir = d.name("hotcold.name"), d.path("hotcold.runtimeDir")
		d.checkLeaseName(c)
		c.MutualExclusion = d.mutualExclusion()
		return
	}
	c.MutualExclusion = d.mutualExclusion()
	d.decodePair(c)
	database := d.database(c.MutualExclusion.On)
	database.Fencing = d.fencing(database, c.Instance.MachineName, c.MutualExclusion.On)
	if c.MutualExclusion.On {
		c.Database = database
	}
	c.Node = d.node(facts)
	c.Clone = d.clone()
	c.Drive = d.drive()
	c.Listen = d.listen("hotcold.listen.")
	c.Listen.Probe = d.probeAddress()
	d.checkPorts(c.Listen)
}

// source is what was read, before it is judged.
type source struct {
	cfg      *hocon.Config
	nodeConf string
	baseDir  string
	files    []string
}

// read parses the files and resolves them once, as one tree: hotcold.conf over node.conf over baseDirectory, which a
// Corda node too can use in a substitution without having written it.
func read(path string, env Env) (source, error) {
	var src source
	doc, err := src.parseFile(path, env)
	if err != nil {
		return source{}, err
	}
	layers := hocon.Layers{doc}
	nodeConf := namedNodeConf(peek(layers, env), path)
	if nodeConf != "" {
		node, err := src.parseFile(nodeConf, env)
		if err != nil {
			return source{}, err
		}
		layers = append(layers, node)
	}
	first := peek(layers, env)
	src.baseDir = baseDirectory(first, path, env)
	if legal := first.At("myLegalName"); nodeConf == "" && legal.Exists() {
		nodeConf = legal.Pos().File
	}
	if nodeConf != "" {
		src.nodeConf = absoluteFrom(env.WorkDir, nodeConf)
	}
	base, err := hocon.Parse("base directory", []byte("baseDirectory = "+quote(src.baseDir)))
	if err != nil {
		return source{}, err
	}
	src.cfg, err = hocon.Resolve(append(layers, base), hocon.Env(env.Lookup))
	return src, err
}

// namedNodeConf is the file that hotcold.nodeConf names, from the directory of hotcold.conf; "" where it names none.
// That it is no text is reported when the settings are read.
func namedNodeConf(cfg *hocon.Config, path string) string {
	text, err := cfg.At("hotcold.nodeConf").Text()
	switch {
	case err != nil || text == "":
		return ""
	case filepath.IsAbs(text):
		return text
	}
	return filepath.Join(filepath.Dir(path), text)
}

// parseFile parses a file. A relative name stays as it is in positions, since that is how a person wrote it.
func (s *source) parseFile(path string, env Env) (*hocon.Document, error) {
	read := func(name string) ([]byte, error) {
		name = absoluteFrom(env.WorkDir, name)
		if !slices.Contains(s.files, name) {
			s.files = append(s.files, name)
		}
		return readFile(name)
	}
	return hocon.ParseFile(path, hocon.WithReadFile(read), hocon.WithDir(env.WorkDir))
}

// peek resolves layers as far as it goes, for the settings that say where the rest is. A variable that is not set is
// empty here; that it is missing is said when all is resolved in earnest.
func peek(layers hocon.Layers, env Env) *hocon.Config {
	cfg, err := hocon.Resolve(layers, hocon.Env(func(name string) (string, bool) {
		text, _ := env.Lookup(name)
		return text, true
	}))
	if err != nil {
		// The earnest run meets the same fault and reports it.
		return emptyTree()
	}
	return cfg
}

// baseDirectory finds the node's base directory: what is written, else where the node's own file lies, else where
// hotcold.conf lies.
func baseDirectory(cfg *hocon.Config, path string, env Env) string {
	dir := filepath.Dir(absoluteFrom(env.WorkDir, path))
	for _, key := range []string{"hotcold.baseDirectory", "baseDirectory"} {
		if v := cfg.At(key); written(v) {
			if text, err := v.Text(); err == nil && text != "" {
				return absoluteFrom(dir, text)
			}
		}
	}
	if v := cfg.At("myLegalName"); v.Exists() {
		return filepath.Dir(absoluteFrom(env.WorkDir, v.Pos().File))
	}
	return dir
}

// quote writes a text as HOCON, which takes JSON's form.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		// A string can always be marshalled.
		panic("config: " + err.Error())
	}
	return string(quoted)
}

// defaultTree makes the defaults a tree of their own: the table's, the preset's, and those that hang on this machine
// and on node.conf. They are read by the very code that reads what is written.
func (d *decoder) defaultTree(f nodeFacts, fronts []front) *hocon.Config {
	found := d.computedDefaults(f)
	maps.Copy(found, d.balancerDefaults(fronts))
	var text strings.Builder
	for _, s := range d.rows {
		value, ok := found[s.Path]
		if !ok {
			value = s.defaultFor(d.preset)
		}
		if value != "" {
			text.WriteString(s.Path + " = " + value + "\n")
		}
	}
	return tree("default", text.String())
}

// emptyTree is a tree without values.
func emptyTree() *hocon.Config { return tree("nothing", "") }

// tree reads a text of ours, which a test has read before.
func tree(name, text string) *hocon.Config {
	doc, err := hocon.Parse(name, []byte(text))
	if err == nil {
		var cfg *hocon.Config
		if cfg, err = hocon.Resolve(hocon.Layers{doc}); err == nil {
			return cfg
		}
	}
	panic("config: " + name + " cannot be read: " + err.Error())
}

// sortErrors puts faults in the order of the text. Of several at one value the first one found stays: the others
// follow from it.
func sortErrors(errs hocon.Errors) hocon.Errors {
	slices.SortStableFunc(errs, func(a, b *hocon.Error) int {
		return cmp.Or(comparePos(Pos(a.Pos), Pos(b.Pos)), cmp.Compare(a.Path, b.Path))
	})
	return slices.CompactFunc(errs, func(a, b *hocon.Error) bool { return a.Pos == b.Pos && a.Path == b.Path })
}

// sortWarnings puts warnings in the order of the text.
func sortWarnings(warnings []Warning) []Warning {
	slices.SortStableFunc(warnings, func(a, b Warning) int { return comparePos(a.Pos, b.Pos) })
	return slices.Compact(warnings)
}

func comparePos(a, b Pos) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}

// maxFileBytes is far beyond any configuration and far below any memory: a
// device or a disk image that was named by mistake is not read to its end.
const maxFileBytes = 4 << 20

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(content) > maxFileBytes {
		err = fmt.Errorf("it is larger than %d bytes, which no configuration is", maxFileBytes)
	}
	return content, err
}
