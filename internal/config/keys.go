package config

import (
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// checkKeys finds keys that nobody knows. Under "hotcold" they are faults. In the node's own block of mutual
// exclusion they are warnings: they belong to the node, but a slip there would leave the lease with a default.
func (d *decoder) checkKeys() {
	if v := d.cfg.At("hotcold"); written(v) {
		d.checkObject(v, "hotcold")
	}
	block := d.cfg.At(nodeExclusion)
	known := []string{"on", "machineName", "updateInterval", "waitInterval"}
	for _, key := range block.Keys() {
		if !slices.Contains(known, key) {
			v := block.Get(key)
			d.warnings = append(d.warnings, Warning{
				Pos: Pos(v.KeyPos()), Path: v.Path(), Text: "hotcold does not know this key" + didYouMean(key, known),
			})
		}
	}
}

// checkObject holds the keys of one object against the table.
func (d *decoder) checkObject(v hocon.Value, path string) {
	if v.Kind() != hocon.Object {
		d.fail(v.Errorf("want an object with %s", wanted(path)))
		return
	}
	known := childKeys(table(), patternOf(path))
	for _, key := range v.Keys() {
		child := v.Get(key)
		childPath := path + "." + pathKey(child, path)
		switch _, isSetting := SettingAt(childPath); {
		case isSetting || !written(child):
		case slices.Contains(known, key) || slices.Contains(known, anyName):
			d.checkObject(child, childPath)
		default:
			d.errs = append(d.errs, &hocon.Error{
				Pos: child.KeyPos(), Path: childPath, Text: "no such setting" + didYouMean(key, known) + elsewhere(table(), key),
			})
		}
	}
}

// didYouMean names the nearest known key.
func didYouMean(key string, known []string) string {
	if near, ok := hocon.Nearest(key, known); ok {
		return "; did you mean " + near + "?"
	}
	return ""
}

// elsewhere names the settings that have this very key in another place.
func elsewhere(rows []Setting, key string) string {
	var paths []string
	for _, s := range rows {
		if strings.HasSuffix(s.Path, "."+key) {
			paths = append(paths, s.Path)
		}
	}
	if len(paths) == 0 || len(paths) > 2 {
		return ""
	}
	return "; there is " + strings.Join(paths, " and ")
}
