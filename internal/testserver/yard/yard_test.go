package yard_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/testserver/yard"
)

const (
	port = 7000
	// patience limits what has to happen, briefly what must not.
	patience = 10 * time.Second
	briefly  = 300 * time.Millisecond
)

// greeter tells everybody who connects its name and the address that was reached.
func greeter(t *testing.T, p *yard.Place, name string) {
	t.Helper()
	l, err := p.Listen(t.Context(), netip.Addr{}, port)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "%s %v", name, c.LocalAddr())
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-over })
}

func greeting(t *testing.T, from *yard.Place, i int, to netip.Addr, limit time.Duration) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c, err := from.Dial(ctx, i, netip.AddrPortFrom(to, port))
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	said, err := io.ReadAll(c)
	return string(said), err
}

func TestBalancerReachesBothMachinesAtAllTheirAddresses(t *testing.T) {
	yard.Within(t, func(t *testing.T) {
		y := yard.New(t, yard.Options{})
		greeter(t, y.A, "a")
		greeter(t, y.B, "b")
		for i := range yard.Addresses {
			for to, want := range map[netip.Addr]string{y.A.Address(i): "a ", y.A.Address6(i): "a ", y.B.Address(i): "b ", y.B.Address6(i): "b "} {
				want += netip.AddrPortFrom(to, port).String()
				// The balancer's address number 1 is towards A, number 2 towards B.
				from := map[byte]int{'a': 1, 'b': 2}[want[0]]
				if said, err := greeting(t, y.Balancer, from, to, patience); err != nil || said != want {
					t.Errorf("at %v somebody said %q (%v), want %q", to, said, err, want)
				}
			}
		}
	})
}

func TestClientReachesMachinesOnlyWhereTheyKnowTheWayBack(t *testing.T) {
	yard.Within(t, func(t *testing.T) {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprint(known), func(t *testing.T) {
				y := yard.New(t, yard.Options{ReturnRoute: known})
				greeter(t, y.A, "a")
				limit := briefly
				if known {
					limit = patience
				}
				for _, to := range []netip.Addr{y.A.Address(0), y.A.Address6(0)} {
					if _, err := greeting(t, y.Client, 0, to, limit); (err == nil) != known {
						t.Errorf("a way back is known: %v; to %v: %v", known, to, err)
					}
				}
			})
		}
	})
}

func TestCutLinksAndMuteMachinesSwallowPacketsUntilMended(t *testing.T) {
	yard.Within(t, func(t *testing.T) {
		y := yard.New(t, yard.Options{ReturnRoute: true})
		greeter(t, y.A, "a")
		reach := func(limit time.Duration) error {
			var all error
			for _, from := range []*yard.Place{y.Balancer, y.Client} {
				i := map[bool]int{true: 1}[from == y.Balancer]
				for _, to := range []netip.Addr{y.A.Address(0), y.A.Address6(0)} {
					_, err := greeting(t, from, i, to, limit)
					all = errors.Join(all, err)
				}
			}
			return all
		}
		for _, trouble := range []struct {
			name        string
			begins, end func()
		}{
			{"cut", func() { y.CutLink(t, y.A) }, func() { y.MendLink(t, y.A) }},
			{"mute", func() { y.Mute(t, y.A) }, func() { y.Unmute(t, y.A) }},
		} {
			if err := reach(patience); err != nil {
				t.Errorf("before %s: %v", trouble.name, err)
			}
			trouble.begins()
			for _, to := range []netip.Addr{y.A.Address(0), y.A.Address6(0)} {
				if said, err := greeting(t, y.Balancer, 1, to, briefly); err == nil {
					t.Errorf("%s: %v said %q", trouble.name, to, said)
				} else if trouble.name == "mute" && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a mute machine gives no sign at all, but: %v", err)
				}
			}
			trouble.end()
		}
		if err := reach(patience); err != nil {
			t.Errorf("after all: %v", err)
		}
	})
}

// The test runs itself as a child that makes a yard, kills the process that has started the yard's own, and waits
// for that one's end. Namespaces without a name and without a process are no more.
func TestNothingIsLeftWhenTheTestIsKilled(t *testing.T) {
	const orphan = "HOTCOLD_YARD_ORPHAN"
	if os.Getenv(orphan) != "" {
		yard.Within(t, func(t *testing.T) {
			_ = yard.New(t, yard.Options{})
			fmt.Printf("\norphan %d\n", os.Getpid())
			select {}
		})
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingIsLeftWhenTheTestIsKilled$", "-test.v")
	cmd.Env = append(os.Environ(), orphan+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var said []string
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		said = append(said, lines.Text())
		if strings.HasPrefix(lines.Text(), "--- SKIP") {
			t.Skip(strings.Join(said, "\n"))
		}
		_, _ = fmt.Sscanf(lines.Text(), "orphan %d", &pid)
	}
	if pid == 0 {
		t.Fatalf("the child made no yard:\n%s", strings.Join(said, "\n"))
	}
	handle, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(handle) }()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := waitDead(handle); err != nil {
		t.Errorf("process %d, in which the yard was: %v", pid, err)
	}
	_ = cmd.Wait() // killed, as it should be
}

func waitDead(handle int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, int(patience.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return errors.New("it is alive")
		default:
			return nil
		}
	}
}
