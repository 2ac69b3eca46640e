package corda

import (
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// mustDiffer are the fields that belong to one machine, where they are written on both.
func mustDiffer() []string {
	return []string{
		"rpcSettings.address", "rpcSettings.adminAddress", "messagingServerAddress",
		"enterpriseConfiguration.mutualExclusionConfiguration.machineName", "hotcold.mutualExclusion.machineName",
	}
}

// mayDiffer are all fields, and settings of hotcold's own, in which two machines may differ.
func mayDiffer() []string {
	paths := []string{
		"hotcold.baseDirectory", "hotcold.nodeConf", "hotcold.runtimeDir", "hotcold.mutualExclusion.machineName",
		"hotcold.database.passwordFile", "hotcold.node.output.file", "hotcold.drive.path", "hotcold.listen", "hotcold.log",
	}
	for _, f := range fields() {
		if f.PerMachine {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// Diff compares the files of two machines, which are read Bare. What may differ between machines is marked as expected;
// what has to differ and does not is told as hocon.Unmet. A default that only one of them writes is no difference.
func Diff(a, b *Node) []hocon.Change {
	may := slices.DeleteFunc(mayDiffer(), func(path string) bool { return !a.Config.At(path).Exists() && !b.Config.At(path).Exists() })
	changes := hocon.Diff(a.Config, b.Config, hocon.Expect(may...))
	changes = slices.DeleteFunc(changes, func(c hocon.Change) bool {
		switch c.Kind {
		case hocon.Unmet:
			return !slices.Contains(mustDiffer(), c.Path) || !shared(a, b, c.Path)
		case hocon.Added:
			return isDefault(c.Path, c.B)
		case hocon.Removed:
			return isDefault(c.Path, c.A)
		}
		return false
	})
	for i := range changes {
		changes[i].A = mark.ReplaceAllString(changes[i].A, "$${$1}")
		changes[i].B = mark.ReplaceAllString(changes[i].B, "$${$1}")
	}
	return changes
}

// shared says whether both machines have written one value where each wants its own. A value from the environment is
// each machine's own, and so are a loopback address and that of every interface.
func shared(a, b *Node, path string) bool {
	v, w := a.Config.At(path), b.Config.At(path)
	l := &linter{}
	return v.Exists() && w.Exists() && !unspecified(v.Reveal()) && !loopback(v.Reveal()) && !l.fromEnvironment(v) && !l.fromEnvironment(w)
}

// isDefault says whether a value, as JSON, is what holds without it.
func isDefault(path, value string) bool {
	f, ok := FieldAt(path)
	return ok && !f.Secret && f.Default != "" && strings.Trim(value, `"`) == strings.Trim(f.Default, `"`)
}
