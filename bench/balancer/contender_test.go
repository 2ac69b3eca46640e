package balancer_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// contender is one way from the client to the back-end.
type contender struct {
	name string
	// start starts it, as nobody where asked; nil where nothing has to run.
	start func(b *testing.B, s *stage, asNobody bool) *exec.Cmd
	// userSpace tells whether it has processes that do the work.
	userSpace bool
}

func contenders() []contender {
	return []contender{
		{"haproxy", func(b *testing.B, s *stage, asNobody bool) *exec.Cmd {
			return s.haproxy(b, asNobody, "", "")
		}, true},
		{"haproxy-splice", func(b *testing.B, s *stage, asNobody bool) *exec.Cmd {
			return s.haproxy(b, asNobody, "    tune.pipesize 1048576\n    maxpipes 100\n", "    option splice-auto\n")
		}, true},
		{"nginx", func(b *testing.B, s *stage, asNobody bool) *exec.Cmd { return s.nginx(b, asNobody) }, true},
		{"splice", func(b *testing.B, s *stage, asNobody bool) *exec.Cmd { return s.ours(b, "splice", asNobody) }, true},
		{"kernel", func(b *testing.B, s *stage, asNobody bool) *exec.Cmd { return s.ours(b, "kernel", asNobody) }, false},
		{"direct", nil, false},
	}
}

// stage is the yard with a back-end and a client that run.
type stage struct {
	yard    *yard.Yard
	dir     string
	orders  io.Writer
	reports *bufio.Scanner
	now     string // what is measured, for people
}

const startLimit = 10 * time.Second

// role starts this binary in a place, in one of its roles. It ends when the benchmark does.
func role(b *testing.B, dir string, place *yard.Place, name string, env ...string) (*exec.Cmd, io.WriteCloser, *bufio.Scanner) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, roleVariable+"="+name)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, place.Start(cmd))
	return cmd, in, bufio.NewScanner(out)
}

func newStage(b *testing.B) *stage {
	b.Helper()
	s := &stage{yard: yard.New(b, yard.Options{ReturnRoute: true}), dir: testserver.Dir(b)}
	must(b, os.Chmod(s.dir, 0o755)) // nobody has to come in too
	for _, p := range []*yard.Place{s.yard.Client, s.yard.Balancer, s.yard.A} {
		// Thousands of connections a second would use up the ports of whoever closes first.
		must(b, p.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/tcp_tw_reuse", []byte("1"), 0o644) }))
		must(b, p.Do(func() error { return os.WriteFile("/proc/sys/net/core/somaxconn", []byte("4096"), 0o644) }))
	}
	server, serverIn, serverOut := role(b, s.dir, s.yard.A, "server")
	if !serverOut.Scan() {
		b.Fatal("the back-end did not start")
	}
	client, clientIn, clientOut := role(b, s.dir, s.yard.Client, "client")
	s.orders, s.reports = clientIn, clientOut
	b.Cleanup(func() {
		_, _ = clientIn.Close(), serverIn.Close()
		if err := client.Wait(); err != nil {
			b.Errorf("the client: %v", err)
		}
		if err := server.Wait(); err != nil {
			b.Errorf("the back-end: %v", err)
		}
	})
	return s
}

func (s *stage) ours(b *testing.B, path string, asNobody bool) *exec.Cmd {
	b.Helper()
	env := []string{frontVariable + "=" + s.yard.Balancer.Address(0).String(), backendVariable + "=" + s.yard.A.Address(0).String()}
	if asNobody {
		nobody, err := user.Lookup("nobody")
		must(b, err)
		env = append(env, userVariable+"="+nobody.Uid)
	}
	cmd, in, out := role(b, s.dir, s.yard.Balancer, path, env...)
	if !out.Scan() {
		_ = cmd.Wait()
		b.Fatalf("%s did not start", path)
	}
	b.Cleanup(func() { _ = in.Close() }) // held until then
	return cmd
}

func (s *stage) haproxy(b *testing.B, asNobody bool, global, defaults string) *exec.Cmd {
	b.Helper()
	if asNobody {
		global += "    user nobody\n"
	}
	global += fmt.Sprintf("    maxconn %d\n", idleCrowd()+idleBeside+50) // what it derives by itself is less where it splices
	text := "global\n" + global + "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 4m\n    timeout server 4m\n" + defaults
	for port := sinkPort; port < sinkPort+ports; port++ {
		text += fmt.Sprintf("listen rule-%d\n    bind %v:%d\n    server a %v:%d\n", port, s.yard.Balancer.Address(0), port, s.yard.A.Address(0), port)
	}
	return s.peer(b, testserver.HAProxy(b), "haproxy.cfg", text, "-db", "-f")
}

func (s *stage) nginx(b *testing.B, asNobody bool) *exec.Cmd {
	b.Helper()
	const module = "/usr/lib/nginx/modules/ngx_stream_module.so"
	text := "daemon off;\nworker_processes auto;\nworker_rlimit_nofile 20000;\npid " + s.dir + "/nginx.pid;\nerror_log stderr crit;\n"
	if os.Geteuid() == 0 {
		text += "user " + map[bool]string{true: "nobody nogroup", false: "root"}[asNobody] + ";\n"
	}
	if _, err := os.Stat(module); err == nil {
		text = "load_module " + module + ";\n" + text
	}
	text += "events { worker_connections 20000; }\nstream {\n    proxy_timeout 4m;\n"
	for port := sinkPort; port < sinkPort+ports; port++ {
		text += fmt.Sprintf("    server { listen %v:%d; proxy_pass %v:%d; }\n", s.yard.Balancer.Address(0), port, s.yard.A.Address(0), port)
	}
	return s.peer(b, testserver.Nginx(b), "nginx.conf", text+"}\n", "-p", s.dir, "-c")
}

// peer starts a program with its configuration, whose name comes last, and waits until it accepts.
func (s *stage) peer(b *testing.B, program, name, text string, args ...string) *exec.Cmd {
	b.Helper()
	file := filepath.Join(s.dir, name)
	must(b, os.WriteFile(file, []byte(text), 0o644))
	cmd := exec.Command(program, append(args, file)...)
	cmd.Dir = s.dir
	cmd.Stderr = os.Stderr
	must(b, s.yard.Balancer.Start(cmd))
	for began := time.Now(); clock.Wait(b.Context(), clock.System(), 5*time.Millisecond) == nil; {
		c, err := net.Dial("tcp", net.JoinHostPort(s.yard.Balancer.Address(0).String(), strconv.Itoa(sinkPort+ports-1)))
		if err == nil {
			_ = c.Close()
			return cmd
		}
		if time.Since(began) > startLimit {
			b.Fatalf("%s does not accept after %v: %v", program, startLimit, err)
		}
	}
	b.Fatalf("%s was not waited for: %v", program, b.Context().Err())
	return nil
}

// end kills a contender and its children, and waits until their ports are free.
func end(b *testing.B, cmd *exec.Cmd) {
	b.Helper()
	if cmd == nil {
		return
	}
	var handles []unix.PollFd
	for _, pid := range family(cmd) {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			handles = append(handles, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
	}
	for _, h := range handles {
		for {
			n, err := unix.Poll([]unix.PollFd{h}, int(startLimit.Milliseconds()))
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil || n == 0 {
				b.Errorf("%v is alive %v after it was killed (%v)", cmd, startLimit, err)
			}
			break
		}
		_ = unix.Close(int(h.Fd))
	}
	_ = cmd.Wait() // killed, as it should be
}

// family are a process and its children, which nginx has.
func family(cmd *exec.Cmd) []int {
	if cmd == nil {
		return nil
	}
	all := []int{cmd.Process.Pid}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", cmd.Process.Pid))
	for _, t := range threads {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// cpu is the processor time that processes have used, all their threads together.
func cpu(pids []int) time.Duration {
	var sum time.Duration
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, t := range threads {
			text, err := os.ReadFile(t)
			if err != nil {
				continue
			}
			if fields := strings.Fields(string(text)); len(fields) > 0 {
				if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
					sum += time.Duration(n)
				}
			}
		}
	}
	return sum
}

// busy is the time of all processors that was not idle.
func busy() time.Duration {
	const tick = 10 * time.Millisecond
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var sum time.Duration
	for i, word := range strings.Fields(line)[1:] {
		n, err := strconv.ParseInt(word, 10, 64)
		if err == nil && i != 3 && i != 4 && i < 8 { // idle, waiting for a disk; guests are counted already
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// memory is the share of memory of processes in bytes, and files their descriptors.
func memory(b *testing.B, pids []int) (bytes, files float64) {
	b.Helper()
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		must(b, err)
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
				n, err := strconv.ParseFloat(fields[1], 64)
				must(b, err)
				bytes += n * 1024
			}
		}
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		must(b, err)
		files += float64(len(entries))
	}
	return bytes, files
}

// settled is memory once two looks have found the same, or what it is after five seconds.
func settled(b *testing.B, pids []int) (bytes, files float64) {
	b.Helper()
	looks := time.NewTicker(250 * time.Millisecond)
	defer looks.Stop()
	bytes, files = memory(b, pids)
	for range 20 {
		<-looks.C
		was, had := bytes, files
		if bytes, files = memory(b, pids); bytes == was && files == had {
			break
		}
	}
	return bytes, files
}

// slab is the kernel's own memory.
func slab(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	must(b, err)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == "Slab:" {
			n, err := strconv.ParseFloat(fields[1], 64)
			must(b, err)
			return n * 1024
		}
	}
	return 0
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
