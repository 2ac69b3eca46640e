package config

import (
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// lint warns of what can be used and is probably not meant.
func (d *decoder) lint(c *Config) {
	d.lintText(d.cfg.Root())
	if !c.MutualExclusion.On {
		pos := d.where["hotcold.mutualExclusion.on"]
		d.warnings = append(d.warnings, Warning{
			Pos: pos, Path: "hotcold.mutualExclusion.on", Text: "is false: the node runs without a lease, and nothing keeps a second one from running",
		})
	}
	if c.Instance.MachineName == "localhost" {
		d.warnings = append(d.warnings, Warning{
			Pos: d.where["hotcold.mutualExclusion.machineName"], Path: "hotcold.mutualExclusion.machineName",
			Text: "is localhost, which is every machine's name; two agents with one identity refuse each other",
		})
	}
	if c.Preset.Name == PresetCorda {
		d.lintCorda()
	}
}

// lintText warns of every text that still holds ${: HOCON substitutes nothing inside quotes, so the node would get
// that very text. Commands and patterns under hotcold.node may mean it.
func (d *decoder) lintText(v hocon.Value) {
	switch v.Kind() {
	case hocon.Object:
		for _, key := range v.Keys() {
			if child := v.Get(key); child.Path() != "hotcold.node" && child.Path() != "hotcold.mutualExclusion.lastResort" {
				d.lintText(child)
			}
		}
	case hocon.List:
		items, err := v.List()
		if err != nil {
			return
		}
		for _, item := range items {
			d.lintText(item)
		}
	case hocon.String:
		if text, err := unmasked(v); err == nil && strings.Contains(text, "${") {
			d.warn(v, "holds the text ${: nothing is substituted inside quotes; write ${NAME} without quotes, as in ${HOST}\":\"${PORT}")
		}
	}
}

// lintCorda warns of what trips a Corda node in a pair.
func (d *decoder) lintCorda() {
	if v := d.cfg.At("devMode"); written(v) && d.flag("devMode", false) {
		d.warn(v, "devMode makes a new random identity where a keystore is missing; it must be off in production")
	}
	own, legal := d.cfg.At("hotcold"), d.cfg.At("myLegalName")
	if own.Exists() && legal.Exists() && own.KeyPos().File == legal.KeyPos().File {
		d.warnings = append(d.warnings, Warning{
			Pos: Pos(own.KeyPos()), Path: "hotcold",
			Text: "stands in the node's own file, and a node refuses to start with keys that it does not know; put it into a hotcold.conf that begins with include \"node.conf\"",
		})
	}
}
