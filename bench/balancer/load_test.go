package balancer_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The three services of the back-end, and of every contender's front.
const (
	sinkPort = 7000 + iota // takes all that comes
	oncePort               // answers one byte with one byte
	echoPort               // answers every request
	ports    = 3
)

const (
	requestBytes = 128
	bulkBytes    = 256 << 10
	warmUp       = 250 * time.Millisecond
	oneLimit     = 20 * time.Second // for one byte there and one back
)

// order is what the client is told to do, as a line of JSON.
type order struct {
	Kind    string // bulk, connects, paced, flat, idle
	To      string // host, without the port
	Conns   int
	Rate    int // paced: requests a second, all connections together
	Measure time.Duration
}

// report is what it says. Each order is answered by one with Begun when it is measured from now on (idle: when all
// connections are there), and one without when it is done.
type report struct {
	Begun bool
	Error string
	// Count is bytes, connections or requests, in Took.
	Count    int64
	Took     time.Duration
	P50, P99 time.Duration
}

// client obeys orders until there are no more. It is a process of its own, so that nothing of it is in anybody's way.
func client() error {
	orders := bufio.NewScanner(os.Stdin)
	say := json.NewEncoder(os.Stdout)
	var idle []net.Conn
	for orders.Scan() {
		var o order
		if err := json.Unmarshal(orders.Bytes(), &o); err != nil {
			return err
		}
		begun := func() { _ = say.Encode(report{Begun: true}) }
		var r report
		var err error
		switch o.Kind {
		case "idle":
			idle, err = open(o, oncePort, o.Conns, idle)
			begun()
		case "leave":
			for _, c := range idle {
				_ = c.Close()
			}
			idle = nil
			begun()
		case "bulk":
			r, err = bulk(o, begun)
		case "connects":
			r, err = connects(o, begun)
		default:
			r, err = requests(o, begun)
		}
		if err != nil {
			r.Error = err.Error()
		}
		if err := say.Encode(r); err != nil {
			return err
		}
	}
	return orders.Err()
}

func dial(o order, port int) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1, Timeout: 5 * time.Second}
	return d.Dial("tcp", net.JoinHostPort(o.To, fmt.Sprint(port)))
}

// open makes n connections that carry a byte each way and stay.
func open(o order, port, n int, already []net.Conn) ([]net.Conn, error) {
	var mu sync.Mutex
	var failed error
	var left atomic.Int64
	left.Store(int64(n))
	var all sync.WaitGroup
	for range min(n, 16) {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				c, err := dial(o, port)
				if err == nil {
					err = one(c)
				}
				mu.Lock()
				if failed = errors.Join(failed, err); err == nil {
					already = append(already, c)
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return already, failed
}

// one sends a byte and reads one.
func one(c net.Conn) error {
	var b [1]byte
	if err := c.SetDeadline(time.Now().Add(oneLimit)); err != nil {
		return err
	}
	if _, err := c.Write(b[:]); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b[:])
	return err
}

// meter counts between the end of the warm-up and the end of the measurement.
type meter struct {
	stop, counting atomic.Bool
	count          atomic.Int64
	once           sync.Once
	failed         chan error // holds the first failure; run makes it
}

func (m *meter) fail(err error) {
	m.once.Do(func() { m.stop.Store(true); m.failed <- err; close(m.failed) })
}

// work lets the workers work for d, or until one has failed.
func (m *meter) work(d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case err := <-m.failed:
		return err
	case <-over.C:
		return nil
	}
}

// run has n workers work and measures.
func (m *meter) run(o order, n int, begun func(), work func(i int)) (report, error) {
	m.failed = make(chan error, 1)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { work(i) })
	}
	err := m.work(warmUp)
	before, began := m.count.Load(), time.Now()
	m.counting.Store(true)
	begun()
	if err == nil {
		err = m.work(o.Measure)
	}
	r := report{Count: m.count.Load() - before, Took: time.Since(began)}
	m.stop.Store(true)
	all.Wait()
	if err == nil {
		select {
		case err = <-m.failed:
		default:
		}
	}
	return r, err
}

func bulk(o order, begun func()) (report, error) {
	var m meter
	conns := make([]net.Conn, o.Conns)
	for i := range conns {
		c, err := dial(o, sinkPort)
		if err != nil {
			return report{}, err
		}
		defer func() { _ = c.Close() }()
		conns[i] = c
	}
	return m.run(o, o.Conns, begun, func(i int) {
		piece := make([]byte, bulkBytes)
		_ = conns[i].SetWriteDeadline(time.Now().Add(o.Measure + 10*time.Second))
		for !m.stop.Load() {
			n, err := conns[i].Write(piece)
			if m.count.Add(int64(n)); err != nil {
				m.fail(err)
				return
			}
		}
	})
}

func connects(o order, begun func()) (report, error) {
	var m meter
	return m.run(o, o.Conns, begun, func(int) {
		for !m.stop.Load() {
			c, err := dial(o, oncePort)
			if err == nil {
				err = errors.Join(one(c), c.Close())
			}
			if err != nil {
				m.fail(err)
				return
			}
			m.count.Add(1)
		}
	})
}

// requests sends requests over connections that stay, as fast as it can or at a rate.
func requests(o order, begun func()) (report, error) {
	var m meter
	conns, err := open(o, echoPort, o.Conns, nil)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if err != nil {
		return report{}, err
	}
	took := make([][]time.Duration, o.Conns)
	r, err := m.run(o, o.Conns, begun, func(i int) {
		out, in := make([]byte, requestBytes), make([]byte, requestBytes)
		_ = conns[i].SetDeadline(time.Now().Add(o.Measure + 10*time.Second))
		var every time.Duration
		next, pace := time.Now(), time.NewTimer(0)
		defer pace.Stop()
		if o.Rate > 0 {
			every = time.Second * time.Duration(o.Conns) / time.Duration(o.Rate)
			next = next.Add(every * time.Duration(i) / time.Duration(o.Conns))
		}
		for !m.stop.Load() {
			if every > 0 {
				pace.Reset(time.Until(next))
				<-pace.C
				next = next.Add(every)
			}
			sent := time.Now()
			if _, err := conns[i].Write(out); err != nil {
				m.fail(err)
				return
			}
			if _, err := io.ReadFull(conns[i], in); err != nil {
				m.fail(err)
				return
			}
			if m.count.Add(1); m.counting.Load() {
				took[i] = append(took[i], time.Since(sent))
			}
		}
	})
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) > 0 {
		r.P50, r.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return r, err
}

// server is the back-end. It ends when nobody holds its standard input any more.
func server() error {
	for port, serve := range map[int]func(net.Conn){sinkPort: sink, oncePort: answer, echoPort: answer} {
		c := net.ListenConfig{KeepAlive: -1}
		c.SetMultipathTCP(false)
		l, err := c.Listen(noContext(), "tcp", fmt.Sprint(":", port))
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { defer func() { _ = c.Close() }(); serve(c) }()
			}
		}()
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func sink(c net.Conn) {
	piece := make([]byte, bulkBytes)
	for {
		if _, err := c.Read(piece); err != nil {
			return
		}
	}
}

// answer sends back what comes: a request is one piece.
func answer(c net.Conn) {
	piece := make([]byte, requestBytes)
	for {
		n, err := c.Read(piece)
		if n > 0 {
			if _, err := c.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
