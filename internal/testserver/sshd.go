package testserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSHServer is an OpenSSH server of the test's own, for the user who runs the
// test. The test listens, and each connection gets an sshd of its own, which ends
// with it: no daemon runs, and none of the machine's settings or keys are used.
type SSHServer struct {
	Dir string
	// User logs in with the private key in KeyFile.
	User, KeyFile string
	// Port of 127.0.0.1.
	Port int
	// KnownHosts is a file that has the host's key.
	KnownHosts string

	program  string
	listener net.Listener
	log      *logTail
	running  sync.WaitGroup

	mu    sync.Mutex // guards all below
	conns map[*exec.Cmd]net.Conn
}

// SSH starts an sshd that ends with the test. It skips the test where there is none,
// and fails it in the build.
func SSH(t testing.TB) *SSHServer {
	t.Helper()
	program := "/usr/sbin/sshd"
	if found, err := exec.LookPath("sshd"); err == nil {
		program = found
	}
	if _, err := os.Stat(program); err != nil || !supported {
		missing(t, errors.New("the OpenSSH server is not installed: there is no sshd"))
	}
	if os.Geteuid() == 0 { // sshd wants this directory, which the system's own service makes at its start
		if err := os.Mkdir("/run/sshd", 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			missing(t, err)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &SSHServer{Dir: t.TempDir(), User: me.Username, program: program, log: &logTail{}, conns: map[*exec.Cmd]net.Conn{}}
	s.KeyFile = filepath.Join(s.Dir, "user_key")
	s.KnownHosts = filepath.Join(s.Dir, "known_hosts")
	s.write(t, "authorized_keys", string(ssh.MarshalAuthorizedKey(newKey(t, s.KeyFile))), 0o600)
	s.write(t, "sshd_config", fmt.Sprintf(`HostKey %s
AuthorizedKeysFile %s
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
LogLevel VERBOSE
PidFile none
`, s.hostKey(), filepath.Join(s.Dir, "authorized_keys")), 0o600)
	s.listen(t)
	s.NewHostKey(t)
	s.Know(t)
	return s
}

func (s *SSHServer) hostKey() string { return filepath.Join(s.Dir, "host_key") }

// NewHostKey gives the server another host key, as a machine that was made anew has.
func (s *SSHServer) NewHostKey(t testing.TB) { t.Helper(); newKey(t, s.hostKey()) }

// Know writes the present host key into KnownHosts.
func (s *SSHServer) Know(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(s.hostKey())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "known_hosts", knownhosts.Line([]string{knownhosts.Normalize(s.Addr())}, signer.PublicKey())+"\n", 0o600)
}

// Addr is host:port.
func (s *SSHServer) Addr() string { return loopback(s.Port) }

// Cut ends every connection at once, as a network that fails does.
func (s *SSHServer) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cmd := range s.conns {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
	}
}

func (s *SSHServer) listen(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = l
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s.Port, _ = strconv.Atoi(port)
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			s.running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.Cut()
		s.running.Wait()
		if t.Failed() {
			t.Logf("end of the log of sshd:\n%s", s.log)
		}
	})
}

// serve lets one sshd have one connection.
func (s *SSHServer) serve(conn net.Conn) {
	socket, err := conn.(*net.TCPConn).File()
	if err != nil {
		conn.Close()
		return
	}
	cmd := exec.Command(s.program, "-i", "-e", "-f", filepath.Join(s.Dir, "sshd_config"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = socket, socket, s.log
	cmd.Dir = s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	socket.Close()
	conn.Close() // sshd has a copy of its own
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conns[cmd] = conn
	s.mu.Unlock()
	_ = cmd.Wait() // how it ended stands in its log
	s.mu.Lock()
	delete(s.conns, cmd)
	s.mu.Unlock()
}

func (s *SSHServer) write(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// newKey makes a private key in a file and returns its public one.
func newKey(t testing.TB, file string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
