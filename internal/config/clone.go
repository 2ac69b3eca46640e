package config

import (
	"path"
	"strings"
)

// Clone is what two machines must have alike, over what the preset knows, and what becomes of what is not.
type Clone struct {
	// Files are paths and patterns in the base directory besides the preset's; a directory ends in a slash.
	Files []string
	// Exclude are patterns of names or paths that are left out.
	Exclude []string
	// Sync is what becomes of network parameters that are new on the hot machine.
	Sync Sync
	// OtherIdentity is what becomes of a cold machine whose node would be somebody else.
	OtherIdentity OtherIdentity
}

// Sync is what becomes of files that the hot node makes anew and the cold one needs.
type Sync string

// The ways to have them.
const (
	// SyncOff compares only.
	SyncOff Sync = "off"
	// SyncAsk says which command brings them.
	SyncAsk Sync = "ask"
	// SyncAuto has the cold agent bring them.
	SyncAuto Sync = "auto"
)

// OtherIdentity is what becomes of a cold machine whose key stores are others than those of the last holder.
type OtherIdentity string

// The two answers.
const (
	// IdentityRefuse: such a machine takes nothing over.
	IdentityRefuse OtherIdentity = "refuse"
	// IdentityAllow: a person vouches for it.
	IdentityAllow OtherIdentity = "allow"
)

func cloneSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.clone.files", Type: TypePatterns, Default: "[]",
			Meaning: "What both machines must have alike besides what the preset knows: paths in the base directory, a directory with a slash behind it, or patterns such as `extra-*.jar`. `hotcold clone` copies it, and the agents compare it. What holds a password as text has no place here: a digest of it stands in the database.",
			Why:     "The node has files of its own: shell-commands/, a key store for RPC, a service's data that never changes.",
		},
		{
			Path: "hotcold.clone.exclude", Type: TypePatterns, Default: "[]",
			Meaning: "Names, paths or patterns that are neither copied nor compared, although the preset or `files` names the directory around them.",
			Why:     "A configuration in cordapps/config that has the machine's own address.",
		},
		{
			Path: "hotcold.clone.sync", Type: TypeChoice, Choices: []string{"off", "ask", "auto"}, Default: "ask",
			Meaning: "What becomes of network-parameters that are new on the hot machine, as after a flag day (preset corda): `off` tells that they differ, `ask` also tells which command brings them, `auto` has the cold agent bring them. They are signed by the network and known to all of it, so they go through the database.",
			Why:     "`auto` where nobody is awake on a flag day; `off` where another tool brings the file.",
		},
		{
			Path: "hotcold.clone.otherIdentity", Type: TypeChoice, Choices: []string{"refuse", "allow"}, Default: "refuse",
			Meaning: "What becomes of a cold machine whose key stores (preset corda: certificates/*.jks) are missing, or hold other keys than those of the machine that had the lease last: `refuse` takes nothing over, because the node would be somebody else under the same name; `allow` does.",
			Why:     "For one start, where the machine that had the lease last is gone and new keys were issued on purpose.",
		},
	}
}

func (d *decoder) clone() Clone {
	const at = "hotcold.clone."
	return Clone{
		Files: d.patterns(at + "files"), Exclude: d.patterns(at + "exclude"),
		Sync: Sync(d.choice(at + "sync")), OtherIdentity: OtherIdentity(d.choice(at + "otherIdentity")),
	}
}

// patterns reads a list of paths and patterns in the base directory.
func (d *decoder) patterns(setting string) []string {
	_, v := d.setting(setting)
	if !written(v) {
		return nil
	}
	items, err := v.List()
	if err != nil {
		d.fail(err)
		return nil
	}
	var texts []string
	for _, item := range items {
		text, err := item.Text()
		if err != nil {
			d.fail(err)
			continue
		}
		name := strings.TrimSuffix(text, "/")
		_, bad := path.Match(name, "")
		if bad != nil || name == "" || path.IsAbs(name) || path.Clean(name) != name || name == "." || name == ".." || strings.HasPrefix(name, "../") {
			d.fail(item.Errorf("want a path in the base directory, as in shell-commands/ or extra-*.jar"))
			continue
		}
		texts = append(texts, text)
	}
	d.show(setting, strings.Join(texts, ", "))
	return texts
}
