package kernel

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// ask connects from the calling thread's namespace and reads who answers.
func ask(front netip.AddrPort) (string, error) {
	c, err := net.DialTimeout("tcp", front.String(), limit)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(limit))
	line := make([]byte, 64)
	n, err := c.Read(line)
	if n == 0 {
		return "", errors.Join(err, io.ErrUnexpectedEOF)
	}
	return string(line[:n-1]), nil
}

func TestAClientWaitsUntilSomebodyIsHot(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	p.apply(setup(rule4()))
	who := make(chan string, 1)
	go func() {
		c, err := y.client.dial(front4, limit)
		if err != nil {
			who <- err.Error()
			return
		}
		line, _ := c.r.ReadString('\n')
		who <- line
	}()
	p.until("one is parked", func(f balancer.Flows) bool { return f.Parked == 1 })
	select {
	case w := <-who:
		t.Fatalf("the client was told %q while nobody was hot", w)
	default:
	}
	p.steer(to4(0, 1), balancer.Old{})
	if w := <-who; w != "alpha\n" {
		t.Errorf("the client was told %q, want alpha", w)
	}
	p.until("one is accepted and none is parked", func(f balancer.Flows) bool { return f.Parked == 0 && f.Rules[0].Accepted == 1 })
}

func TestTheParkIsBounded(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	s := setup(rule4())
	s.ParkLimit, s.ParkTime = 3, 2*time.Second
	p.apply(s)
	results := make(chan error, 5)
	for range 5 {
		go func() {
			_, err := y.client.dial(front4, limit)
			results <- err
		}()
	}
	// Two do not fit and are told at once, three when their time is over.
	for i := range 5 {
		if err := <-results; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("client %d: %v, want a refusal", i, err)
		}
	}
	f := p.until("all are over", func(f balancer.Flows) bool { return f.Rules[0].Expired == 3 })
	if f.Rules[0].Overflowed != 2 {
		t.Errorf("counted %+v", f.Rules[0])
	}
}

func TestRefusingTellsAtOnce(t *testing.T) {
	y := newYard(t)
	y.pair()
	p := y.path(false)
	s := setup(rule4())
	s.Park = false
	p.apply(s)
	if _, err := y.client.dial(front4, limit); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("with nobody hot: %v, want a refusal", err)
	}
	p.steer(to4(0, 1), balancer.Old{})
	if _, who := y.client.reach(front4); who != "alpha" {
		t.Errorf("%q answered, want alpha", who)
	}
}
