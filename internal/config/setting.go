package config

import (
	"slices"
	"strings"
)

// Type is how the text of a setting is read.
type Type string

// The types of settings.
const (
	TypeBool     Type = "true or false"
	TypeText     Type = "text"
	TypeChoice   Type = "one of several words"
	TypeInt      Type = "whole number"
	TypeDuration Type = "duration"
	TypeSize     Type = "size"
	TypePath     Type = "path"
	TypeAddress  Type = "host:port"
	TypeAddrs    Type = "list of host:port"
	TypePatterns Type = "list of paths and patterns"
	TypeURL      Type = "URL"
	TypeRegexp   Type = "regular expression"
	TypeCommand  Type = "command"
	TypeEnv      Type = "names with texts"
	TypeSecret   Type = "secret text"
	TypeIP       Type = "IP address"
	TypeNets     Type = "list of IP addresses and networks"
	TypeTexts    Type = "list of texts"
)

// Setting is one row of the table: all that is known of one setting. The manual, the defaults, the ranges and the
// check for unknown keys are made from it.
type Setting struct {
	// Path is where it stands, with dots. A * in it stands for a name that the writer of the file gives.
	Path string
	// Type is how it is read.
	Type Type
	// Default is what holds where nothing is written, as it would be written; empty where there is none.
	Default string
	// Presets are the defaults that a preset has instead.
	Presets map[PresetName]string
	// Computed says in words how the default is found where it depends on something else; it comes before Default.
	Computed string
	// Choices are the words of a TypeChoice.
	Choices []string
	// Min and Max are the range of a number, a duration or a size, as they would be written; empty means no limit.
	Min, Max string
	// Meaning says what it does.
	Meaning string
	// Why says why someone would change it.
	Why string
}

// defaultFor is the constant default under a preset.
func (s Setting) defaultFor(preset PresetName) string {
	if text, ok := s.Presets[preset]; ok {
		return text
	}
	return s.Default
}

// DefaultInWords puts together what is computed, constant, and the presets'.
func (s Setting) DefaultInWords() string {
	var parts []string
	if s.Computed != "" {
		parts = append(parts, s.Computed)
	}
	switch {
	case s.Default != "" && s.Computed != "":
		parts = append(parts, "else `"+s.Default+"`")
	case s.Default != "":
		parts = append(parts, "`"+s.Default+"`")
	case s.Computed == "":
		parts = append(parts, "none")
	}
	for _, name := range []PresetName{PresetCorda, PresetArtemis} {
		if text, ok := s.Presets[name]; ok {
			parts = append(parts, "preset "+string(name)+": `"+text+"`")
		}
	}
	return strings.Join(parts, "; ")
}

// childKeys are the keys that may stand in the object at path, in the order of the table. There are none where path
// is a setting itself.
func childKeys(rows []Setting, path string) []string {
	var keys []string
	for _, s := range rows {
		rest, ok := strings.CutPrefix(s.Path, path+".")
		if !ok {
			continue
		}
		key, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Settings is the table of all settings under "hotcold", in the order of the manual. The caller owns the copy.
func Settings() []Setting { return table() }
