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

// machine is one of the two: a folder, an address and four ports.
type machine struct {
	Name string
	// Dir is its folder, Conf the configuration of its agent, Log what agent
	// and node say.
	Dir, Conf, Log string
	// Listen is where the agent answers; P2P, RPC and Web are the node's, at the
	// machine's own address.
	Listen, P2P, RPC, Web string
	// Address is the machine's, one of loopback's many.
	Address string
}

// front is the balancer: a folder, and the one address of the pair.
type front struct {
	Dir, Conf, Log string
	// P2P, RPC and Web are where clients come in, Page is what it tells.
	P2P, RPC, Web, Page string
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
	front    *front
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
	// As in the guide, the balancer and both machines have the same ports, each
	// at an address of its own.
	shared, err := freePorts(ctx, 3, pairAddress, addressA, addressB)
	if err != nil {
		return err
	}
	own, err := freePorts(ctx, 3, pairAddress)
	if err != nil {
		return err
	}
	if err := os.Mkdir(s.drive, 0o755); err != nil {
		return err
	}
	at := func(address string) (p2p, rpc, web string) {
		return net.JoinHostPort(address, shared[0]), net.JoinHostPort(address, shared[1]), net.JoinHostPort(address, shared[2])
	}
	for i, address := range []string{addressA, addressB} {
		m := &machine{Name: machineNames()[i], Dir: s.path(machineNames()[i]), Address: address, Listen: net.JoinHostPort(pairAddress, own[i])}
		m.P2P, m.RPC, m.Web = at(address)
		m.Conf, m.Log = filepath.Join(m.Dir, "hotcold.conf"), filepath.Join(m.Dir, "agent.log")
		s.machines[i] = m
	}
	f := &front{Dir: s.path("balancer"), Page: net.JoinHostPort(pairAddress, own[2])}
	f.P2P, f.RPC, f.Web = at(pairAddress)
	f.Conf, f.Log = filepath.Join(f.Dir, "hotcold.conf"), filepath.Join(f.Dir, "balancer.log")
	s.front = f
	for _, m := range s.machines {
		if err := s.write(m.Conf, confText, map[string]any{"M": m}, o); err != nil {
			return fmt.Errorf("write the configuration of %s: %w", m.Name, err)
		}
	}
	if err := s.write(f.Conf, frontText, map[string]any{"F": f, "A": s.machines[0], "B": s.machines[1]}, o); err != nil {
		return fmt.Errorf("write the configuration of the balancer: %w", err)
	}
	return nil
}

func machineNames() [2]string { return [2]string{"machine-a", "machine-b"} }

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

// frontText is what the balancer needs to be told. Rules and probes of a Corda
// node would be made of its node.conf.
const frontText = `# The balancer of hotcold demo: one address for both machines.
hotcold {
  name = demo
  runtimeDir = {{q .RunDir}}
  log.format = text
  machines {
    {{.A.Name}} { address = {{.A.Address}}, agent = {{q .A.Listen}} }
    {{.B.Name}} { address = {{.B.Address}}, agent = {{q .B.Listen}} }
  }
  balancer {
    rules {
      p2p { frontend = {{host .F.P2P}}, port = {{port .F.P2P}} }
      rpc { frontend = {{host .F.RPC}}, port = {{port .F.RPC}} }
      web { frontend = {{host .F.Web}}, port = {{port .F.Web}} }
    }
    dataPath = splice   # the kernel does not send on what came to loopback
    listen.address = {{q .F.Page}}
  }
}
`

// write makes a folder with a configuration in it.
func (s *stage) write(file, text string, values map[string]any, o Options) error {
	quote := func(text string) (string, error) {
		b, err := json.Marshal(text) // a string of JSON is one of HOCON
		return string(b), err
	}
	part := func(i int) func(string) (string, error) {
		return func(address string) (string, error) {
			host, port, err := net.SplitHostPort(address)
			return []string{host, port}[i], err
		}
	}
	t, err := template.New("conf").Funcs(template.FuncMap{"q": quote, "host": part(0), "port": part(1)}).Parse(text)
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	for name, value := range map[string]any{
		"Update": millis(o.Update), "Wait": millis(o.Wait), "LeaseURL": "sqlite:" + s.lease,
		"Drive": s.drive, "RunDir": filepath.Join(dir, "run"), "Program": o.Executable,
		"Journal": s.journal, "Records": s.records, "NodeDB": sqliteDSN(s.nodeDB),
	} {
		values[name] = value
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
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
	firstPort  = 20000
	portSpan   = 12000
	portsTries = 200
)

// The addresses of the pair and of its machines: on Linux all of 127.0.0.0/8 is
// this machine.
const (
	pairAddress = "127.0.0.1"
	addressA    = "127.0.0.2"
	addressB    = "127.0.0.3"
)

// freePorts finds ports at which nobody listens, on none of the addresses.
func freePorts(ctx context.Context, n int, addresses ...string) ([]string, error) {
	var found []string
	var last error
	for range portsTries {
		port := fmt.Sprint(firstPort + rand.IntN(portSpan))
		free := true
		for _, address := range addresses {
			l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(address, port))
			if err != nil {
				free, last = false, err
				break
			}
			defer l.Close() // held until all are found, so that none is found twice
		}
		if !free {
			continue
		}
		if found = append(found, port); len(found) == n {
			return found, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports on %v: %w", n, addresses, last)
}

// lastWords returns what an agent said last, for a person.
func (m *machine) lastWords() string {
	text, err := os.ReadFile(m.Log)
	if err != nil {
		return err.Error()
	}
	return lastLine(string(text))
}
