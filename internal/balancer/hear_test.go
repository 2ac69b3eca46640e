package balancer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/status"
)

// hotWord is what the agent of a says while it is hot.
func hotWord(trust, held time.Duration) balancer.Word {
	return balancer.Word{Lease: "corda", Machine: "a", State: "hot", Ready: true, Hot: true, Epoch: 7, Trust: trust, Held: held}
}

// liar is a web server that answers as a test wants, and its address.
func liar(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func words(w http.ResponseWriter, lines ...string) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	for _, l := range lines {
		fmt.Fprint(w, l)
	}
}

func TestWhatIsNotTheWordOfOurAgentIsNotHeard(t *testing.T) {
	good := hotWord(trust, 0)
	foreign, other := good, good
	foreign.Lease, other.Machine = "another", "b"
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		want    string
		refused bool
	}{
		{"another lease", func(w http.ResponseWriter, _ *http.Request) { words(w, string(foreign.Line())) },
			`its word is not heard: it speaks of lease "another", the pair's is "corda"`, true},
		{"another machine", func(w http.ResponseWriter, _ *http.Request) { words(w, string(other.Line())) }, `is the agent of machine "b"`, true},
		{"no word", func(w http.ResponseWriter, _ *http.Request) { words(w, "hot epoch 7\n") }, "its word is not heard: a word that is not a JSON object", true},
		{"a word without end", func(w http.ResponseWriter, _ *http.Request) { words(w, strings.Repeat(" ", 5000)) }, "more than 4096 bytes", true},
		{"half a word", func(w http.ResponseWriter, _ *http.Request) { words(w, `{"lease":"corda"`) }, "in the middle of a word", false},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { words(w) }, "in the middle of a word", false},
		{"an agent that knows no stream", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hot epoch 7") }, "answered 200 OK, and not with its word", false},
		{"wants to know us", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "answered 401 Unauthorized", false},
		{"sends us elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, "answered 302 Found", false},
		{"a head without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 100<<10))
			words(w, string(good.Line()))
		}, "server response headers exceeded", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPath()
			l := start(t, options(p, liar(t, c.answer), "127.0.0.1:1"))
			eventually(t, c.want, func() bool { return strings.Contains(l.Snapshot().Machines[0].Word.Error, c.want) })
			s := l.Snapshot()
			if s.Machines[0].Word.Heard || !s.Target().Nobody() || s.Epoch != 0 || (s.Counters.WordsRefused > 0) != c.refused {
				t.Errorf("got %+v, %+v", s.Machines[0].Word, s)
			}
		})
	}
}

// A word may lie in a buffer for as long as it likes: what it says was true when it was said.
func TestAWordThatWasLateOnItsWayIsNotBelievedForLonger(t *testing.T) {
	for _, c := range []struct {
		name string
		held time.Duration
		want bool
	}{{"said when it was asked", 0, false}, {"said just now", 300 * time.Millisecond, true}} {
		t.Run(c.name, func(t *testing.T) {
			p := newPath()
			l := start(t, options(p, liar(t, func(w http.ResponseWriter, r *http.Request) {
				if clock.Wait(r.Context(), clock.System(), 300*time.Millisecond) == nil {
					words(w, string(hotWord(290*time.Millisecond, c.held).Line()))
				}
			}), "127.0.0.1:1"))
			eventually(t, "the word is heard", func() bool { return l.Snapshot().Machines[0].Word.Heard })
			steers, _ := p.all()
			if got := slices.ContainsFunc(steers, func(s steer) bool { return s.target.Machine == "a" }); got != c.want {
				t.Errorf("traffic went to a: %v, want %v", got, c.want)
			}
		})
	}
}

// slow is a listener whose connections do not answer at first.
type slow struct{ net.Listener }

func (s slow) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err == nil {
		_ = clock.Wait(context.Background(), clock.System(), 300*time.Millisecond)
	}
	return c, err
}

// Trust begins before the request is sent, but not before there is a connection to send it on.
func TestASlowHandshakeCostsNoTrust(t *testing.T) {
	ours, p := newPapers(t), newPath()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		words(w, string(hotWord(290*time.Millisecond, 0).Line()))
	}))
	pair, err := tls.LoadX509KeyPair(ours.file("server"), ours.file("server-key"))
	if err != nil {
		t.Fatal(err)
	}
	s.Listener, s.TLS = slow{s.Listener}, &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	t.Cleanup(s.Close)
	o := options(p, s.Listener.Addr().String())
	o.Config.Agents.CA = ours.file("ca")
	start(t, o)
	p.goes(t, "a", 7)
}

func TestTheNextStreamFollowsAtOnceWhenALongOneEnds(t *testing.T) {
	p, end, asked := newPath(), make(chan struct{}), make(chan struct{}, 8)
	l, c := stepped(t, options(p, liar(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		words(w, string(hotWord(trust, 0).Line()))
		w.(http.Flusher).Flush()
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})))
	p.goes(t, "a", 7)
	<-asked
	eventually(t, "the stream is heard", func() bool { return l.Snapshot().Machines[0].Word.Connected })
	c.Advance(agentProbe().Interval)
	end <- struct{}{}
	select {
	case <-asked:
	case <-within(t).Done():
		t.Fatal("it does not ask again before the clock moves")
	}
	if e := l.Snapshot().Machines[0].Word.Error; e != "" {
		t.Errorf("the end of a stream is a fault: %s", e)
	}
}

// stepped runs a balancer on a clock that stands still until it is told to move.
func stepped(t *testing.T, o balancer.Options) (*balancer.Balancer, *clock.Stepped) {
	t.Helper()
	c := clock.NewStepped()
	o.Clock = c
	return start(t, o), c
}

// stepTo moves the clock by d once somebody waits for that instant.
func stepTo(t *testing.T, c *clock.Stepped, d time.Duration) {
	t.Helper()
	at, ctx := c.Now().Boot+d, within(t)
	for {
		armed, changed := c.Armed()
		if slices.Contains(armed, at) {
			c.Advance(d)
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("nobody waits for %v more; armed: %v, now %v", d, armed, c.Now().Boot)
		}
	}
}

func TestAStreamThatFallsSilentIsLeftAndItsWordStays(t *testing.T) {
	var asked atomic.Int64
	p, left := newPath(), make(chan struct{}, 8)
	l, c := stepped(t, options(p, liar(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 { // it is asked again meanwhile, and a second word would be believed anew
			words(w, string(hotWord(trust, 0).Line()))
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done() // as a machine whose power is gone
		left <- struct{}{}
	})))
	p.goes(t, "a", 7)
	stepTo(t, c, 3*balancer.WordHeartbeat)
	select {
	case <-left:
	case <-within(t).Done():
		t.Fatal("the stream was not left")
	}
	eventually(t, "it is said why", func() bool {
		return strings.Contains(l.Snapshot().Machines[0].Word.Error, "was silent for too long")
	})
	if s := l.Snapshot(); s.Target().Machine != "a" {
		t.Errorf("traffic goes to %+v", s.Target())
	}
	c.Advance(trust)
	p.goes(t, "", 0)
}

func TestAnAgentThatNeverAnswersIsAskedForNoLongerThanTheTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts; nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, c := stepped(t, options(newPath(), l.Addr().String()))
	stepTo(t, c, agentProbe().Timeout)
	eventually(t, "it is given up", func() bool { return strings.Contains(b.Snapshot().Machines[0].Word.Error, "was silent for too long") })
	c.Advance(time.Minute)
	alarmed(t, b, balancer.AlarmSilent, true)
}

func TestAnAgentWithoutAPlaceForAStreamIsPolled(t *testing.T) {
	var asked atomic.Int64
	p := newPath()
	b, c := stepped(t, options(p, liar(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		words(w, string(hotWord(trust, 0).Line()))
	})))
	for n := range int64(3) {
		eventually(t, "it is asked", func() bool { return asked.Load() == n+1 && b.Snapshot().Counters.Words == uint64(n+1) })
		// It is not asked again before the clock moves; a part of the pause is chance.
		soon := within(t)
		for moved := false; !moved; {
			armed, changed := c.Armed()
			now := c.Now().Boot
			for _, at := range armed {
				if d := at - now; d > 0 && d <= agentProbe().Fast {
					c.Advance(d)
					moved = true
				}
			}
			select {
			case <-changed:
			case <-soon.Done():
				t.Fatal("it is not asked again")
			default:
			}
		}
	}
	p.goes(t, "a", 7)
}

// papers signs certificates for one test, and keeps them in files.
type papers struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newPapers(t testing.TB) *papers {
	t.Helper()
	a := &papers{dir: t.TempDir()}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write(t, "ca", "CERTIFICATE", der)
	a.sign(t, "server", net.IPv4(127, 0, 0, 1))
	a.sign(t, "client", net.IPv4(127, 0, 0, 1))
	a.sign(t, "elsewhere", net.IPv4(127, 0, 0, 77))
	return a
}

func (a *papers) sign(t testing.TB, name string, ip net.IP) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), IPAddresses: []net.IP{ip},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name, "CERTIFICATE", der)
	a.write(t, name+"-key", "PRIVATE KEY", raw)
}

func (a *papers) write(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *papers) file(name string) string { return filepath.Join(a.dir, name+".pem") }

func TestAgentsAndBalancersProveThemselvesToEachOther(t *testing.T) {
	ours, theirs := newPapers(t), newPapers(t)
	mutual := func(o *status.Options) {
		o.TLS = status.TLS{CertFile: ours.file("server"), KeyFile: ours.file("server-key"), ClientCAFile: ours.file("ca")}
	}
	withKey := func(o *status.Options) {
		o.TLS = status.TLS{CertFile: ours.file("server"), KeyFile: ours.file("server-key")}
		o.Key = config.NewSecret("open sesame")
	}
	elsewhere := func(o *status.Options) {
		o.TLS = status.TLS{CertFile: ours.file("elsewhere"), KeyFile: ours.file("elsewhere-key"), ClientCAFile: ours.file("ca")}
	}
	access := func(a *papers) config.AgentAccess {
		return config.AgentAccess{CA: a.file("ca"), Certificate: a.file("client"), Key: a.file("client-key")}
	}
	for _, c := range []struct {
		name   string
		agent  func(*status.Options)
		access config.AgentAccess
		want   string // the fault; empty: it is heard
	}{
		{"both have papers", mutual, access(ours), ""},
		{"a key over TLS", withKey, config.AgentAccess{CA: ours.file("ca"), Token: config.NewSecret("open sesame")}, ""},
		{"the wrong key", withKey, config.AgentAccess{CA: ours.file("ca"), Token: config.NewSecret("please")}, "answered 401 Unauthorized"},
		{"no papers of ours", mutual, config.AgentAccess{CA: ours.file("ca")}, "certificate required"},
		{"papers of another authority", mutual, config.AgentAccess{CA: ours.file("ca"), Certificate: theirs.file("client"), Key: theirs.file("client-key")}, "tls:"},
		{"an agent of another authority", mutual, access(theirs), "certificate signed by unknown authority"},
		{"an agent of another address", elsewhere, access(ours), "not 127.0.0.1"},
		{"an agent that speaks plainly", nil, access(ours), "does not look like a TLS handshake"},
		{"an agent that wants TLS", withKey, config.AgentAccess{Token: config.NewSecret("open sesame")}, "answered 400 Bad Request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, a := newPath(), speak(t, "a", c.agent)
			a.Hot(7, trust)
			o := options(p, a.Address)
			o.Config.Agents = c.access
			l := start(t, o)
			if c.want == "" {
				p.goes(t, "a", 7)
				return
			}
			eventually(t, c.want, func() bool { return strings.Contains(l.Snapshot().Machines[0].Word.Error, c.want) })
			if s := l.Snapshot(); s.Machines[0].Word.Heard || !s.Target().Nobody() || strings.Contains(fmt.Sprintf("%+v", s), "sesame") {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestFilesForAskingAgentsThatCannotBeReadAreAFaultOfTheConfiguration(t *testing.T) {
	ours := newPapers(t)
	o := options(newPath(), "10.0.0.1:4653")
	for _, c := range []struct {
		access config.AgentAccess
		want   string
	}{
		{config.AgentAccess{CA: ours.file("none")}, "hotcold.balancer.agents: open "},
		{config.AgentAccess{CA: ours.file("client-key")}, "hotcold.balancer.agents.ca: no certificate in "},
		{config.AgentAccess{CA: ours.file("ca"), Certificate: ours.file("client"), Key: ours.file("server-key")}, "hotcold.balancer.agents: read certificate "},
	} {
		o.Config.Agents = c.access
		if _, err := balancer.New(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestRenewedFilesAreTakenOverAndBrokenOnesAreNot(t *testing.T) {
	ours, j := newPapers(t), &journal{}
	o := options(newPath(), "127.0.0.1:1")
	o.Log = j.log()
	o.Config.Agents = config.AgentAccess{CA: ours.file("ca"), Certificate: ours.file("client"), Key: ours.file("client-key")}
	_, c := stepped(t, o)
	next := newPapers(t)
	for _, name := range []string{"ca", "client", "client-key"} {
		text, err := os.ReadFile(next.file(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(ours.file(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stepTo(t, c, time.Minute)
	eventually(t, "they are read anew", func() bool { return j.count("files for asking agents read anew") == 1 })
	if err := os.WriteFile(ours.file("ca"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	stepTo(t, c, time.Minute)
	eventually(t, "they are refused", func() bool { return j.count("cannot be used, the former ones stay", "no certificate in") == 1 })
}
