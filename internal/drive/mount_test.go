package drive

import (
	"slices"
	"testing"
)

func mustParse(t *testing.T, text string) []Mount {
	t.Helper()
	mounts, err := ParseMounts(text)
	if err != nil {
		t.Fatal(err)
	}
	return mounts
}

func TestMountinfoIsReadWithItsEscapes(t *testing.T) {
	m := mustParse(t, `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
41 22 0:45 /sub\040dir /mnt/with\040blank\011tab\134slash rw,nosuid shared:7 master:2 - nfs4 srv:/ex\040port rw,vers=4.1,hard
`)
	got := m[1]
	if got.Root != "/sub dir" || got.Point != "/mnt/with blank\ttab\\slash" || got.Type != "nfs4" || got.Source != "srv:/ex port" {
		t.Errorf("got %+v", got)
	}
	if want := []string{"rw", "nosuid", "vers=4.1", "hard"}; !slices.Equal(got.Options, want) {
		t.Errorf("options %q, want %q", got.Options, want)
	}
	if v, ok := got.Option("vers"); v != "4.1" || !ok {
		t.Errorf("vers is %q, %v", v, ok)
	}
}

func TestADamagedMountinfoIsAnError(t *testing.T) {
	for _, text := range []string{"nonsense", "1 2 3:4 / / rw ext4 /dev/sda rw", "x 2 3:4 / / rw - ext4 /dev/sda rw", "1 x 3:4 / / rw - ext4 /dev/sda rw"} {
		if _, err := ParseMounts(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestAMountThatIsReadOnlyInEitherWayIsReadOnly(t *testing.T) {
	for _, options := range []string{"ro,relatime - nfs4 s:/ rw", "rw,relatime - nfs4 s:/ ro"} {
		m := mustParse(t, "1 0 0:1 / / "+options)[0]
		if !m.has("ro") || m.has("rw") {
			t.Errorf("%s: %q", options, m.Options)
		}
	}
}

func TestTheMountThatReallyServesIsFound(t *testing.T) {
	const root = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	for _, c := range []struct{ name, text, path, want string }{
		{"nothing but the root", root, "/mnt/corda", "/dev/sda1"},
		{"the mount itself", root + "30 20 0:30 / /mnt/corda rw - nfs4 s:/ rw\n", "/mnt/corda", "s:/"},
		{"below it", root + "30 20 0:30 / /mnt/corda rw - nfs4 s:/ rw\n", "/mnt/corda/artemis", "s:/"},
		{"a name that only begins alike", root + "30 20 0:30 / /mnt/corda rw - nfs4 s:/ rw\n", "/mnt/corda2", "/dev/sda1"},
		{"mounted over", root + "30 20 0:30 / /mnt/corda rw - nfs4 s:/ rw\n31 30 0:31 / /mnt/corda rw - tmpfs over rw\n", "/mnt/corda", "over"},
		{"hidden by a mount on its parent", root + "30 20 0:30 / /mnt/corda rw - nfs4 s:/ rw\n31 20 0:31 / /mnt rw - tmpfs over rw\n", "/mnt/corda", "over"},
		{"on a mount of its parent", root + "31 20 0:31 / /mnt rw - tmpfs under rw\n30 31 0:30 / /mnt/corda rw - nfs4 s:/ rw\n", "/mnt/corda", "s:/"},
		{"in a chroot without its root", "30 20 0:30 / /mnt rw - tmpfs a rw\n31 30 0:31 / /mnt/corda rw - nfs4 s:/ rw\n", "/mnt/corda", "s:/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, ok := Serving(mustParse(t, c.text), c.path)
			if !ok || m.Source != c.want {
				t.Errorf("got %q, %v; want %q", m.Source, ok, c.want)
			}
		})
	}
}

func TestThisMachinesOwnMountsAreUnderstood(t *testing.T) {
	mounts, err := ReadMounts()
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := Serving(mounts, "/proc/self"); !ok || m.Type != "proc" {
		t.Errorf("/proc/self is served by %+v", m)
	}
}
