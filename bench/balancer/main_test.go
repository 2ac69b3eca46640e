package balancer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/kernel"
	"github.com/hotcold/hotcold/internal/balancer/splice"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

// roleVariable makes this binary a client, a back-end or a balancer.
const roleVariable = "HOTCOLD_BENCH_ROLE"

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(testserver.Main(m))
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}

func play(role string) error {
	switch role {
	case "client":
		return client()
	case "server":
		return server()
	}
	return balance(role)
}

func noContext() context.Context { return context.Background() }

// What a balancer of ours is told, in the environment.
const (
	frontVariable   = "HOTCOLD_BENCH_FRONT"
	backendVariable = "HOTCOLD_BENCH_BACKEND"
	userVariable    = "HOTCOLD_BENCH_USER" // a number; empty: as is
)

// idleTimeout is everybody's.
const idleTimeout = 4 * time.Minute

// balance is one of our paths. It ends when nobody holds its standard input any more.
func balance(path string) error {
	front, err := netip.ParseAddr(os.Getenv(frontVariable))
	if err != nil {
		return err
	}
	backend, err := netip.ParseAddr(os.Getenv(backendVariable))
	if err != nil {
		return err
	}
	if user := os.Getenv(userVariable); user != "" {
		var id int
		if _, err := fmt.Sscan(user, &id); err != nil {
			return err
		}
		// The groups first: nobody may not.
		if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(id), syscall.Setuid(id)); err != nil {
			return err
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var p balancer.Path
	if path == "kernel" {
		p, err = kernel.New(kernel.Options{Service: "bench", Masquerade: true, Clock: clock.System(), Log: log})
	} else {
		p, err = splice.New(splice.Options{Clock: clock.System(), Log: log})
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- p.Run(ctx) }()
	setup := balancer.Setup{Park: true, ParkLimit: 1024, ParkTime: 45 * time.Second}
	for i := range uint16(ports) {
		setup.Rules = append(setup.Rules, balancer.Rule{Name: fmt.Sprint("rule-", i),
			Frontend: netip.AddrPortFrom(front, sinkPort+i), BackendPort: sinkPort + i, IdleTimeout: idleTimeout})
	}
	err = p.Apply(ctx, setup)
	if err == nil {
		err = p.Steer(ctx, balancer.Target{Machine: "a", Address: backend, Epoch: 1}, balancer.Old{})
	}
	if err == nil {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	cancel()
	return errors.Join(err, <-over)
}
