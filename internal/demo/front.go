package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// balance runs the balancer until ctx ends. Nobody harms it, so that its end is
// always a surprise.
func (s *show) balance(ctx context.Context) {
	cmd, err := s.startBalancer()
	if err != nil {
		s.fail(err)
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.nursery.wait(cmd) // how it ended stands in ProcessState
	}()
	select {
	case <-ended:
		text, _ := os.ReadFile(s.stage.front.Log) // without it the state says what is known
		s.fail(fmt.Errorf("the balancer ended by itself (%v), its last words: %s", cmd.ProcessState, lastLine(string(text))))
		return
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
	limit := s.o.Clock.Timer(s.o.Clock.Now().Boot + endLimit)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C():
	case <-s.o.Hurry:
	}
	_ = cmd.Process.Kill() // the same
	<-ended
}

func (s *show) startBalancer() (*exec.Cmd, error) {
	f := s.stage.front
	log, err := os.OpenFile(f.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the balancer has its own copy
	cmd := exec.Command(s.o.Executable, "balance", "--config", f.Conf)
	cmd.Dir, cmd.Env = f.Dir, s.o.Environ
	cmd.Stdout, cmd.Stderr = log, log
	if err := s.nursery.start(cmd); err != nil {
		return nil, fmt.Errorf("start the balancer: %w", err)
	}
	return cmd, nil
}
