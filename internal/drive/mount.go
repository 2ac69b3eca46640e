package drive

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// MountsFile is where the kernel says what is mounted for this process. Reading it
// never touches a drive, so it answers also when all of them hang.
const MountsFile = "/proc/self/mountinfo"

// Mount is one line of mountinfo.
type Mount struct {
	ID     int `json:"-"`
	Parent int `json:"-"`
	// Root is which directory of the file system is mounted, Point where.
	Root  string `json:"root"`
	Point string `json:"point"`
	// Type is the kernel's word: "nfs4", "cifs", "fuse.sshfs", "ext4".
	Type string `json:"type"`
	// Source is what was mounted: "fs-1.efs.eu-west-1.amazonaws.com:/", "//server/share".
	Source string `json:"source"`
	// Options are those of the mount and those of the file system behind it.
	Options []string `json:"options"`
}

// Option returns the value of an option, empty where it has none, and whether it is there.
func (m Mount) Option(name string) (string, bool) {
	for _, o := range m.Options {
		key, value, _ := strings.Cut(o, "=")
		if key == name {
			return value, true
		}
	}
	return "", false
}

// mounted tells what the kernel shows from what a line of fstab asks for.
func (m Mount) mounted() bool { return m.ID != 0 }

func (m Mount) has(option string) bool { return slices.Contains(m.Options, option) }

// ReadMounts reads what is mounted now.
func ReadMounts() ([]Mount, error) {
	text, err := os.ReadFile(MountsFile)
	if err != nil {
		return nil, fmt.Errorf("read what is mounted: %w", err)
	}
	return ParseMounts(string(text))
}

// ParseMounts reads the text of a mountinfo (proc(5)).
func ParseMounts(text string) ([]Mount, error) {
	var mounts []Mount
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		m, err := parseMount(line)
		if err != nil {
			return nil, fmt.Errorf("line %q of %s: %w", line, MountsFile, err)
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// parseMount reads one line:
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//
// Between the mount's options and the hyphen stands any number of fields.
func parseMount(line string) (Mount, error) {
	first, second, ok := strings.Cut(line, " - ")
	mount, system := strings.Split(first, " "), strings.Split(second, " ")
	if !ok || len(mount) < 6 || len(system) < 3 {
		return Mount{}, fmt.Errorf("want at least six fields, a hyphen, and three more")
	}
	id, err := strconv.Atoi(mount[0])
	if err != nil {
		return Mount{}, fmt.Errorf("the first field is no number")
	}
	parent, err := strconv.Atoi(mount[1])
	if err != nil {
		return Mount{}, fmt.Errorf("the second field is no number")
	}
	m := Mount{ID: id, Parent: parent, Root: unescape(mount[3]), Point: unescape(mount[4]), Type: system[0], Source: unescape(system[1])}
	for _, o := range append(strings.Split(mount[5], ","), strings.Split(system[2], ",")...) {
		if o = unescape(o); o != "" && !slices.Contains(m.Options, o) {
			m.Options = append(m.Options, o)
		}
	}
	// One of two mounts of a file system may be read-only: either word counts then.
	if m.has("ro") {
		m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "rw" })
	}
	return m, nil
}

// unescape undoes what the kernel does to blanks, tabs, newlines, backslashes and
// hashes: a backslash and three octal digits. Anything else stays as it is.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escape is the way back, for fstab.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`, "#", `\043`).Replace(s)
}

// Serving finds the mount that really serves a path, which has to be absolute and
// free of symbolic links. It walks as the kernel does: a mount that was put over a
// directory hides what was mounted below that directory before.
func Serving(mounts []Mount, path string) (Mount, bool) {
	path = filepath.Clean(path)
	current, ok := rootMount(mounts)
	if !ok {
		return longest(mounts, path)
	}
	for range mounts { // each step goes one mount up, so there are no more steps than mounts
		next, found := over(mounts, current, path)
		if !found {
			break
		}
		current = next
	}
	return current, true
}

// rootMount is the mount of "/" whose parent is none that we can see.
func rootMount(mounts []Mount) (Mount, bool) {
	for _, m := range mounts {
		below := slices.ContainsFunc(mounts, func(p Mount) bool { return p.ID == m.Parent && p.ID != m.ID })
		if m.Point == "/" && !below {
			return m, true
		}
	}
	return Mount{}, false
}

// over finds the mount on m that the walk to path meets first. Of two at one point,
// the later one counts.
func over(mounts []Mount, m Mount, path string) (Mount, bool) {
	var best Mount
	found := false
	for _, c := range mounts {
		if c.Parent != m.ID || c.ID == m.ID || !Within(path, c.Point) {
			continue
		}
		if !found || len(c.Point) <= len(best.Point) {
			best, found = c, true
		}
	}
	return best, found
}

// longest is the rule of thumb where the root is not to be seen, as in a chroot.
func longest(mounts []Mount, path string) (Mount, bool) {
	var best Mount
	found := false
	for _, m := range mounts {
		if Within(path, m.Point) && (!found || len(m.Point) >= len(best.Point)) {
			best, found = m, true
		}
	}
	return best, found
}

// Within tells whether path is dir or lies below it, by their names alone.
func Within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
