package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// motoLimit bounds the wait for moto, which loads slowly on a machine with other work.
const motoLimit = 60 * time.Second

// motoReady is printed once moto answers.
const motoReady = "Running on http"

// CloudTool finds a program that scripts/test-deps.sh installs from PyPI: aws, cfn-lint, moto_server. Where it is missing
// it skips the test, and fails it in the build.
func CloudTool(t testing.TB, name string) string {
	t.Helper()
	cache, err := cacheDir()
	if err != nil {
		missing(t, err)
	}
	program := filepath.Join(cache, "cloud-tools", "bin", name)
	if _, err := os.Stat(program); err != nil {
		missing(t, fmt.Errorf("%s is not in the cache: %w", name, err))
	}
	return program
}

// Program finds a program of the machine. Where it is missing it skips the test, and fails it in the build.
func Program(t testing.TB, name string) string {
	t.Helper()
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if program, err := exec.LookPath(at); err == nil {
			return program
		}
	}
	missing(t, fmt.Errorf("there is no %s in PATH", name))
	return ""
}

// Moto starts an imitation of AWS that ends with the test, and returns its URL. It checks names, ranges and references
// less strictly than AWS does; what it was told can be read back.
func Moto(t testing.TB) string {
	t.Helper()
	program := CloudTool(t, "moto_server")
	if !supported {
		missing(t, errors.New("processes are followed on Linux only"))
	}
	dir := Dir(t)
	port := FreePort(t)
	log := &logTail{}
	ready := log.expect(motoReady)
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", strconv.Itoa(port))
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "PYTHONUNBUFFERED=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start moto: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended stands in its log
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // one that has ended already is no fault
		<-exited
		if t.Failed() {
			t.Logf("end of moto's log:\n%s", log)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), motoLimit)
	defer cancel()
	select {
	case <-ready:
	case <-exited:
		t.Fatalf("moto ended while starting; end of its log:\n%s", log)
	case <-ctx.Done():
		t.Fatalf("moto is not ready after %v; end of its log:\n%s", motoLimit, log)
	}
	return "http://" + loopback(port)
}
