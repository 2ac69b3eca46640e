package witness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// connLimit is how many connections a port serves at once.
	connLimit = 64
	// pipelineLimit is how many requests of one connection wait for an answer;
	// then no more are read until one is answered.
	pipelineLimit = 64
	// headTimeout bounds how long a web client may take to ask.
	headTimeout = 10 * time.Second
)

// server is the three ports of a witness.
type server struct {
	w   *witness
	k   *keeper
	end func() // closes all and waits until it is over
}

// answer is a line, or several, that is known later.
type answer func(ctx context.Context, out io.Writer) error

// listen opens the three ports, or none.
func (w *witness) listen(ctx context.Context, k *keeper) (*server, error) {
	var listeners []net.Listener
	for _, address := range []string{w.o.P2P, w.o.RPC, w.o.Web} {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			for _, open := range listeners {
				open.Close()
			}
			return nil, fmt.Errorf("open a port: %w", err)
		}
		listeners = append(listeners, l)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{w: w, k: k}
	web := &http.Server{
		Handler:           http.HandlerFunc(s.web),
		ReadHeaderTimeout: headTimeout,
		ErrorLog:          log.New(io.Discard, "", 0),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	var all sync.WaitGroup
	all.Go(func() { s.accept(ctx, listeners[0], s.p2p) })
	all.Go(func() { s.accept(ctx, listeners[1], s.rpc) })
	all.Go(func() { _ = web.Serve(listeners[2]) }) // it ends with ErrServerClosed
	s.end = func() {
		cancel()
		listeners[0].Close()
		listeners[1].Close()
		web.Close()
		all.Wait()
	}
	return s, nil
}

func (s *server) web(rw http.ResponseWriter, r *http.Request) {
	if s.waitIfHung(r.Context()) != nil {
		return
	}
	if r.URL.Path != "/" {
		http.NotFound(rw, r)
		return
	}
	fmt.Fprintf(rw, "witness %s, epoch %d\n", s.w.o.Instance, s.w.o.Epoch)
}

// waitIfHung does not come back before ctx ends if the witness is to hang.
func (s *server) waitIfHung(ctx context.Context) error {
	select {
	case <-s.w.hung:
		<-ctx.Done()
	default:
	}
	return context.Cause(ctx)
}

// accept serves the connections of a port until its listener is closed.
func (s *server) accept(ctx context.Context, l net.Listener, ask func(line string) answer) {
	var conns sync.WaitGroup
	defer conns.Wait()
	slots := make(chan struct{}, connLimit)
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // this one client is gone again
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return
		}
		conns.Go(func() {
			defer func() { <-slots }()
			s.serve(ctx, conn, ask)
		})
	}
}

// serve reads requests and writes their answers in the same order. Reading
// goes on while answers are awaited, so that writes can share a sync.
func (s *server) serve(ctx context.Context, conn net.Conn, ask func(line string) answer) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	answers := make(chan answer, pipelineLimit)
	var writing sync.WaitGroup
	writing.Go(func() {
		defer cancel() // no answers, no more requests
		for a := range answers {
			if s.waitIfHung(ctx) != nil || a(ctx, conn) != nil {
				return
			}
		}
	})
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, lineLimitBytes), lineLimitBytes)
	for ctx.Err() == nil && lines.Scan() {
		select {
		case answers <- ask(lines.Text()):
		case <-ctx.Done():
		}
	}
	close(answers)
	writing.Wait()
	conn.Close()
}

// saying is an answer that is known at once.
func saying(format string, args ...any) answer {
	line := fmt.Sprintf(format+"\n", args...)
	return func(_ context.Context, out io.Writer) error {
		_, err := io.WriteString(out, line)
		return err
	}
}

// p2p answers one request on the P2P port.
func (s *server) p2p(line string) answer {
	verb, arg, _ := strings.Cut(line, " ")
	switch {
	case line == "who":
		return saying("witness %s %d", s.w.o.Instance, s.w.o.Epoch)
	case line == "list":
		return s.keep(&request{list: true})
	case (verb != "write" && verb != "read") || !names.MatchString(arg):
		return saying("err - not a request: %q", line)
	case verb == "write":
		return s.keep(&request{write: ID(arg)})
	}
	return s.keep(&request{read: ID(arg)})
}

// keep gives a request to the keeper; the answer waits for it.
func (s *server) keep(r *request) answer {
	r.done = make(chan struct{})
	s.k.ask(r)
	return func(ctx context.Context, out io.Writer) error {
		select {
		case <-r.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		return r.tell(out)
	}
}

func (r *request) tell(out io.Writer) error {
	var err error
	switch {
	case r.write != "" && r.err != nil:
		_, err = fmt.Fprintf(out, "err %s %s\n", r.write, strings.Join(strings.Fields(r.err.Error()), " "))
	case r.write != "":
		_, err = fmt.Fprintf(out, "ok %s\n", r.write)
	case r.list:
		b := bufio.NewWriter(out)
		for _, id := range r.ids {
			fmt.Fprintf(b, "id %s\n", id)
		}
		fmt.Fprintf(b, "end %d\n", len(r.ids))
		err = b.Flush()
	case r.have:
		_, err = fmt.Fprintf(out, "found %s\n", r.read)
	default:
		_, err = fmt.Fprintf(out, "missing %s\n", r.read)
	}
	return err
}
