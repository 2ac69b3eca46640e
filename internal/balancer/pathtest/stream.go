package pathtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

// nobodyThere is nil once m has no connection.
func (m *machine) nobodyThere() error {
	if n := m.open(); n > 0 {
		return fmt.Errorf("machine %s has %d connections", m.name, n)
	}
	return nil
}

// halfClosed has first the client and then the machine say that it sends no more, and the other go on.
func halfClosed(s *stage) {
	const text = "what is said after the other has ended"
	s.serve(s.a, backPort, func(c *net.TCPConn) {
		heard, err := io.ReadAll(c)
		if err == nil && string(heard) == text {
			pause(moment) // the client's end is known all the way by now
			_, _ = c.Write(bytes.Repeat([]byte(text), 1000))
		}
	})
	s.serve(s.a, backPort+1, func(c *net.TCPConn) {
		if c.CloseWrite() != nil {
			return
		}
		if heard, err := io.ReadAll(c); err == nil && string(heard) == text {
			s.a.came.Add(1000)
		}
	})
	s.steer(1)
	first, err := s.connect(s.rule(0), 0, s.fix.patience())
	if err == nil {
		_, err = first.Write([]byte(text))
	}
	if err = errors.Join(err, first.CloseWrite(), first.SetReadDeadline(deadline(s.fix.patience()))); err != nil {
		s.Fatal(err)
	}
	if heard, err := io.ReadAll(first.in); err != nil || len(heard) != 1000*len(text) {
		s.Errorf("the client ended its half and heard %d bytes (%v), want %d", len(heard), err, 1000*len(text))
	}
	second, err := s.connect(s.rule(1), 0, s.fix.patience())
	if err != nil {
		s.Fatal(err)
	}
	if err := second.finish(s.fix.patience()); err != nil {
		s.Fatalf("the machine ended its half: %v", err)
	}
	pause(moment)
	if _, err = second.Write([]byte(text)); err != nil {
		s.Fatal(err)
	}
	if err := second.CloseWrite(); err != nil {
		s.Fatal(err)
	}
	s.eventually("the machine heard what was said after its end", func() error {
		if s.a.came.Load() < 1000 {
			return errors.New("not yet")
		}
		return nil
	})
}

// resetEnds resets one end and looks for the end of the other; resetIsReset wants to see a reset there.
func resetEnds(s *stage) { s.resets(false) }

func resetIsReset(s *stage) { s.resets(true) }

func (s *stage) resets(wanted bool) {
	s.steer(1)
	s.serve(s.a, backPort+1, func(c *net.TCPConn) {
		if greet(c) == nil {
			_, _ = c.Read(make([]byte, 1))
			_ = c.SetLinger(0)
		}
	})
	var heard error
	var mu sync.Mutex
	s.serve(s.a, backPort+2, func(c *net.TCPConn) {
		if greet(c) == nil {
			_, err := c.Read(make([]byte, 1))
			mu.Lock()
			heard = fmt.Errorf("the machine's read: %w", err)
			mu.Unlock()
		}
	})
	c := s.visit(s.rule(1), 1)
	if _, err := c.Write([]byte("x")); err != nil {
		s.Fatal(err)
	}
	err := c.finish(s.fix.patience())
	if errors.Is(err, errAlive) || wanted && !errors.Is(err, syscall.ECONNRESET) {
		s.Errorf("the machine reset, and the client: %v", err)
	}
	c = s.visit(s.rule(2), 1)
	if err := c.SetLinger(0); err != nil {
		s.Fatal(err)
	}
	_ = c.Close()
	s.eventually("the machine learns of the client's reset", func() error {
		mu.Lock()
		defer mu.Unlock()
		if heard == nil {
			return errors.New("not yet")
		}
		return nil
	})
	if mu.Lock(); wanted && !errors.Is(heard, syscall.ECONNRESET) {
		s.Errorf("the client reset, and %v", heard)
	}
	mu.Unlock()
	s.eventually("no connection is left", s.a.nobodyThere)
}

// chaff is a stream of bytes that cannot be mistaken for another or for a part of itself.
func chaff(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// pour sends size bytes of chaff in pieces of all sizes and returns their digest.
func pour(to io.Writer, seed byte, size int) ([]byte, error) {
	digest := sha256.New()
	from := io.TeeReader(io.LimitReader(chaff(seed), int64(size)), digest)
	pieces := rand.New(rand.NewPCG(uint64(seed), 0))
	buffer := make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(from, buffer[:1+pieces.IntN(len(buffer))])
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return nil, err
			}
		}
		if err != nil {
			return digest.Sum(nil), nil
		}
	}
}

// swap is a machine that pours one stream out and takes another in; it sends the digest of what came at the end.
func swap(size int) handler {
	return func(c *net.TCPConn) {
		var got hash.Hash = sha256.New()
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.CopyN(got, c, int64(size)) })
		_, err := pour(c, 2, size)
		both.Wait()
		if err == nil {
			_, _ = c.Write(got.Sum(nil))
		}
	}
}

// exchange pours a stream in and takes one out at the same time, and compares both.
func (s *stage) exchange(r balancer.Rule, seed byte, size int) error {
	c, err := s.connect(r, 0, s.fix.patience())
	if err != nil {
		return err
	}
	if err := c.SetDeadline(deadline(2 * s.fix.patience())); err != nil {
		return err
	}
	var sent []byte
	var sendErr error
	var both sync.WaitGroup
	both.Go(func() { sent, sendErr = pour(c, seed, size) })
	want, got := sha256.New(), sha256.New()
	n, err := io.CopyN(got, c.in, int64(size))
	both.Wait()
	if err != nil || sendErr != nil {
		return fmt.Errorf("after %d of %d bytes: %w", n, size, errors.Join(err, sendErr))
	}
	_, _ = io.CopyN(want, chaff(2), int64(size)) // a hash never fails
	echoed, err := io.ReadAll(c.in)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(want.Sum(nil), got.Sum(nil)):
		return errors.New("what came is not what the machine sent")
	case !bytes.Equal(echoed, sent):
		return errors.New("what the machine got is not what was sent")
	}
	return nil
}

func exactBytes(s *stage) {
	const size = 48 << 20
	s.serve(s.a, backPort, swap(size))
	s.steer(1)
	if err := s.exchange(s.rule(0), 1, size); err != nil {
		s.Error(err)
	}
}

func manyStreams(s *stage) {
	const size, streams = 2 << 20, 16
	for i := range uint16(3) {
		s.serve(s.a, backPort+i, swap(size))
	}
	s.steer(1)
	var all sync.WaitGroup
	for i := range streams {
		all.Go(func() {
			if err := s.exchange(s.rule(uint16(i%3)), byte(10+i), size); err != nil {
				s.Errorf("stream %d: %v", i, err)
			}
		})
	}
	all.Wait()
	s.eventually("no connection is left", s.a.nobodyThere)
}

// slowReader reads nothing until every buffer on the way is full.
func slowReader(s *stage) {
	const size = 24 << 20
	s.serve(s.a, backPort, func(c *net.TCPConn) { _, _ = pour(c, 2, size) })
	s.steer(1)
	c, err := s.connect(s.rule(0), 0, s.fix.patience())
	if err != nil {
		s.Fatal(err)
	}
	pause(moment)
	if err := c.SetReadDeadline(deadline(2 * s.fix.patience())); err != nil {
		s.Fatal(err)
	}
	want, got := sha256.New(), sha256.New()
	if n, err := io.Copy(got, c.in); err != nil || n != size {
		s.Fatalf("%d bytes of %d came: %v", n, size, err)
	}
	_, _ = io.CopyN(want, chaff(2), size)
	if !bytes.Equal(want.Sum(nil), got.Sum(nil)) {
		s.Error("what came is not what was sent")
	}
}

func oneWay(s *stage) {
	const beats = 15
	idleTime := s.fix.idleTime()
	s.serve(s.a, backPort, func(c *net.TCPConn) {
		for range beats {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			pause(idleTime / 5)
		}
	})
	s.serve(s.a, backPort+1, hold)
	s.apply(s.setup(func(setup *balancer.Setup) {
		for i := range setup.Rules {
			setup.Rules[i].IdleTimeout = idleTime
		}
	}))
	s.steer(1)
	from, err := s.connect(s.rule(0), 0, s.fix.patience())
	if err != nil {
		s.Fatal(err)
	}
	to := s.visit(s.rule(1), 1)
	for range beats {
		if _, err := to.Write([]byte("x")); err != nil {
			s.Fatalf("one way to the machine: %v", err)
		}
		pause(idleTime / 5)
	}
	if err := to.finish(idleTime / 5); !errors.Is(err, errAlive) {
		s.Errorf("one way to the machine: ended with %v", err)
	}
	if err := from.SetReadDeadline(deadline(s.fix.patience())); err != nil {
		s.Fatal(err)
	}
	if got, err := io.ReadAll(from.in); err != nil || len(got) != beats {
		s.Errorf("one way from the machine: %d bytes of %d, %v", len(got), beats, err)
	}
}

// idleEnds wants the connection to be over, whether or not anybody was told: what is sent then is not answered.
func idleEnds(s *stage) {
	r := s.only(func(r *balancer.Rule) { r.IdleTimeout = s.fix.idleTime() })
	s.steer(1)
	c := s.visit(r, 1)
	s.mustAsk(c, "a last word")
	began := elapsed()
	if s.fix.Lacks[Counts] == "" {
		s.awaitFlows("p2p", "it is ended as idle", func(f balancer.RuleFlows) bool { return f.Idle == 1 && f.Open == 0 })
	} else if err := c.finish(s.fix.patience()); errors.Is(err, errAlive) {
		s.Fatal(err)
	}
	s.notBefore(began)
	if err := c.ask(moment, "too late"); err == nil {
		s.Error("the connection is alive")
	}
}

func idleResets(s *stage) {
	var mu sync.Mutex
	var heard error
	s.serve(s.a, backPort, func(c *net.TCPConn) {
		if greet(c) == nil {
			_, err := io.Copy(io.Discard, c)
			mu.Lock()
			heard = fmt.Errorf("the machine's read: %w", errors.Join(err, io.EOF))
			mu.Unlock()
		}
	})
	r := s.only(func(r *balancer.Rule) { r.IdleTimeout, r.ResetOnIdle = s.fix.idleTime(), true })
	s.steer(1)
	c := s.visit(r, 1)
	began := elapsed()
	if err := c.finish(s.fix.patience()); !errors.Is(err, syscall.ECONNRESET) {
		s.Errorf("idle for %v, and the client: %v", elapsed()-began, err)
	}
	s.notBefore(began)
	s.eventually("the machine's end is over", s.a.nobodyThere)
	mu.Lock()
	defer mu.Unlock()
	if !errors.Is(heard, syscall.ECONNRESET) {
		s.Errorf("idle, and %v", heard)
	}
}

// notBefore wants the whole idle time to have passed: early is the wrong side, because a heartbeat may be near.
func (s *stage) notBefore(began time.Duration) {
	s.Helper()
	if took := elapsed() - began; took < s.fix.idleTime()-50*time.Millisecond {
		s.Errorf("ended after %v of silence, want %v", took, s.fix.idleTime())
	}
}
