package balancer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
)

const (
	// lineLimit is how long a stream may be silent: three heartbeats.
	lineLimit = 3 * WordHeartbeat
	// answerHeadLimitBytes bounds the head of an answer.
	answerHeadLimitBytes = 16 << 10
)

// errForeign is a word that was read well, and is not our pair's.
var errForeign = errors.New("its word is not heard")

// ear hears the agent of one machine.
type ear struct {
	lease   string
	machine config.Machine
	probe   config.BalancerProbe
	access  *access
	clock   clock.Clock
	// heard gets each word, with the instants between which it was asked for and came. lost is told why there is no
	// stream; opened that there is one. Each may wait for the balancer's loop.
	heard  func(w Word, sent, came clock.Reading)
	opened func()
	lost   func(error)
}

// run keeps a stream open until ctx ends.
func (e *ear) run(ctx context.Context) {
	transport := &http.Transport{
		DialContext: e.access.dial, DialTLSContext: e.access.dial, DisableCompression: true,
		MaxResponseHeaderBytes: answerHeadLimitBytes, Protocols: new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	defer transport.CloseIdleConnections()
	for failures := 0; ctx.Err() == nil; {
		began := e.clock.Now().Boot
		err := e.listen(ctx, transport)
		pause := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			e.lost(err)
			pause = e.pause(failures)
			failures++
		case e.clock.Now().Boot-began < e.probe.Interval:
			failures, pause = 0, e.pause(0) // it has no place for a stream, and tells when asked
		default:
			failures = 0 // the end of a stream's life: the next follows at once
		}
		if clock.Wait(ctx, e.clock, pause) != nil {
			return
		}
	}
}

// pause grows from the fast interval to the usual one. Two balancers should not ask in step, so a part of it is chance.
func (e *ear) pause(failures int) time.Duration {
	fast := e.probe.Fast
	if fast <= 0 || fast > e.probe.Interval {
		fast = e.probe.Interval
	}
	p := min(e.probe.Interval, fast<<min(failures, 16))
	return p - rand.N(p/4+1)
}

// listen asks once and hears the answer to its end. It returns nil if the agent ended it in order.
func (e *ear) listen(ctx context.Context, transport *http.Transport) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := e.watch(ctx, cancel)
	defer limit.end()
	sent := e.clock.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		sent = e.clock.Now() // there is a connection, and nothing was sent on it: a slow handshake need not cost trust
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.access.scheme()+"://"+e.machine.Agent+"/hot?watch", nil)
	if err != nil {
		return fmt.Errorf("ask %s: the address cannot be used", e.machine.Agent)
	}
	r.Header = e.access.header()
	r.Header.Set("Accept", "application/x-ndjson")
	r.Header.Set("User-Agent", "hotcold-balance")
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return e.failed(ctx, err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "application/x-ndjson" {
		return fmt.Errorf("%s answered %s, and not with its word", e.machine.Agent, strings.TrimSpace(answer.Status))
	}
	lines := bufio.NewReaderSize(answer.Body, WordLimitBytes)
	for n := 0; ; n++ {
		text, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(text) == 0 && n > 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%s ended its answer in the middle of a word", e.machine.Agent)
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("%w: it has more than %d bytes", errForeign, WordLimitBytes)
		case err != nil:
			return e.failed(ctx, err)
		}
		came := e.clock.Now()
		w, err := e.judge(bytes.TrimSuffix(text, []byte("\n")))
		if err != nil {
			return err
		}
		limit.move(came.Boot + lineLimit)
		if n == 0 {
			e.opened()
		}
		e.heard(w, sent, came)
	}
}

// judge hears only the agent that is meant.
func (e *ear) judge(text []byte) (Word, error) {
	w, err := ParseWord(text)
	switch {
	case err != nil:
		return Word{}, fmt.Errorf("%w: %w", errForeign, err)
	case w.Lease != e.lease:
		return Word{}, fmt.Errorf("%w: it speaks of lease %.80q, the pair's is %q", errForeign, w.Lease, e.lease)
	case w.Machine != e.machine.Name:
		return Word{}, fmt.Errorf("%w: %s is the agent of machine %.80q", errForeign, e.machine.Agent, w.Machine)
	}
	return w, nil
}

// failed says in one line why there is no answer.
func (e *ear) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("ask %s: %s", e.machine.Agent, strings.Join(strings.Fields(err.Error()), " "))
}

// deadline ends a context once its instant is reached, on the clock of the ear.
type deadline struct {
	at    atomic.Int64
	timer clock.Timer
	over  context.CancelFunc
	ended chan struct{}
}

// watch gives the first word as long as a look may take.
func (e *ear) watch(ctx context.Context, cancel context.CancelCauseFunc) *deadline {
	ctx, over := context.WithCancel(ctx)
	at := e.clock.Now().Boot + e.probe.Timeout
	d := &deadline{timer: e.clock.Timer(at), over: over, ended: make(chan struct{})}
	d.at.Store(int64(at))
	go func() {
		defer close(d.ended)
		for e.clock.Now().Boot < time.Duration(d.at.Load()) {
			select {
			case <-ctx.Done():
				return
			case <-d.timer.C():
			}
		}
		cancel(fmt.Errorf("%s was silent for too long", e.machine.Agent))
	}()
	return d
}

// move sets another instant. One that is passed already stays.
func (d *deadline) move(at time.Duration) {
	d.at.Store(int64(at))
	d.timer.Reset(at)
}

func (d *deadline) end() {
	d.over()
	<-d.ended
	d.timer.Stop()
}
