package witness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// The defaults of a client and its bounds.
const (
	defaultInFlight      = 16
	defaultPace          = 5 * time.Millisecond
	defaultAnswerTimeout = time.Second
	defaultRetry         = 5 * time.Millisecond
	// defaultLimit is an hour and a half at the default pace; the numbers of
	// so many writes take 8 MB.
	defaultLimit = 1_000_000
	// stallLimit is how many stalls are kept, the latest ones.
	stallLimit = 1000
)

// ClientOptions say what a client writes and where.
type ClientOptions struct {
	// Name begins the IDs: two clients need two names.
	Name string
	// Candidates lists the P2P addresses to try, best first. It is asked
	// before each attempt to connect.
	Candidates func(ctx context.Context) []string
	Clock      clock.Clock
	// InFlight bounds the writes that wait for an answer; 0 means 16, and no
	// more than 64 are taken.
	InFlight int
	// Pace is the least time between two new writes; 0 means 5 ms.
	Pace time.Duration
	// AnswerTimeout is how long an answer may take before another address is
	// tried; 0 means a second.
	AnswerTimeout time.Duration
	// Retry is the pause after a round in which no address would do; 0 means
	// 5 ms.
	Retry time.Duration
	// Limit bounds all writes; then the client only waits for answers that
	// are missing. 0 means a million.
	Limit int
	// Acknowledged, if not nil, is called for every write acknowledged, by
	// the goroutine of Run. It must not block: that would count as a stall.
	Acknowledged func(ID)
}

func (o *ClientOptions) complete() error {
	if !names.MatchString(o.Name) || len(o.Name) > 40 {
		return fmt.Errorf("client: %q is not a name of at most 40 letters, digits, dots and dashes", o.Name)
	}
	if o.Candidates == nil || o.Clock == nil {
		return errors.New("client: candidates and a clock are needed")
	}
	if o.InFlight < 0 || o.InFlight > pipelineLimit {
		return fmt.Errorf("client: %d writes in flight, at most %d are answered", o.InFlight, pipelineLimit)
	}
	o.InFlight = orDefault(o.InFlight, defaultInFlight)
	o.Pace = orDefault(o.Pace, defaultPace)
	o.AnswerTimeout = orDefault(o.AnswerTimeout, defaultAnswerTimeout)
	o.Retry = orDefault(o.Retry, defaultRetry)
	o.Limit = orDefault(o.Limit, defaultLimit)
	return nil
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Peer is the witness that a client talks to.
type Peer struct {
	Address  string
	Instance string
	Epoch    int64
}

// Stall is the time without an acknowledgement around a change of connection.
type Stall struct {
	From, To Peer
	// Last and Next are the acknowledgements before and after, on CLOCK_BOOTTIME.
	Last, Next time.Duration
}

// Length is how long nothing was acknowledged.
func (s Stall) Length() time.Duration { return s.Next - s.Last }

// Progress is what a client has done so far.
type Progress struct {
	Issued, Acked int
	// Peer is whom it talks to, or talked to last.
	Peer Peer
	// Last is the latest acknowledgement on CLOCK_BOOTTIME, 0 if none yet.
	Last time.Duration
	// Longest is the longest time between two acknowledgements.
	Longest time.Duration
	// Stalls are those around a change of connection, the latest thousand.
	Stalls []Stall
}

// Client writes without end through whichever witness answers.
type Client struct {
	o       ClientOptions
	pending []int // issued and not acknowledged, oldest first; owned by Run

	mu    sync.Mutex // guards p and acked
	p     Progress
	acked []int
}

// NewClient checks the options.
func NewClient(o ClientOptions) (*Client, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	return &Client{o: o}, nil
}

// Progress tells what was done so far.
func (c *Client) Progress() Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.p
	p.Acked, p.Stalls = len(c.acked), slices.Clone(c.p.Stalls)
	return p
}

// Acked returns the IDs of all writes that were acknowledged.
func (c *Client) Acked() []ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]ID, len(c.acked))
	for i, n := range c.acked {
		ids[i] = c.id(n)
	}
	return ids
}

func (c *Client) id(n int) ID { return ID(c.o.Name + "-" + strconv.Itoa(n)) }

// Run writes until ctx ends and returns its cause. Writes that are not
// acknowledged by then may or may not be there.
func (c *Client) Run(ctx context.Context) error {
	for {
		s := c.connect(ctx)
		if s != nil {
			c.talk(ctx, s)
			s.close()
		}
		if err := clock.Wait(ctx, c.o.Clock, c.o.Retry); err != nil {
			return err
		}
	}
}

// session is one connection to a witness.
type session struct {
	conn  net.Conn
	peer  Peer
	lines chan string   // closed when nothing more comes
	quit  chan struct{} // closed to end the reader
}

// connect tries the candidates in turn and returns nil if none would do.
func (c *Client) connect(ctx context.Context) *session {
	for _, address := range c.o.Candidates(ctx) {
		d := net.Dialer{Timeout: c.o.AnswerTimeout}
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			continue // the next one, or this one again
		}
		s := &session{conn: conn, peer: Peer{Address: address}, lines: make(chan string), quit: make(chan struct{})}
		go s.read()
		if c.greet(ctx, s) {
			return s
		}
		s.close()
	}
	return nil
}

// read passes lines on until the connection ends.
func (s *session) read() {
	defer close(s.lines)
	lines := bufio.NewScanner(s.conn)
	lines.Buffer(make([]byte, lineLimitBytes), lineLimitBytes)
	for lines.Scan() {
		select {
		case s.lines <- lines.Text():
		case <-s.quit:
			return
		}
	}
}

// close ends the connection and waits for its reader.
func (s *session) close() {
	close(s.quit)
	s.conn.Close()
	for range s.lines {
	}
}

// greet asks the other side who it is.
func (c *Client) greet(ctx context.Context, s *session) bool {
	if _, err := fmt.Fprintln(s.conn, "who"); err != nil {
		return false
	}
	limit := c.o.Clock.Timer(c.o.Clock.Now().Boot + c.o.AnswerTimeout)
	defer limit.Stop()
	select {
	case line := <-s.lines:
		n, err := fmt.Sscanf(line, "witness %s %d", &s.peer.Instance, &s.peer.Epoch)
		return err == nil && n == 2
	case <-limit.C():
	case <-ctx.Done():
	}
	return false
}

// talk writes over one connection until it fails or answers stay away.
func (c *Client) talk(ctx context.Context, s *session) {
	for _, n := range c.pending {
		if c.send(s, n) != nil {
			return
		}
	}
	first := true
	heard := c.o.Clock.Now().Boot
	pace, limit := c.o.Clock.Timer(heard), c.o.Clock.Timer(heard+c.o.AnswerTimeout)
	defer pace.Stop()
	defer limit.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case line, ok := <-s.lines:
			if !ok || !c.take(line, s, first) {
				return
			}
			first, heard = false, c.o.Clock.Now().Boot
			limit.Reset(heard + c.o.AnswerTimeout)
		case <-pace.C():
			now := c.o.Clock.Now().Boot
			pace.Reset(now + c.o.Pace)
			if len(c.pending) == 0 {
				heard = now // nothing was owed until now
				limit.Reset(heard + c.o.AnswerTimeout)
			}
			if c.issue(s) != nil {
				return
			}
		case <-limit.C():
			if len(c.pending) > 0 && c.o.Clock.Now().Boot >= heard+c.o.AnswerTimeout {
				return
			}
		}
	}
}

func (c *Client) send(s *session, n int) error {
	// At most pipelineLimit short lines are on their way: they fit into the
	// socket's buffer, so this never waits for a witness that reads no more.
	_, err := fmt.Fprintf(s.conn, "write %s\n", c.id(n))
	return err
}

// issue makes a new write, if there may be one more.
func (c *Client) issue(s *session) error {
	c.mu.Lock()
	n := c.p.Issued + 1
	full := len(c.pending) >= c.o.InFlight || n > c.o.Limit
	if !full {
		c.p.Issued = n
	}
	c.mu.Unlock()
	if full {
		return nil
	}
	c.pending = append(c.pending, n)
	return c.send(s, n)
}

// take hears one answer. False means that this connection is of no more use.
func (c *Client) take(line string, s *session, first bool) bool {
	number, ok := strings.CutPrefix(line, "ok "+c.o.Name+"-")
	if !ok {
		return false // an "err": ask again later, perhaps elsewhere
	}
	n, err := strconv.Atoi(number)
	i := slices.Index(c.pending, n)
	if err != nil || i < 0 {
		return false // an answer to nothing that was asked
	}
	c.pending = slices.Delete(c.pending, i, i+1)
	c.count(n, s.peer, first)
	if c.o.Acknowledged != nil {
		c.o.Acknowledged(c.id(n))
	}
	return true
}

// count notes an acknowledgement and the time since the one before.
func (c *Client) count(n int, from Peer, first bool) {
	now := c.o.Clock.Now().Boot
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked = append(c.acked, n)
	if c.p.Last != 0 {
		c.p.Longest = max(c.p.Longest, now-c.p.Last)
		if first {
			c.p.Stalls = append(c.p.Stalls, Stall{From: c.p.Peer, To: from, Last: c.p.Last, Next: now})
			c.p.Stalls = c.p.Stalls[max(0, len(c.p.Stalls)-stallLimit):]
		}
	}
	c.p.Last, c.p.Peer = now, from
}
