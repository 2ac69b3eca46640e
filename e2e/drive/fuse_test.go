package drive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

// here runs the program on this machine, and returns what it printed and its exit code.
func here(ctx context.Context, t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, hotcold(t), args...)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), talk.String(), cmd.ProcessState.ExitCode()
}

// sshfs mounts a folder of this machine twice, through a server of SSH on loopback: as
// two machines would.
func sshfs(t *testing.T) (a, b string) {
	t.Helper()
	need(t, "sshfs", "ssh-keygen")
	const sshd = "/usr/sbin/sshd"
	need(t, sshd)
	l := &lab{t: t, dir: testserver.Dir(t), clock: clock.System()}
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(l.dir, key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where the server locks its children in
		t.Fatal(err)
	}
	port := testserver.FreePort(t)
	conf := filepath.Join(l.dir, "sshd_config")
	l.write(conf, fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\nPermitRootLogin yes\n",
		port, filepath.Join(l.dir, "host"), filepath.Join(l.dir, "user.pub")))
	l.run(sshd, "-D", "-e", "-f", conf)
	known := filepath.Join(l.dir, "known_hosts")
	key, err := os.ReadFile(filepath.Join(l.dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	l.write(known, fmt.Sprintf("[127.0.0.1]:%d %s", port, key))
	l.untilOpen(port)
	files := l.mkdir("files")
	mount := func(name string) string {
		dir := l.mkdir(name)
		out, err := exec.Command("sshfs", "-p", fmt.Sprint(port), "-o", "IdentityFile="+filepath.Join(l.dir, "user")+",UserKnownHostsFile="+known,
			"root@127.0.0.1:"+files, dir).CombinedOutput()
		if err != nil {
			t.Fatalf("sshfs: %v: %s", err, out)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	return mount("a"), mount("b")
}

// firstWrite closes told when something is written: a drill speaks once it has its lock.
type firstWrite struct {
	once sync.Once
	told chan struct{}
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.told) })
	return len(p), nil
}

// sshfs mounts fine, reads and writes fine, and has locks that the other machine never
// hears of: a drill measures that, and the check refuses it before.
func TestADriveWhoseLocksEndAtTheMachineIsRefused(t *testing.T) {
	t.Parallel()
	a, b := sshfs(t)
	out, _, code := here(t.Context(), t, "drive", "check", "--json", "--path", b)
	var r checkReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if code != 8 || !r.has("fault", "locksPerMount") {
		t.Errorf("the check ended with %d:%s", code, r)
	}
	base := t.TempDir()
	conf := filepath.Join(base, "hotcold.conf")
	text := fmt.Sprintf("hotcold { preset = corda, name = ledger, baseDirectory = %q, mutualExclusion.on = false, drive.path = %q }\n", base, b)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, talk, code := here(t.Context(), t, "drive", "link", "--config", conf); code != 1 || !strings.Contains(talk, "whose locks end at this machine") {
		t.Errorf("link ended with %d: %s", code, talk)
	}

	ctx, end := context.WithCancel(t.Context())
	held, holds := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(holds)
		cmd := exec.CommandContext(ctx, hotcold(t), "drive", "drill", "hold", "--path", a)
		cmd.Stderr = &firstWrite{told: held}
		_ = cmd.Run() // it is ended
	}()
	select {
	case <-held:
	case <-holds:
		t.Error("a lock on a drive of its own could not be had")
	}
	_, talk, code := here(t.Context(), t, "drive", "drill", "wait", "--path", b)
	end()
	<-holds
	if code != 1 || !strings.Contains(talk, "locks are not seen between the machines") {
		t.Errorf("the drill ended with %d: %s", code, talk)
	}
}
