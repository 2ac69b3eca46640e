package witness

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // drivers of the databases in these tests
	_ "modernc.org/sqlite"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// TestMain lets the test binary be a witness as well.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "witness" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := Command(ctx, Process{Args: os.Args[2:], Getenv: os.Getenv, Open: openSQLite, Out: os.Stdout})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func openSQLite(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
}

// scene is a drive, a database and a directory of records.
type scene struct {
	t       *testing.T
	dir     string
	db      *sql.DB
	journal string
	records string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dir := t.TempDir()
	db, err := openSQLite(filepath.Join(dir, "node.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(createTable); err != nil {
		t.Fatal(err)
	}
	return &scene{t, dir, db, filepath.Join(dir, "drive", "journal"), filepath.Join(dir, "records")}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func port(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(testserver.FreePort(t)))
}

// actor is a witness in a process of its own.
type actor struct {
	t             *testing.T
	cmd           *exec.Cmd
	out           *bufio.Scanner
	p2p, rpc, web string
}

// cast starts a witness and does not wait until it is ready.
func (s *scene) cast(instance string, epoch int, args ...string) *actor {
	t := s.t
	t.Helper()
	a := &actor{t: t, p2p: port(t), rpc: port(t), web: port(t)}
	a.cmd = exec.Command(os.Args[0], append([]string{"witness", "--instance", instance,
		"--p2p", a.p2p, "--rpc", a.rpc, "--web", a.web, "--journal", s.journal, "--records", s.records,
		"--db", filepath.Join(s.dir, "node.db"), "--harm"}, args...)...)
	a.cmd.Env = append(os.Environ(), EpochVariable+"="+strconv.Itoa(epoch))
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a.cmd.Stdout, a.cmd.Stderr = in, in
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	a.out = bufio.NewScanner(out)
	t.Cleanup(func() {
		syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		a.cmd.Wait()
		out.Close()
	})
	return a
}

// start starts a witness and waits until it is ready.
func (s *scene) start(instance string, epoch int, args ...string) *actor {
	s.t.Helper()
	a := s.cast(instance, epoch, args...)
	a.hear("ready")
	return a
}

// hear waits for a line that has the word.
func (a *actor) hear(word string) string {
	a.t.Helper()
	var heard []string
	for a.out.Scan() {
		heard = append(heard, a.out.Text())
		if strings.Contains(a.out.Text(), word) {
			return a.out.Text()
		}
	}
	a.t.Fatalf("no %q in the output: %q", word, heard)
	return ""
}

func (a *actor) signal(s syscall.Signal) {
	a.t.Helper()
	if err := a.cmd.Process.Signal(s); err != nil {
		a.t.Fatal(err)
	}
}

// freeze stops the process and waits until the kernel has done so.
func (a *actor) freeze() {
	a.t.Helper()
	a.signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(a.cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		a.t.Fatalf("not stopped: %v %v", status, err)
	}
}

// end waits for the end and answers the exit code, or -1 after a signal.
func (a *actor) end() int {
	a.t.Helper()
	err := a.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		a.t.Fatal(err)
	}
	return a.cmd.ProcessState.ExitCode()
}

func (a *actor) kill() {
	a.t.Helper()
	a.signal(syscall.SIGKILL)
	a.end()
}

// ask sends lines to a port and returns as many lines of answer.
func (a *actor) ask(address string, lines ...string) []string {
	a.t.Helper()
	answers, err := ask(within(a.t, patience), address, lines...)
	if err != nil {
		a.t.Fatal(err)
	}
	return answers
}

func ask(ctx context.Context, address string, lines ...string) ([]string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, strings.Join(lines, "\n")+"\n"); err != nil {
		return nil, err
	}
	var answers []string
	for in := bufio.NewScanner(conn); len(answers) < len(lines); {
		if !in.Scan() {
			return answers, fmt.Errorf("%d of %d answers: %w", len(answers), len(lines), errors.Join(in.Err(), io.EOF))
		}
		answers = append(answers, in.Text())
	}
	return answers, nil
}

// hang makes it answer nothing any more.
func (a *actor) hang() {
	a.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(within(a.t, patience), "tcp", a.rpc)
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "harm hang\n"); err != nil {
		a.t.Fatal(err)
	}
	a.hear("hangs")
}

func (a *actor) write(ids ...ID) {
	a.t.Helper()
	for _, id := range ids {
		if got := a.ask(a.p2p, "write "+string(id)); got[0] != "ok "+string(id) {
			a.t.Fatalf("write %s: %q", id, got)
		}
	}
}

func (s *scene) audit(acked ...ID) Report {
	s.t.Helper()
	r, err := Audit(s.t.Context(), Evidence{Records: s.records, Journal: s.journal, DB: s.db, Acked: acked, Clock: clock.System()})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *scene) lives() []Life {
	s.t.Helper()
	lives, err := ReadLives(s.records)
	if err != nil {
		s.t.Fatal(err)
	}
	return lives
}

// faultless fails the test if the audit found something.
func faultless(t *testing.T, r Report) {
	t.Helper()
	for _, f := range r.Faults() {
		t.Error("fault:", f)
	}
}

// faulty fails the test unless one of the faults has the text.
func faulty(t *testing.T, r Report, text string) {
	t.Helper()
	if !strings.Contains(strings.Join(r.Faults(), "\n"), text) {
		t.Fatalf("the audit missed %q, it found %q", text, r.Faults())
	}
}
