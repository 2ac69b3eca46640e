package config

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxNameLength is the length of the columns that hold the names of pairs and agents, in characters.
const maxNameLength = 200

// decodePreset reads the kind of node, or tells it from the look of the file.
func (d *decoder) decodePreset() Preset {
	// The preset has no default in the table, so an empty tree of defaults is right here.
	d.defaults = emptyTree()
	if d.isWritten("hotcold.preset") {
		return presetKnowledge(PresetName(d.choice("hotcold.preset")))
	}
	guess := PresetName("")
	switch {
	case d.isWritten("myLegalName") || d.isWritten("p2pAddress"):
		guess = PresetCorda
	case d.isWritten("hotcold.node.command") || d.front:
		guess = PresetCommand
	default:
		d.missing("hotcold.preset", "cannot be told from the file: want corda, artemis, or command with hotcold.node.command")
	}
	preset := presetKnowledge(guess)
	preset.Name, preset.Guessed = guess, true
	d.show("hotcold.preset", preset.Name)
	return preset
}

// mutualExclusion reads how the lease is held.
func (d *decoder) mutualExclusion() MutualExclusion {
	const at = "hotcold.mutualExclusion."
	return MutualExclusion{
		On:             d.bool(at + "on"),
		UpdateInterval: d.duration(at + "updateInterval"),
		WaitInterval:   d.duration(at + "waitInterval"),
		FenceTimeout:   d.duration(at + "fenceTimeout"),
		AttemptTimeout: d.duration(at + "attemptTimeout"),
		Standby:        Standby(d.choice(at + "standby")),
		OnDatabaseLoss: DatabaseLoss(d.choice(at + "onDatabaseLoss")),
		LastResort:     d.command(at+"lastResort", d.baseDir),
		Watchdog:       d.path(at + "watchdog"),
	}
}

// decodePair reads who this agent is and which pair it belongs to.
func (d *decoder) decodePair(c *Config) {
	c.LeaseName = d.name("hotcold.name")
	if c.LeaseName == "" && !d.isWritten("hotcold.name") {
		d.missing("hotcold.name", `is not set and node.conf has no myLegalName; want a name that both machines of the pair have and no other pair in the database, as in "payments broker"`)
	}
	machine := d.name("hotcold.mutualExclusion.machineName")
	if machine == "" && !d.isWritten("hotcold.mutualExclusion.machineName") {
		d.missing("hotcold.mutualExclusion.machineName", "is not set and the machine has no host name; want a name that no other machine has")
	}
	c.Instance = Instance{MachineName: machine, ID: machine + ":" + d.baseDir}
	c.RuntimeDir = d.path("hotcold.runtimeDir")
	// These were needed to find the files; here they are only checked and shown.
	d.text("hotcold.nodeConf")
	d.text("hotcold.baseDirectory")
	d.show("hotcold.nodeConf", c.NodeConf)
	d.show("hotcold.baseDirectory", d.baseDir)
}

// name reads a text that becomes part of a key in the database. One that still holds ${ is refused: the same text on
// both machines would give two agents one identity.
func (d *decoder) name(path string) string {
	faults := len(d.errs)
	text := d.text(path)
	_, v := d.setting(path)
	switch {
	case !written(v) || len(d.errs) > faults:
	case strings.TrimSpace(text) != text || text == "" && d.isWritten(path):
		d.fail(v.Errorf("want a name without blanks around it, and not an empty one"))
	case strings.Contains(text, "${"):
		d.fail(v.Errorf(quotedSubstitution))
	case utf8.RuneCountInString(text) > maxNameLength:
		d.fail(v.Errorf("want at most %d characters, got %d", maxNameLength, utf8.RuneCountInString(text)))
	}
	return text
}

// computedDefaults are the defaults that hang on this machine and on node.conf, as HOCON.
func (d *decoder) computedDefaults(f nodeFacts) map[string]string {
	found := map[string]string{
		"hotcold.runtimeDir": quote(d.runtimeDir()),
		"hotcold.node.dir":   quote(d.baseDir),
	}
	if f.legalName != "" {
		found["hotcold.name"] = quote(canonicalLegalName(f.legalName))
	}
	if d.env.Hostname != "" {
		found["hotcold.mutualExclusion.machineName"] = quote(d.env.Hostname)
	}
	if v := d.cfg.At("hotcold.drive.path"); written(v) {
		if text, err := v.Text(); err == nil && text != "" {
			found["hotcold.drive.epochFile"] = quote(filepath.Join(d.absolute(text), "hotcold.epoch"))
			found["hotcold.cloud.mount"] = quote(d.absolute(text))
		}
	}
	if text := d.plain("hotcold.listen.probe"); text != "" && text != "off" {
		found["hotcold.cloud.probe"] = string(CloudProbeAgent)
	}
	for path, text := range d.presetDefaults(f) {
		found[path] = text
	}
	return found
}

// runtimeDir is the place for what must not outlive a boot. The hash keeps two nodes of one machine apart, and is
// short because a socket's path may have 107 bytes only.
func (d *decoder) runtimeDir() string {
	sum := sha256.Sum256([]byte(d.baseDir))
	hash := hex.EncodeToString(sum[:6])
	if d.env.Euid == 0 {
		return filepath.Join("/run/hotcold", hash)
	}
	if dir, ok := d.env.Lookup("XDG_RUNTIME_DIR"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "hotcold", hash)
	}
	return filepath.Join(d.baseDir, ".hotcold")
}
