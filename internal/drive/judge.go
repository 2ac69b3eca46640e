package drive

import (
	"slices"
	"strconv"
	"strings"
)

// Expect is what a person said of the drive.
type Expect struct {
	// Path is the directory that both machines share.
	Path string
	// Kind is what has to serve it; Any where nobody said.
	Kind Kind
	// Source is what has to be mounted; empty where nobody said.
	Source string
}

// Judge says what is right and wrong with the mount that serves the drive. It looks
// at nothing but its arguments.
func Judge(mounts []Mount, e Expect) []Finding {
	m, ok := Serving(mounts, e.Path)
	if !ok {
		return []Finding{finding(Fault, "mount", CodeNotMounted, "mount it", "nothing serves %s", e.Path)}
	}
	found := place(m, e)
	for _, f := range found {
		if f.Level == Fault {
			return found // what serves it instead has options that do not matter
		}
	}
	return append(found, judgeOptions(m)...)
}

// place judges what serves the drive, options left out.
func place(m Mount, e Expect) []Finding {
	kind := m.Kind()
	says := func(level Level, code, next, format string, args ...any) []Finding {
		return []Finding{finding(level, "mount", code, next, format, args...)}
	}
	switch {
	case kind == SSHFS:
		return says(Fault, CodeLocksPerMount, "use NFS 4.1, SMB 3 or GlusterFS", "%s is served by sshfs, whose locks end at this machine: the other one never hears of them", e.Path)
	case kind == ObjectStore:
		return says(Fault, CodeNoFiles, "use a file share: Azure Files, EFS, NFS, SMB", "%s is served by %s, which keeps blobs: no locks, no writing within a file, no fsync that a journal could rely on", e.Path, m.Type)
	case e.Kind != Any && e.Kind != "" && kind != e.Kind && !kind.Shared():
		return says(Fault, CodeNotMounted, "mount "+e.Path, "%s is not mounted: %s on %s serves it, not %s", e.Path, m.Type, m.Point, e.Kind)
	case e.Kind != Any && e.Kind != "" && kind != e.Kind:
		return says(Fault, CodeWrongType, "mount the right one, or mend hotcold.drive.type", "%s is %s (%s), and %s is expected", e.Path, kind, m.Type, e.Kind)
	case e.Source != "" && !sameSource(m.Source, e.Source):
		return says(Fault, CodeWrongSource, "mount the right one, or mend hotcold.drive.source", "%s is mounted from %s, and %s is expected", e.Path, m.Source, e.Source)
	case kind == Memory:
		return says(Warning, "memory", "mount a drive that both machines share", "%s is in the memory of this machine", e.Path)
	case kind == FUSE:
		return says(Warning, "unknownType", "try it with `hotcold drive drill` on both machines", "%s is %s, of which nothing is known here: are its locks seen by the other machine?", e.Path, m.Type)
	case !kind.Shared():
		return says(Warning, "local", "mount the shared drive there, and say with hotcold.drive.type what it is", "%s is on a disk of this machine (%s on %s)", e.Path, m.Type, m.Point)
	}
	return says(OK, "mounted", "", "%s is %s (%s) from %s", e.Path, kind, m.Type, m.Source)
}

// sameSource compares names of drives: a slash at the end means nothing, and SMB
// takes either slash and letters of any size.
func sameSource(a, b string) bool {
	plain := func(s string) string {
		if strings.HasPrefix(s, `\\`) {
			s = strings.ReplaceAll(s, `\`, "/")
		}
		if strings.HasPrefix(s, "//") {
			s = strings.ToLower(s)
		}
		if trimmed := strings.TrimRight(s, "/"); !strings.HasSuffix(trimmed, ":") {
			return trimmed
		}
		return s
	}
	return plain(a) == plain(b)
}

// rule is one line of what is known about options.
type rule struct {
	kinds []Kind // none: all
	code  string
	level Level
	// when tells whether the mount has the fault, and what to show of it.
	when func(Mount) (shown string, found bool)
	text string // $ is what was shown
	next string
}

// option finds an option with one of these values; none: any value, or none.
func option(name string, values ...string) func(Mount) (string, bool) {
	return func(m Mount) (string, bool) {
		value, ok := m.Option(name)
		if !ok || len(values) > 0 && !slices.Contains(values, value) {
			return "", false
		}
		if value == "" {
			return name, true
		}
		return name + "=" + value, true
	}
}

// lacks finds that an option is not there.
func lacks(name string) func(Mount) (string, bool) {
	return func(m Mount) (string, bool) {
		_, ok := m.Option(name)
		return name, !ok
	}
}

// above finds an option whose number is greater than most.
func above(name string, most int) func(Mount) (string, bool) {
	return func(m Mount) (string, bool) {
		value, _ := m.Option(name)
		n, err := strconv.Atoi(value)
		return name + "=" + value, err == nil && n > most
	}
}

func and(f func(Mount) (string, bool), more func(Mount) bool) func(Mount) (string, bool) {
	return func(m Mount) (string, bool) {
		shown, ok := f(m)
		return shown, ok && more(m)
	}
}

// version is the protocol's version as "4.1", "3", "2.1", whichever way it is written.
func (m Mount) version() string {
	for _, name := range []string{"vers", "nfsvers"} {
		if v, ok := m.Option(name); ok {
			if minor, ok := m.Option("minorversion"); ok && !strings.Contains(v, ".") {
				v += "." + minor
			}
			return strings.TrimSuffix(v, ".0")
		}
	}
	return ""
}

func version(want ...string) func(Mount) (string, bool) {
	return func(m Mount) (string, bool) {
		v := m.version()
		return "vers=" + v, slices.Contains(want, v)
	}
}

// heeds tells whether options can keep the locks of NFS on a machine. In NFS 4 locks are
// a part of the protocol: a line may ask for it, and what is mounted does not show it.
func heeds(m Mount) bool {
	return m.mounted() || m.Type == "nfs" && !strings.HasPrefix(m.version(), "4")
}

func deaf(m Mount) bool { return !heeds(m) }

// madeUp finds an SMB mount that numbers its files by itself. Of what is mounted the
// kernel shows serverino and never its contrary; a line of fstab has it by default.
func madeUp(m Mount) (string, bool) {
	_, asked := m.Option("noserverino")
	_, server := m.Option("serverino")
	return "noserverino", asked || m.mounted() && !server
}

func isAzure(m Mount) bool { return azure(m.Source) }
func isEFS(m Mount) bool   { return efs(m.Source) }

// rules are all that is known about options. A rule is a fault where data or a
// takeover is at stake, a warning where it costs time or hides a change.
func rules() []rule {
	return slices.Concat(nfsRules(), smbRules(), []rule{
		{nil, CodeReadOnly, Fault, option("ro"), "it is mounted read-only ($)", "mount it with rw"},
	})
}

func nfsRules() []rule {
	nfs := []Kind{NFS}
	return []rule{
		{nfs, "nfs3", Fault, version("2", "3"), "$: this old NFS keeps locks by a protocol of its own, and never gives up those of a machine that died", "mount it with nfsvers=4.1"},
		{nfs, "nfs40", Warning, version("4"), "$: without the sessions of 4.1, a request that is sent twice may be done twice", "mount it with nfsvers=4.1"},
		{nfs, "nolock", Fault, and(option("nolock"), heeds), "$: locks stay on this machine, the other one never hears of them", "mount it without nolock"},
		{nfs, "localLock", Fault, and(option("local_lock", "all", "posix", "flock"), heeds), "$: locks stay on this machine, the other one never hears of them", "mount it without local_lock"},
		{nfs, "nolock", Warning, and(option("nolock"), deaf), "$: NFS 4 does not heed it; with NFS 3 locks would stay on this machine", "leave nolock out"},
		{nfs, "localLock", Warning, and(option("local_lock", "all", "posix", "flock"), deaf), "$: NFS 4 does not heed it; with NFS 3 locks would stay on this machine", "leave local_lock out"},
		{nfs, "soft", Warning, option("soft"), "$: when the server is slow, a write fails that the node may take for done", "mount it with hard: the agent watches for a drive that hangs"},
		{nfs, "soft", Warning, option("softerr"), "$: when the server is slow, a write fails that the node may take for done", "mount it with hard: the agent watches for a drive that hangs"},
		{nfs, "noac", Note, option("noac"), "$: every look asks the server, and every write waits for it; the lease does not need that", "leave noac out for speed"},
		{nfs, "sync", Note, option("sync"), "$: every write waits for the server, also where the node does not ask for it", "leave sync out for speed: fsync is enough for a journal"},
		{nfs, "udp", Warning, option("proto", "udp"), "$: lost packets corrupt data silently on a fast network", "mount it with proto=tcp"},
		{nfs, "noresvport", Warning, and(lacks("noresvport"), isEFS), "$ is missing: after a break the client keeps its port, and EFS may not take it back", "add noresvport"},
		{nfs, "nconnect", Warning, and(option("nconnect"), isEFS), "$: EFS does not support it", "leave nconnect out"},
	}
}

func smbRules() []rule {
	smb := []Kind{SMB}
	return []rule{
		{smb, "smb1", Fault, version("1"), "$: SMB 1 is neither safe nor does it keep locks over a break", "mount it with vers=3.1.1"},
		{smb, "smb2", Fault, and(version("2", "2.1"), isAzure), "$: this SMB does not encrypt; with `Secure transfer` on Azure refuses it, with it off data and key cross the network in the clear", "switch `Secure transfer` on, and mount it with vers=3.1.1, or vers=3.0 on an old kernel"},
		{smb, "smb2", Warning, and(version("2", "2.1"), func(m Mount) bool { return !isAzure(m) }), "$: this SMB does not encrypt", "mount it with vers=3.1.1"},
		{smb, "nobrl", Fault, option("nobrl"), "$: locks are not sent to the server, the other machine never hears of them", "mount it without nobrl"},
		{smb, "nolease", Warning, lacks("nolease"), "$ is missing: the client may keep locks to itself until somebody else opens the file; a machine that freezes meanwhile loses them unnoticed", "add nolease"},
		{smb, "nostrictsync", Fault, option("nostrictsync"), "$: fsync returns before the server has the data; a journal loses what it acknowledged", "mount it without nostrictsync"},
		{smb, "cacheLoose", Fault, option("cache", "loose"), "$: this machine may read what the other one has long replaced", "mount it with cache=strict, the default"},
		{smb, "actimeo", Warning, above("actimeo", 1), "$: for so many seconds a change of the other machine is not seen here", "mount it with actimeo=1"},
		{smb, "acregmax", Warning, above("acregmax", 1), "$: for so many seconds a change of the other machine is not seen here", "mount it with actimeo=1"},
		{smb, "noserverino", Warning, madeUp, "$: numbers of files are made up here and change, and a file may be taken for another", "mount it with serverino"},
	}
}

// judgeOptions holds a mount against the rules.
func judgeOptions(m Mount) []Finding {
	var found []Finding
	for _, r := range rules() {
		if len(r.kinds) > 0 && !slices.Contains(r.kinds, m.Kind()) {
			continue
		}
		if shown, bad := r.when(m); bad {
			found = append(found, finding(r.level, "options", r.code, r.next, "%s", strings.ReplaceAll(r.text, "$", shown)))
		}
	}
	if !slices.ContainsFunc(found, func(f Finding) bool { return f.Level == Fault || f.Level == Warning }) && m.Kind().Shared() {
		found = append(found, finding(OK, "options", "options", "", "%s", optionsShown(m)))
	}
	return found
}

// optionsShown are those that say how the drive behaves.
func optionsShown(m Mount) string {
	var shown []string
	for _, name := range []string{"vers", "hard", "soft", "nolease", "actimeo", "local_lock", "noresvport", "seal", "serverino", "rw"} {
		if s, ok := option(name)(m); ok {
			shown = append(shown, s)
		}
	}
	return strings.Join(shown, ", ")
}
