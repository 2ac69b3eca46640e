package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTCPIsWellWhenEveryAddressAccepts(t *testing.T) {
	p, err := NewTCP(silent(t), listen(t, func(net.Conn) {}))
	if err != nil {
		t.Fatal(err)
	}
	want(t, p.Look(within(t, patience)), Well, "")
}

func TestTCPNamesEveryAddressThatRefuses(t *testing.T) {
	one, two := deaf(t), deaf(t)
	p, err := NewTCP(one, silent(t), two)
	if err != nil {
		t.Fatal(err)
	}
	want(t, p.Look(within(t, patience)), Refused,
		fmt.Sprintf("tcp %s: connection refused; tcp %s: connection refused", one, two))
}

// A full accept queue drops the first packet of a connection, as a dead
// machine or a firewall does.
func TestTCPTellsTimedOutFromRefused(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	fill, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer fill.Close()
	p, err := NewTCP(address)
	if err != nil {
		t.Fatal(err)
	}
	want(t, p.Look(within(t, 50*time.Millisecond)), TimedOut, "tcp "+address+": timed out while connecting")
}

func TestALookGivenUpSaysNothingAboutTheNode(t *testing.T) {
	address := silent(t)
	p, err := NewTCP(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, p.Look(ctx), GivenUp, "tcp "+address+": given up while connecting")
}

func TestTCPRefusesAddressesItCannotUse(t *testing.T) {
	many := make([]string, addressLimit+1)
	for _, addresses := range [][]string{nil, {"localhost"}, {"localhost:"}, many} {
		if _, err := NewTCP(addresses...); err == nil {
			t.Errorf("%q was taken", addresses)
		}
	}
}

func TestAllLooksWithEveryProbeAtTheSameTime(t *testing.T) {
	one, two := make(chan struct{}), make(chan struct{})
	meet := func(mine, other chan struct{}) Probe {
		return Func(func(ctx context.Context) error {
			close(mine)
			select {
			case <-other:
				return nil
			case <-ctx.Done():
				return errTest
			}
		})
	}
	if err := All(meet(one, two), meet(two, one)).Look(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	if err := All().Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOutcomeOfSeveralFailuresIsTheFirstThatSaysSomething(t *testing.T) {
	up := &Failure{Outcome: GivenUp}
	wrong := &Failure{Outcome: Wrong}
	for _, c := range []struct {
		errs []error
		want Outcome
	}{
		{[]error{up, wrong}, Wrong},
		{[]error{nil, up, up}, GivenUp},
		{[]error{errTest, wrong}, Wrong},
		{[]error{errTest}, Unknown},
		{nil, Well},
	} {
		if got := OutcomeOf(join(c.errs)); got != c.want {
			t.Errorf("%v: got %v, want %v", c.errs, got, c.want)
		}
	}
}

// A reset would be noted by the other side as a broken client; the clouds' probes close in order, too.
func TestTCPClosesInOrder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	end := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			end <- err
			return
		}
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		end <- err
	}()
	p, err := NewTCP(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	want(t, p.Look(within(t, patience)), Well, "")
	if err := receive(t, end); err != io.EOF {
		t.Fatalf("the other side saw %v, want the end of what is sent", err)
	}
}
