package pathtest_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer/kernel"
	"github.com/hotcold/hotcold/internal/balancer/pathtest"
	"github.com/hotcold/hotcold/internal/balancer/splice"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

func TestSpliceKeepsThePromisesOfAPath(t *testing.T) {
	t.Parallel() // each has a process and a network of its own, and waits most of the time
	yard.Within(t, func(t *testing.T) {
		pathtest.Run(t, yard.Options{}, func(t *testing.T, _ *yard.Yard) pathtest.Fixture {
			p, err := splice.New(splice.Options{Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			return pathtest.Fixture{Path: p}
		})
	})
}

var whatTheKernelLacks = map[pathtest.Ability]string{
	pathtest.ParkingOrder:  "clients send their SYN again in their own time",
	pathtest.ParkingLeave:  "a client that waits for an answer to its SYN says nothing when it leaves",
	pathtest.CountsPayload: "the kernel counts packets with their headers",
	pathtest.ProxyHeaders:  "the kernel neither reads nor writes a PROXY header",
	pathtest.Families:      "the kernel does not translate between IPv4 and IPv6",
	pathtest.Retry:         "a machine's refusal goes straight to the client",
	pathtest.Sockets:       "the kernel translates, it does not listen",
}

func TestKernelKeepsThePromisesOfAPath(t *testing.T) {
	t.Parallel() // each has a process and a network of its own, and waits most of the time
	yard.Within(t, func(t *testing.T) {
		kernelKeeps(t, true)
	})
}

// Without masquerade a machine sees the client's own address, and answers through the balancer.
func TestKernelWithoutMasqueradeKeepsThePromisesOfAPath(t *testing.T) {
	t.Parallel() // each has a process and a network of its own, and waits most of the time
	yard.Within(t, func(t *testing.T) {
		kernelKeeps(t, false)
	})
}

func kernelKeeps(t *testing.T, masquerade bool) {
	if err := kernel.Available(); err != nil {
		testserver.Missing(t, fmt.Errorf("no kernel path: %w", err))
	}
	pathtest.Run(t, yard.Options{ReturnRoute: !masquerade}, func(t *testing.T, _ *yard.Yard) pathtest.Fixture {
		p, err := kernel.New(kernel.Options{Service: "yard", Masquerade: masquerade, Clock: clock.System(), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return pathtest.Fixture{Path: p, Lacks: whatTheKernelLacks, IdleTime: 5 * time.Second}
	})
}
