package clone_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/testserver"
)

func sshOptions(s *testserver.SSHServer) clone.SSHOptions {
	return clone.SSHOptions{Host: clone.Host{User: s.User, Host: "127.0.0.1", Port: strconv.Itoa(s.Port)},
		KnownHosts: []string{s.KnownHosts}, Keys: []string{s.KeyFile}, Clock: clock.System()}
}

func dial(t *testing.T, s *testserver.SSHServer, dir string) *clone.Remote {
	t.Helper()
	r, err := clone.DialSSH(t.Context(), sshOptions(s), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestATwinIsMadeBySSH(t *testing.T) {
	s := testserver.SSH(t)
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from, to := open(t, primary), dial(t, s, backUp)
	cloned(t, from, to, clone.Intent{})
	checkTwin(t, primary, backUp)
	if again := cloned(t, from, to, clone.Intent{}); !allOf(again, clone.Same) {
		t.Errorf("a second run has something to do: %v", again)
	}
}

func TestATwinIsFetchedBySSH(t *testing.T) {
	s := testserver.SSH(t)
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	cloned(t, dial(t, s, primary), open(t, backUp), clone.Intent{})
	checkTwin(t, primary, backUp)
}

func TestACopyBySSHThatWasCutIsGoneOnWith(t *testing.T) {
	s := testserver.SSH(t)
	primary, backUp := node(t, newKeyPair(t)), t.TempDir()
	from, to := open(t, primary), dial(t, s, backUp)
	steps, _ := clone.Decide(manifest(t, from), manifest(t, to), nodeSelection(), clone.Intent{})
	var wrote int64
	err := clone.Copy(t.Context(), from, to, steps, clone.CopyOptions{Wrote: func(path string, n int64) {
		if path != "corda-4.12.jar" {
			return
		}
		if wrote += n; wrote > 2<<20-1 {
			s.Cut()
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "corda-4.12.jar: on "+s.User+"@127.0.0.1:") {
		t.Fatalf("the copy ended with %v", err)
	}
	if _, err := os.Lstat(filepath.Join(backUp, "corda-4.12.jar")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file has the name of the whole: %v", err)
	}
	to, first := dial(t, s, backUp), int64(-1)
	steps, _ = clone.Decide(manifest(t, from), manifest(t, to), nodeSelection(), clone.Intent{})
	err = clone.Copy(t.Context(), from, to, steps, clone.CopyOptions{Wrote: func(path string, n int64) {
		if path == "corda-4.12.jar" && first < 0 {
			first = n
		}
	}})
	if err != nil || first < 1<<20 {
		t.Errorf("the second run began at byte %d: %v", first, err)
	}
	checkTwin(t, primary, backUp)
}

func TestAnUnknownHostIsRefusedWithWhatWouldMakeItKnown(t *testing.T) {
	s := testserver.SSH(t)
	if err := os.WriteFile(s.KnownHosts, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := clone.DialSSH(t.Context(), sshOptions(s), t.TempDir())
	var unknown *clone.UnknownHostError
	if !errors.As(err, &unknown) || !strings.HasPrefix(unknown.Fingerprint, "SHA256:") || unknown.File != s.KnownHosts {
		t.Fatalf("got %v", err)
	}
	if err := os.WriteFile(s.KnownHosts, []byte(unknown.Line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dial(t, s, t.TempDir())
}

func TestAChangedHostKeyIsRefused(t *testing.T) {
	s := testserver.SSH(t)
	s.NewHostKey(t)
	_, err := clone.DialSSH(t.Context(), sshOptions(s), t.TempDir())
	var changed *clone.ChangedHostError
	if !errors.As(err, &changed) || len(changed.Known) != 1 || changed.Known[0] != s.KnownHosts+":1" {
		t.Errorf("got %v", err)
	}
}

func TestAKeyThatIsOpenToOthersIsNotUsed(t *testing.T) {
	s := testserver.SSH(t)
	if err := os.Chmod(s.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := clone.DialSSH(t.Context(), sshOptions(s), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "is open to others (0644)") {
		t.Errorf("got %v", err)
	}
}

func TestABaseDirectoryThatIsNotThereIsNotMade(t *testing.T) {
	s := testserver.SSH(t)
	dir := filepath.Join(t.TempDir(), "not-there")
	_, err := clone.DialSSH(t.Context(), sshOptions(s), dir)
	if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}

// A host that accepts and says nothing holds nobody up for longer than a person waits.
func TestAHostThatSaysNothingIsGivenUp(t *testing.T) {
	s := testserver.SSH(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := sshOptions(s)
	_, o.Host.Port, _ = net.SplitHostPort(l.Addr().String())
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			cancel(why)
			<-t.Context().Done()
		}
	}()
	if _, err := clone.DialSSH(ctx, o, "/"); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestHostsAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"machine-b": "me@machine-b", "corda@machine-b": "corda@machine-b", "corda@machine-b:2222": "corda@machine-b:2222",
		"corda@[fd00::5]:2222": "corda@[fd00::5]:2222", "fd00::5": "me@fd00::5", "machine-b:": "", "@machine-b": "", "-oProxyCommand=x": "", "a b": "",
	} {
		h, err := clone.ParseHost(text, "me")
		if want == "" {
			if err == nil {
				t.Errorf("%q is read as %v", text, h)
			}
			continue
		}
		if err != nil || h.String() != want {
			t.Errorf("%q is read as %v, %v; want %s", text, h, err, want)
		}
	}
}
