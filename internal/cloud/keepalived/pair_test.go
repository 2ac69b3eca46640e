package keepalived_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hotcold/hotcold/internal/cloud/keepalived"
	"github.com/hotcold/hotcold/internal/testserver"
)

func pair() keepalived.Pair {
	return keepalived.Pair{Address: netip.MustParsePrefix("192.0.2.10/24"), Interface: "eth0", Router: 46, Live: "http://127.0.0.1:4654/live"}
}

func TestKeepalivedTakesTheConfiguration(t *testing.T) {
	program := testserver.Program(t, "keepalived")
	p := pair()
	p.Interface = outward(t)
	f, err := p.File()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), f.Name)
	// The script is looked for when the file is tested, and curl may be missing where the tests run.
	if err := os.WriteFile(name, []byte(strings.Replace(f.Text, "/usr/bin/curl", "/usr/bin/env", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if said := tested(t, program, name); said != "" {
		t.Errorf("keepalived: %s", said)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(f.Text, "virtual_router_id 46", "virtual_router_id 460", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if said := tested(t, program, name); !strings.Contains(said, "outside range") {
		t.Errorf("of a file that is wrong keepalived says %q", said)
	}
}

// tested is what keepalived says of a file; nothing when it is right. How it ends tells nothing: some releases end their
// test by a signal to themselves, whatever came out.
func tested(t *testing.T, program, file string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, "--config-test", "--use-file", file)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return string(out)
}

// outward is an interface that is not the loopback, which VRRP cannot use.
func outward(t *testing.T) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 {
			return i.Name
		}
	}
	t.Skip("this machine has a loopback interface only")
	return ""
}

func TestWhatKeepalivedWouldRefuseIsRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*keepalived.Pair)
		want   string // empty for none
	}{
		{func(p *keepalived.Pair) { p.Router = 1 }, ""},
		{func(p *keepalived.Pair) { p.Router = 255 }, ""},
		{func(p *keepalived.Pair) { p.Router = 0 }, "VRRP has routers of 1 to 255, got 0"},
		{func(p *keepalived.Pair) { p.Router = 256 }, "VRRP has routers of 1 to 255, got 256"},
		{func(p *keepalived.Pair) { p.Interface = "eth0.100" }, ""},
		{func(p *keepalived.Pair) { p.Interface = "eth0 }" }, `the interface is "eth0 }"`},
		{func(p *keepalived.Pair) { p.Interface = "sixteen-letters-" }, "the interface is"},
		{func(p *keepalived.Pair) { p.Address = netip.Prefix{} }, "want the address that moves"},
	} {
		p := pair()
		c.change(&p)
		_, err := p.File()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got %v, want %q", p, err, c.want)
		}
	}
}
