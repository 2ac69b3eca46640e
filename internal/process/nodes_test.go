package process

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// nodeMain is a node that a shell script cannot be.
func nodeMain(what string) int {
	switch what {
	case "flood":
		flood()
		return 0
	case "environ":
		fmt.Println(strings.Join(os.Environ(), "\n"))
		return 0
	case "chain":
		return chain()
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		select {}
	case "headless":
		headless()
	}
	return 2
}

// headless ends its main thread and goes on in another one.
func headless() {
	go func() {
		signal.Ignore(syscall.SIGTERM)
		select {}
	}()
	if os.Getpid() == syscall.Gettid() {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
	}
}

// floodLines times floodWidth is 100 MB.
const (
	floodLines = 1_000_000
	floodWidth = 100
)

func flood() {
	w := bufio.NewWriterSize(os.Stdout, 64<<10)
	defer w.Flush()
	pad := strings.Repeat("x", floodWidth-11)
	for i := range floodLines {
		fmt.Fprintf(w, "%09d %s\n", i, pad)
	}
}

// chain starts itself anew in a new session, over and over, each one ending at
// once: a process that is never where one looks.
func chain() int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 1
	}
	_, err = syscall.ForkExec(self, []string{self}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{null.Fd(), 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 1
	}
	return 0
}
