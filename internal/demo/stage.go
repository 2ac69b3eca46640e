package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"text/template"
	"time"
)

// machine is one of the two: a folder and four ports.
type machine struct {
	Name string
	// Dir is its folder, Conf the configuration of its agent, Log what agent
	// and node say.
	Dir, Conf, Log string
	// Listen is where the agent answers; P2P, RPC and Web are the node's.
	Listen, P2P, RPC, Web string
}

// stage is all that lies on the disk.
type stage struct {
	dir     string
	made    bool // the folder itself is ours to remove
	keep    bool
	lease   string // the database of the lease
	nodeDB  string // the database of the node
	drive   string
	journal string
	records string

	machines [2]*machine
}

// build makes the folder and all that is in it.
func build(ctx context.Context, o Options) (*stage, error) {
	s := &stage{dir: o.Dir, keep: o.Keep}
	if err := s.makeDir(o.TempDir); err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	s.lease, s.nodeDB = s.path("lease.db"), s.path("node.db")
	s.drive, s.records = s.path("drive"), s.path("records")
	s.journal = filepath.Join(s.drive, "journal")
	if err := s.furnish(ctx, o); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// makeDir takes only a folder with nothing in it, because it will be removed.
func (s *stage) makeDir(temp string) (err error) {
	if s.dir == "" {
		s.made = true
		if s.dir, err = os.MkdirTemp(temp, "hotcold-demo-"); err == nil {
			s.dir, err = filepath.Abs(s.dir)
		}
		return err
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		s.made = true
		return os.MkdirAll(s.dir, 0o755)
	}
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder, the demo removes it at its end", s.dir)
	}
	return err
}

func (s *stage) furnish(ctx context.Context, o Options) error {
	ports, err := freePorts(ctx, 8)
	if err != nil {
		return err
	}
	if err := os.Mkdir(s.drive, 0o755); err != nil {
		return err
	}
	for i, name := range []string{"machine-a", "machine-b"} {
		m := &machine{Name: name, Dir: s.path(name), Listen: ports[4*i], P2P: ports[4*i+1], RPC: ports[4*i+2], Web: ports[4*i+3]}
		m.Conf, m.Log = filepath.Join(m.Dir, "hotcold.conf"), filepath.Join(m.Dir, "agent.log")
		if err := os.Mkdir(m.Dir, 0o755); err != nil {
			return err
		}
		text, err := s.conf(m, o)
		if err == nil {
			err = os.WriteFile(m.Conf, text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write the configuration of %s: %w", name, err)
		}
		s.machines[i] = m
	}
	return nil
}

// remove takes the folder away, unless it is to stay.
func (s *stage) remove() error {
	if s.keep {
		return nil
	}
	if s.made {
		return os.RemoveAll(s.dir)
	}
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(s.path(e.Name())))
	}
	return err
}

// The settings that are not the defaults are chosen so that a person sees
// something: a node that is killed is restarted in place once, and the second
// time it goes to the other machine, even if somebody does so again and again.
const confText = `# {{.M.Name}} of hotcold demo: what a pair needs to be told.
hotcold {
  name = demo
  preset = command
  mutualExclusion {
    machineName = {{.M.Name}}
    updateInterval = {{.Update}}
    waitInterval = {{.Wait}}
  }
  database.url = {{q .LeaseURL}}   # one file, because both machines are this one; a real pair uses PostgreSQL
  drive.path = {{q .Drive}}
  runtimeDir = {{q .RunDir}}
  listen.address = {{q .M.Listen}}
  log.format = text
  node {
    # A small node that appends to a journal on the drive and writes into a table.
    command = [
      {{q .Program}}, witness, --instance, {{.M.Name}},
      --p2p, {{q .M.P2P}}, --rpc, {{q .M.RPC}}, --web, {{q .M.Web}},
      --journal, {{q .Journal}}, --records, {{q .Records}},
      --db, {{q .NodeDB}}
    ]
    ready { tcp = [{{q .M.P2P}}], timeout = 20 seconds }
    restart { attempts = 1, backoff = 100 ms, resetAfter = 8 seconds }
    failover { budget = 20, window = 8 seconds }
    stop.timeout = 5 seconds
    cgroup = off   # a folder less to leave behind
  }
}
`

func (s *stage) conf(m *machine, o Options) ([]byte, error) {
	quote := func(text string) (string, error) {
		b, err := json.Marshal(text) // a string of JSON is one of HOCON
		return string(b), err
	}
	t, err := template.New("conf").Funcs(template.FuncMap{"q": quote}).Parse(confText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"M": m, "Update": millis(o.Update), "Wait": millis(o.Wait), "LeaseURL": "sqlite:" + s.lease,
		"Drive": s.drive, "RunDir": filepath.Join(m.Dir, "run"), "Program": o.Executable,
		"Journal": s.journal, "Records": s.records, "NodeDB": sqliteDSN(s.nodeDB),
	})
	return b.Bytes(), err
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// sqliteDSN lets whoever finds the file locked wait for a while.
func sqliteDSN(path string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}
	return u.String()
}

// Ports are taken below those that the kernel gives to clients: there, a
// connection of the client could take the port of a node that is just down, or
// even connect to itself.
const (
	firstPort   = 20000
	portSpan    = 12000
	portsTries  = 200
	loopbackAny = "127.0.0.1"
)

// freePorts finds addresses on loopback on which nobody listens.
func freePorts(ctx context.Context, n int) ([]string, error) {
	var found []string
	var last error
	for range portsTries {
		address := net.JoinHostPort(loopbackAny, fmt.Sprint(firstPort+rand.IntN(portSpan)))
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			last = err
			continue
		}
		defer l.Close() // held until all are found, so that none is found twice
		if found = append(found, address); len(found) == n {
			return found, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports on %s: %w", n, loopbackAny, last)
}

// lastWords returns what an agent said last, for a person.
func (m *machine) lastWords() string {
	text, err := os.ReadFile(m.Log)
	if err != nil {
		return err.Error()
	}
	return lastLine(string(text))
}
