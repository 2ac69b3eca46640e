package e2e

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

// listener is systemd's end of the notify socket.
type listener struct{ c *net.UnixConn }

func listenNotify(t testing.TB, name string) listener {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	raw, err := c.SyscallConn()
	if err == nil {
		if bad := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) }); bad != nil {
			err = bad
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return listener{c}
}

// hear returns the next message and who sent it; it fails after the limit.
func (l listener) hear(t testing.TB, limit time.Duration) (text string, pid int) {
	t.Helper()
	if err := l.c.SetReadDeadline(clock.System().Now().Wall.Add(limit)); err != nil {
		t.Fatal(err)
	}
	b, oob := make([]byte, 4096), make([]byte, 1024)
	n, m, _, _, err := l.c.ReadMsgUnix(b, oob)
	if err != nil {
		t.Fatalf("nothing was said for %v: %v", limit, err)
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:m])
	if err != nil || len(messages) == 0 {
		t.Fatalf("nobody sent %q: %v", b[:n], err)
	}
	who, err := syscall.ParseUnixCredentials(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), int(who.Pid)
}

// Goal: systemd sees the balancer alive at least as often as the unit says, also once
// another process has taken over and is the main one.
//
// Method: a notify socket in systemd's place, with the sender of each message.
func TestTheBalancersWatchdogIsFedAlsoAfterAnUpgrade(t *testing.T) {
	const watchdog = 3 * time.Second
	dir, port := testserver.Dir(t), testserver.FreePort(t)
	if len(dir) > 90 {
		dir = t.TempDir()
	}
	socket := filepath.Join(dir, "notify")
	l := listenNotify(t, socket)
	f := runBalancer(t, filepath.Join(dir, "balancer"), port, fmt.Sprintf(`
  machines { machine-a.address = %s, machine-b.address = %s }
  balancer { rules.echo { frontend = 127.0.0.1, port = %d }, probes.echo { protocol = TCP, port = %d }, dataPath = splice, listen.address = off }
`, machineAddress(0), machineAddress(1), port, port), "NOTIFY_SOCKET="+socket, fmt.Sprintf("WATCHDOG_USEC=%d", watchdog.Microseconds()))
	first := f.cmd.Process.Pid
	for {
		if text, pid := l.hear(t, settleLimit); text == "READY=1" {
			if pid != first {
				t.Errorf("process %d said that %d is ready", pid, first)
			}
			break
		}
	}
	fed := func(by int) {
		t.Helper()
		for pings, last := 0, now(); pings < 3; {
			text, pid := l.hear(t, watchdog)
			if text != "WATCHDOG=1" || pid != by {
				continue
			}
			if at := now(); at-last > watchdog {
				t.Errorf("process %d was silent for %v, and the watchdog bites after %v", by, at-last, watchdog)
			}
			pings, last = pings+1, now()
		}
	}
	fed(first)
	signal(t, first, syscall.SIGUSR2)
	second := 0
	for second == 0 {
		text, _ := l.hear(t, settleLimit)
		if pid, ok := strings.CutPrefix(text, "MAINPID="); ok {
			var err error
			if second, err = strconv.Atoi(pid); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() {
		end := now() + endLimit
		for syscall.Kill(second, syscall.SIGTERM) == nil && now() < end {
			_ = clock.Wait(context.WithoutCancel(t.Context()), clock.System(), lookPause) // the loop has its own limit
		}
	})
	fed(second)
}
