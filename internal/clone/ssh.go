package clone

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

const (
	// dialLimit bounds the way to the other machine's sshd, its greeting and the login.
	dialLimit = 20 * time.Second
	// aliveEvery is how often the other side is asked whether it is there, and
	// aliveLimit how long it may take to say so: a way that is cut says nothing by itself.
	aliveEvery = 10 * time.Second
	aliveLimit = 20 * time.Second
	// maxKeyFileBytes is far above any private key.
	maxKeyFileBytes = 64 << 10
)

// Host is another machine as SSH reaches it.
type Host struct {
	User string
	Host string
	Port string
}

// Address is host:port.
func (h Host) Address() string { return net.JoinHostPort(h.Host, h.Port) }

// String is user@host, with the port where it is not the usual one.
func (h Host) String() string {
	text := h.User + "@" + h.Host
	if h.Port != sshPort {
		text = h.User + "@" + h.Address()
	}
	return text
}

const sshPort = "22"

// ParseHost reads [user@]host[:port]. user holds where none is written.
func ParseHost(text, user string) (Host, error) {
	h := Host{User: user, Host: text, Port: sshPort}
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		h.User, h.Host = text[:at], text[at+1:]
	}
	switch host, port, err := net.SplitHostPort(h.Host); {
	case err == nil:
		h.Host, h.Port = host, port
	case strings.Count(h.Host, ":") > 1: // IPv6
		h.Host = strings.Trim(h.Host, "[]")
	case strings.Contains(h.Host, ":"):
		return h, fmt.Errorf("%q is no [user@]host[:port]", text)
	}
	if h.User == "" || h.Host == "" || h.Port == "" || strings.HasPrefix(h.Host, "-") || strings.ContainsAny(h.Host, "/ \t\n") {
		return h, fmt.Errorf("%q is no [user@]host[:port]", text)
	}
	return h, nil
}

// SSHOptions say how another machine is reached.
type SSHOptions struct {
	Host Host
	// KnownHosts are the files that say which host has which key. Those that are not there say nothing.
	KnownHosts []string
	// Keys are files of private keys, tried after those of the agent. Those that are not there are passed over.
	Keys []string
	// AgentSocket is where ssh-agent answers; empty: there is none.
	AgentSocket string
	// Passphrase asks a person for that of a key file; nil: there is nobody to ask.
	Passphrase func(file string) (config.Secret, error)
	Clock      clock.Clock
}

// UnknownHostError says that no file of known hosts has the other machine.
type UnknownHostError struct {
	Address string
	// Fingerprint is of the key that it showed, as ssh-keygen -l prints it.
	Fingerprint string
	// Line is what a file of known hosts would say of it.
	Line string
	// File is where that line would go.
	File string
}

func (e *UnknownHostError) Error() string {
	return fmt.Sprintf("%s shows the host key %s, which is not known here", e.Address, e.Fingerprint)
}

// ChangedHostError says that the other machine shows another key than it is known by.
type ChangedHostError struct {
	Address     string
	Fingerprint string
	// Known is where the key stands that it is known by: file:line.
	Known []string
}

func (e *ChangedHostError) Error() string {
	return fmt.Sprintf("%s shows the host key %s, and is known by another one (%s): somebody stands between, or the machine was made anew",
		e.Address, e.Fingerprint, strings.Join(e.Known, ", "))
}

// DialSSH reaches another machine and opens its base directory there. Close ends all of it.
func DialSSH(ctx context.Context, o SSHOptions, baseDir string) (*Remote, error) {
	limited, cancel := context.WithTimeoutCause(ctx, dialLimit, fmt.Errorf("it has not answered within %v", dialLimit))
	defer cancel()
	verify, algorithms, err := o.hostKeys()
	if err != nil {
		return nil, err
	}
	auth, closeAgent, err := o.auth(ctx)
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	conn, err := (&net.Dialer{}).DialContext(limited, "tcp", o.Host.Address())
	if err != nil {
		return nil, fmt.Errorf("reach %s: %w", o.Host, because(limited, err))
	}
	stop := context.AfterFunc(limited, func() { conn.Close() })
	var refused error // of the host's key: package ssh wraps it in text
	c, chans, reqs, err := ssh.NewClientConn(conn, o.Host.Address(), &ssh.ClientConfig{
		User: o.Host.User, Auth: auth, HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			refused = verify(host, remote, key)
			return refused
		},
	})
	if !stop() && err == nil {
		err = errors.Join(context.Cause(limited), c.Close())
	}
	switch {
	case refused != nil:
		return nil, errors.Join(refused, ignoreClosed(conn.Close()))
	case err != nil:
		return nil, errors.Join(fmt.Errorf("log in as %s: %w", o.Host, because(limited, err)), ignoreClosed(conn.Close()))
	}
	return newRemote(ctx, o, ssh.NewClient(c, chans, reqs), baseDir)
}

// because prefers why a context ended to what that did to a connection.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// hostKeys is how a host's key is judged, and which kinds are asked for: only
// those that are known, because a host shows one key of several and it has to be
// the one that stands in the file.
func (o SSHOptions) hostKeys() (ssh.HostKeyCallback, []string, error) {
	var there []string
	for _, f := range o.KnownHosts {
		if _, err := os.Stat(f); err == nil {
			there = append(there, f)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("read the known hosts: %w", err)
		}
	}
	known, err := knownhosts.New(there...)
	if err != nil {
		return nil, nil, fmt.Errorf("read the known hosts: %w", err)
	}
	verify := func(host string, remote net.Addr, key ssh.PublicKey) error {
		err := known(host, remote, key)
		var judged *knownhosts.KeyError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &judged):
			return fmt.Errorf("judge the host key of %s: %w", o.Host.Address(), err) // revoked, for example
		case len(judged.Want) == 0:
			e := &UnknownHostError{Address: o.Host.Address(), Fingerprint: ssh.FingerprintSHA256(key),
				Line: knownhosts.Line([]string{knownhosts.Normalize(o.Host.Address())}, key)}
			if len(o.KnownHosts) > 0 {
				e.File = o.KnownHosts[0]
			}
			return e
		}
		e := &ChangedHostError{Address: o.Host.Address(), Fingerprint: ssh.FingerprintSHA256(key)}
		for _, w := range judged.Want {
			e.Known = append(e.Known, fmt.Sprintf("%s:%d", w.Filename, w.Line))
		}
		return e
	}
	return verify, o.knownAlgorithms(known), nil
}

// knownAlgorithms asks with a key that nobody has which ones are known.
func (o SSHOptions) knownAlgorithms(known ssh.HostKeyCallback) []string {
	nobody, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var judged *knownhosts.KeyError
	if !errors.As(known(o.Host.Address(), &net.TCPAddr{}, nobody), &judged) {
		return nil
	}
	var all []string
	for _, w := range judged.Want {
		switch kind := w.Key.Type(); kind {
		case ssh.KeyAlgoRSA: // the key's kind; the old signature of that name is not asked for
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			all = append(all, kind)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// auth are the ways to log in: the agent's keys, then those of files.
func (o SSHOptions) auth(ctx context.Context) ([]ssh.AuthMethod, func(), error) {
	end := func() {}
	var agents func() ([]ssh.Signer, error)
	if o.AgentSocket != "" {
		conn, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "unix", o.AgentSocket)
		if err == nil { // else an agent that has ended is as good as none
			end = func() { conn.Close() }
			agents = agent.NewClient(conn).Signers
		}
	}
	files := 0
	for _, f := range o.Keys {
		if _, err := os.Stat(f); err == nil {
			files++
		}
	}
	if agents == nil && files == 0 {
		end()
		return nil, nil, fmt.Errorf("there is no key to log in with as %s: neither an ssh-agent nor any of %s", o.Host, strings.Join(o.Keys, ", "))
	}
	// One method: package ssh tries each kind of method once only.
	all := func() (signers []ssh.Signer, err error) {
		if agents != nil {
			if signers, err = agents(); err != nil {
				signers = nil // an agent that is locked is as good as none
			}
		}
		for _, f := range o.Keys {
			s, err := o.signer(f)
			if err != nil {
				return nil, err
			}
			if s != nil {
				signers = append(signers, s)
			}
		}
		return signers, nil
	}
	return []ssh.AuthMethod{ssh.PublicKeysCallback(all)}, end, nil
}

// signer reads a key file; nil where it is not there.
func (o SSHOptions) signer(file string) (ssh.Signer, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxKeyFileBytes) {
		return nil, fmt.Errorf("%s is no private key", file)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the private key %s is open to others (%04o): chmod 600 it", file, info.Mode().Perm())
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	s, err := ssh.ParsePrivateKey(text)
	var closed *ssh.PassphraseMissingError
	if errors.As(err, &closed) {
		if o.Passphrase == nil {
			return nil, fmt.Errorf("the private key %s has a passphrase, and there is no terminal to ask for it: add it to an ssh-agent", file)
		}
		phrase, asking := o.Passphrase(file)
		if asking != nil {
			return nil, asking
		}
		s, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(phrase.Reveal()))
	}
	if err != nil {
		return nil, fmt.Errorf("open the private key %s: %w", file, err)
	}
	return s, nil
}

// UserKeys are the key files that ssh looks for in a home directory.
func UserKeys(home string) []string {
	var all []string
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		all = append(all, filepath.Join(home, ".ssh", name))
	}
	return all
}

// UserKnownHosts are the files of known hosts that ssh reads.
func UserKnownHosts(home string) []string {
	return []string{filepath.Join(home, ".ssh", "known_hosts"), "/etc/ssh/ssh_known_hosts"}
}
