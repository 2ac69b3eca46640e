package status_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

// limit is how long a test waits for what has to happen at once.
const limit = 20 * time.Second

// bench is a server over a stepped clock, and a client for it.
type bench struct {
	*status.Server
	clock    *clock.Stepped
	live     *status.LiveCheck
	snapshot atomic.Pointer[agent.Snapshot]
	client   *http.Client
	end      context.CancelFunc
	ended    chan error
}

func options(b *bench) status.Options {
	return status.Options{
		Address: "127.0.0.1:0", Clock: b.clock, Live: b.live, Log: slog.New(slog.DiscardHandler),
		Snapshot: func() agent.Snapshot { return *b.snapshot.Load() },
	}
}

// serve runs a server until the test ends; change may be nil.
func serve(t *testing.T, change func(*status.Options), lower func(*status.Server)) *bench {
	t.Helper()
	b := &bench{clock: clock.NewStepped(), ended: make(chan error, 1)}
	b.live = status.NewLiveCheck(b.clock, 10*time.Second)
	b.set(hotSnapshot(b.clock.Now()))
	o := options(b)
	if change != nil {
		change(&o)
	}
	s, err := status.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.run(t, s, lower)
	return b
}

// run runs the bench's server until the test ends; lower may be nil.
func (b *bench) run(t *testing.T, s *status.Server, lower func(*status.Server)) {
	t.Helper()
	if lower != nil {
		lower(s)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	b.Server, b.end = s, end
	transport := &http.Transport{}
	b.client = &http.Client{Transport: transport, Timeout: limit}
	go func() { b.ended <- s.Run(ctx); close(b.ended) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		end()
		if err := <-b.ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func (b *bench) set(s agent.Snapshot) { b.snapshot.Store(&s) }

func (b *bench) ask(t *testing.T, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func (b *bench) get(t *testing.T, path string) (int, string) {
	t.Helper()
	answer, body := b.ask(t, http.MethodGet, path)
	return answer.StatusCode, body
}

func (b *bench) want(t *testing.T, path string, code int, body string) {
	t.Helper()
	if c, got := b.get(t, path); c != code || strings.TrimSpace(got) != body {
		t.Errorf("%s: %d %q, want %d %q", path, c, got, code, body)
	}
}

func dial(t *testing.T, b *bench) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil { // a socket's deadline, not a pause
		t.Fatal(err)
	}
	return c
}

func TestHotTurns503ExactlyWhenStoppingBegins(t *testing.T) {
	b := serve(t, nil, nil)
	b.want(t, "/hot", 200, "hot epoch 7")
	b.clock.Advance(5*time.Second - time.Nanosecond)
	b.want(t, "/hot", 200, "hot epoch 7")
	b.clock.Advance(time.Nanosecond)
	b.want(t, "/hot", 503, "trust has run out: no renewal of the lease was confirmed in time")
	b.want(t, "/ready", 503, "trust has run out: no renewal of the lease was confirmed in time")
}

func TestHotCountsTheTimeThatTheMachineSlept(t *testing.T) {
	b := serve(t, nil, nil)
	b.clock.Sleep(5 * time.Second)
	b.want(t, "/hot", 503, "trust has run out: no renewal of the lease was confirmed in time")
}

func TestHotSaysWhyNot(t *testing.T) {
	b := serve(t, nil, nil)
	for _, c := range []struct {
		name   string
		change func(*agent.Snapshot)
		want   string
	}{
		{"not ready", func(s *agent.Snapshot) { s.Ready = false; s.Reasons = []string{"port 10002 refuses"} }, "the node is not ready: port 10002 refuses"},
		{"in doubt", func(s *agent.Snapshot) { s.Doubt = true }, "the clock of this machine jumped and the database has not said yet whether the lease is still ours"},
		{"starting", func(s *agent.Snapshot) { s.State = agent.Starting }, "starting"},
		{"fencing", func(s *agent.Snapshot) { s.State = agent.Fencing; s.Reasons = []string{"a\x1b[31m", "b"} }, `fencing: a\x1b[31m; b`},
		{"nothing said yet", func(s *agent.Snapshot) { *s = agent.Snapshot{} }, "the agent has not said anything yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := hotSnapshot(b.clock.Now())
			c.change(&s)
			b.set(s)
			b.want(t, "/hot", 503, c.want)
		})
	}
}

func TestHotSeesAJumpOfTheClockBeforeTheAgentDoes(t *testing.T) {
	b := serve(t, nil, nil)
	s := hotSnapshot(b.clock.Now())
	s.Confirmed, s.Slack = b.clock.Now(), time.Second
	b.set(s)
	b.clock.SetWall(time.Second)
	b.want(t, "/hot", 200, "hot epoch 7")
	b.clock.SetWall(time.Millisecond)
	b.want(t, "/hot", 503, "the clock of this machine jumped and the database has not said yet whether the lease is still ours")
}

func TestLeaselessNodeStaysHotWithoutTrust(t *testing.T) {
	b := serve(t, nil, nil)
	s := hotSnapshot(b.clock.Now())
	s.Leaseless = true
	b.set(s)
	b.clock.Advance(time.Hour)
	b.want(t, "/hot", 200, "hot epoch 7")
}

func TestReadyIsHotOrAbleToTakeOver(t *testing.T) {
	b := serve(t, nil, nil)
	b.want(t, "/ready", 200, "hot epoch 7")
	s := coldSnapshot()
	b.set(s)
	b.want(t, "/ready", 200, "cold, able to take over")
	b.want(t, "/hot", 503, "cold, able to take over")
	s.Ready, s.Reasons = false, []string{"drive /mnt/artemis is not mounted"}
	b.set(s)
	b.want(t, "/ready", 503, "cold: drive /mnt/artemis is not mounted")
	s.State, s.Reasons = agent.Paused, []string{"by root@machine-a"}
	b.set(s)
	b.want(t, "/ready", 503, "paused: by root@machine-a")
}

func TestLiveTellsALoopThatHangs(t *testing.T) {
	b := serve(t, nil, nil)
	b.clock.Advance(10 * time.Second)
	b.want(t, "/live", 200, "live")
	b.clock.Sleep(time.Hour)
	b.want(t, "/live", 200, "live")
	b.clock.Advance(time.Millisecond)
	b.want(t, "/live", 503, "the loop that decides has not turned for 10 s, want a turn within 10 s")
	b.live.Touch()
	b.want(t, "/live", 200, "live")
}

func TestHotSendsItsEpochAndIsNeverKept(t *testing.T) {
	b := serve(t, nil, nil)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		answer, body := b.ask(t, method, "/hot")
		if e := answer.Header.Get("Hotcold-Epoch"); e != "7" {
			t.Errorf("%s: epoch %q", method, e)
		}
		if c := answer.Header.Get("Cache-Control"); c != "no-store" {
			t.Errorf("%s: Cache-Control %q", method, c)
		}
		if answer.StatusCode != 200 || (method == http.MethodHead) != (body == "") {
			t.Errorf("%s: %d %q", method, answer.StatusCode, body)
		}
	}
}

func TestStateIsTheSnapshotAndWhatTheClockTells(t *testing.T) {
	b := serve(t, nil, nil)
	b.clock.Advance(1500 * time.Millisecond)
	_, body := b.get(t, "/state")
	golden(t, "state.json", body)
	var v status.View
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	if !v.Hot || v.TrustLeftSeconds != 6.5 || v.Epoch != 7 {
		t.Errorf("got %+v", v)
	}
}

func TestPageListsWhatThereIs(t *testing.T) {
	b := serve(t, nil, nil)
	_, body := b.get(t, "/")
	golden(t, "page.txt", body)
	if code, _ := b.get(t, "/nothing"); code != 404 {
		t.Errorf("an unknown path: %d", code)
	}
}

func TestOnlyLookingIsAllowed(t *testing.T) {
	b := serve(t, nil, nil)
	for _, path := range []string{"/hot", "/ready", "/live", "/state", "/metrics", "/"} {
		answer, _ := b.ask(t, http.MethodPost, path)
		if answer.StatusCode != 405 || answer.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d, Allow %q", path, answer.StatusCode, answer.Header.Get("Allow"))
		}
	}
}

func TestBodiesAreRefusedUnread(t *testing.T) {
	b := serve(t, nil, nil)
	for _, head := range []string{"Content-Length: 1000000000", "Transfer-Encoding: chunked"} {
		c := dial(t, b)
		fmt.Fprintf(c, "GET /hot HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", head)
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 413 || !answer.Close {
			t.Errorf("%s: %d, close %t", head, answer.StatusCode, answer.Close)
		}
	}
}

func TestOversizedHeadersAreRefused(t *testing.T) {
	b := serve(t, nil, nil)
	c := dial(t, b)
	fmt.Fprintf(c, "GET /hot HTTP/1.1\r\nHost: x\r\nFiller: %s\r\n\r\n", strings.Repeat("x", 20<<10))
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 431 {
		t.Errorf("got %d, want 431", answer.StatusCode)
	}
}

func TestSlowClientIsCutOff(t *testing.T) {
	b := serve(t, nil, func(s *status.Server) { s.SetLimits(0, 20*time.Millisecond, 0, 0) })
	c := dial(t, b)
	fmt.Fprint(c, "GET /hot HTTP/1.1\r\nHost:")
	if _, err := io.ReadAll(c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Fatalf("the server kept a client that never finished its request: %v", err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestClientThatReadsNothingDelaysNobody(t *testing.T) {
	b := serve(t, nil, nil)
	c := dial(t, b)
	// Requests without end whose answers are never read: the server's writes come to a halt.
	go func() {
		for {
			if _, err := fmt.Fprint(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return
			}
		}
	}()
	for range 50 {
		b.want(t, "/hot", 200, "hot epoch 7")
	}
}

func TestConnectionsOverTheLimitAreClosedAndPlacesComeBack(t *testing.T) {
	b := serve(t, nil, func(s *status.Server) { s.SetLimits(2, 0, 0, 0) })
	// An answer proves that each of the two has its place.
	first, second := dial(t, b), dial(t, b)
	for _, c := range []net.Conn{first, second} {
		fmt.Fprint(c, "GET /hot HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	third := dial(t, b)
	if _, err := io.ReadAll(third); isTimeout(err) {
		t.Fatal("a third connection was kept")
	}
	if b.Refused() != 1 {
		t.Errorf("refused %d, want 1", b.Refused())
	}
	first.Close()
	for { // the server learns of the close when it gets to read it
		answer, err := b.client.Get(b.URL() + "/hot")
		if err == nil {
			answer.Body.Close()
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the place never came back")
		}
	}
}

func TestServerAnswersWhileTheLogHangs(t *testing.T) {
	hung := make(chan struct{})
	b := serve(t, func(o *status.Options) { o.Log = slog.New(hungHandler{hung}) },
		func(s *status.Server) { s.SetLimits(1, 0, 0, 0) })
	defer close(hung)
	holder := dial(t, b)
	reader := bufio.NewReader(holder)
	for range 10 {
		over := dial(t, b) // each refused connection has a line to log
		fmt.Fprint(holder, "GET /hot HTTP/1.1\r\nHost: x\r\n\r\n")
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		io.ReadAll(over)
	}
}

// hungHandler is a log whose reader has stopped reading.
type hungHandler struct{ until chan struct{} }

func (h hungHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h hungHandler) Handle(context.Context, slog.Record) error {
	<-h.until
	return nil
}
func (h hungHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h hungHandler) WithGroup(string) slog.Handler      { return h }

func TestKeyIsAskedForOnEveryPath(t *testing.T) {
	b := serve(t, func(o *status.Options) { o.Key = config.NewSecret("s3cret") }, nil)
	for _, shown := range []string{"", "Bearer wrong", "Bearer s3cre", "Bearer s3crets", "Basic s3cret", "s3cret", "Bearer"} {
		for _, path := range []string{"/hot", "/state", "/metrics", "/nothing"} {
			answer, body := b.ask(t, http.MethodGet, path, "Authorization", shown)
			if answer.StatusCode != 401 || answer.Header.Get("WWW-Authenticate") == "" || strings.Contains(body, "s3cret") {
				t.Errorf("%s with %q: %d %q", path, shown, answer.StatusCode, body)
			}
		}
	}
	if answer, _ := b.ask(t, http.MethodGet, "/hot", "Authorization", "bearer s3cret"); answer.StatusCode != 200 {
		t.Errorf("with the key: %d", answer.StatusCode)
	}
}

func TestStopEndsSoonEvenWithASlowClient(t *testing.T) {
	b := serve(t, nil, func(s *status.Server) { s.SetLimits(0, time.Hour, time.Hour, 20*time.Millisecond) })
	c := dial(t, b)
	fmt.Fprint(c, "GET /hot HTTP/1.1\r\nHost:")
	b.want(t, "/hot", 200, "hot epoch 7") // the slow one came first, so it has been accepted
	b.end()
	select {
	case err := <-b.ended:
		if err != nil {
			t.Error(err)
		}
	case <-t.Context().Done():
		t.Fatal("did not end")
	}
	if _, err := net.Dial("tcp", b.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the port is still open: %v", err)
	}
}

func TestTakenPortIsToldBeforeAnythingStarts(t *testing.T) {
	b := serve(t, nil, nil)
	o := options(b)
	o.Address = b.Addr().String()
	s, err := status.New(o)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Listen()
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "hotcold.listen.address") {
		t.Errorf("got %v", err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("run: got %v", err)
	}
}

func TestManyAskAtOnce(t *testing.T) {
	b := serve(t, nil, nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, path := range []string{"/hot", "/ready", "/live", "/state", "/"} {
				answer, err := b.client.Get(b.URL() + path)
				if err != nil {
					t.Error(err)
					return
				}
				if answer.StatusCode != 200 {
					t.Errorf("%s: %d", path, answer.StatusCode)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				b.live.Touch()
				b.set(hotSnapshot(b.clock.Now()))
			}
		})
	}
	all.Wait()
}
