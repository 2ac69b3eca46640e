package status

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/hotcold/hotcold/internal/clock"
)

// handler knows all that is served. None of it takes a lock that is held across I/O; of /hot and /live that is a
// promise to balancers and to systemd.
func (s *Server) handler() http.Handler {
	if s.pages != nil {
		return s.pages()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hot", s.hot)
	mux.HandleFunc("/ready", s.ready)
	mux.HandleFunc("/live", s.live)
	mux.HandleFunc("/state", s.state)
	mux.Handle("/metrics", s.metrics())
	mux.HandleFunc("/{$}", s.page)
	return s.guarded(mux)
}

// view looks at the agent.
func (s *Server) view() View {
	v, _ := s.look()
	return v
}

// look looks at the agent, and tells with which reading. The clock is read after the snapshot; see ViewAt.
func (s *Server) look() (View, clock.Reading) {
	snapshot := s.o.Snapshot()
	now := s.o.Clock.Now()
	return ViewAt(snapshot, now), now
}

// guarded lets in who may ask, and only to look.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store") // an answer is true for an instant
		h.Set("X-Content-Type-Options", "nosniff")
		switch {
		case !s.knows(r):
			h.Set("WWW-Authenticate", `Bearer realm="hotcold"`)
			say(w, http.StatusUnauthorized, "this listener wants the key of "+s.at+".keyFile, as Authorization: Bearer KEY")
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			say(w, http.StatusMethodNotAllowed, "only GET and HEAD are answered")
		case r.ContentLength != 0:
			h.Set("Connection", "close") // the body is not read, so nothing can follow it
			say(w, http.StatusRequestEntityTooLarge, "a request must not have a body")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knows tells whether the request shows the key. Both sides are hashed first: comparing texts of different lengths
// would tell the length.
func (s *Server) knows(r *http.Request) bool {
	if s.o.Key.Empty() {
		return true
	}
	scheme, shown, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(s.o.Key.Reveal())), sha256.Sum256([]byte(strings.TrimSpace(shown)))
	same := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	return same && strings.EqualFold(scheme, "Bearer")
}

// hot answers 200 while traffic may be sent here, and is what a balancer asks.
func (s *Server) hot(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Query().Has("watch") {
		s.stream(w, r)
		return
	}
	v, now := s.look()
	h := w.Header()
	h.Set("Hotcold-Lease", v.Lease)
	h.Set("Hotcold-Machine", v.Machine)
	h.Set("Hotcold-Epoch", strconv.FormatUint(v.Epoch, 10))
	// Rounded down, and to be counted from before the request was sent.
	h.Set("Hotcold-Trust-Ms", strconv.FormatInt(serves(v, now).Milliseconds(), 10))
	sayWhether(w, v.Hot, v.Headline())
}

// ready answers 200 while this machine serves, or could take over.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	v := s.view()
	sayWhether(w, v.Usable(), v.Headline())
}

// live answers 200 while the agent's loop turns.
func (s *Server) live(w http.ResponseWriter, _ *http.Request) { sayLive(w, s.o.Live) }

func sayLive(w http.ResponseWriter, l *LiveCheck) {
	if err := l.Err(); err != nil {
		sayWhether(w, false, err.Error())
		return
	}
	sayWhether(w, true, "live")
}

// state is the snapshot as JSON.
func (s *Server) state(w http.ResponseWriter, _ *http.Request) {
	body, err := json.MarshalIndent(s.view(), "", "  ")
	if err != nil {
		say(w, http.StatusInternalServerError, "write the state as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(append(body, '\n')) // an error here is the client's, who has gone
}

// page is for the person who types the address into a browser.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) {
	v := s.view()
	var b strings.Builder
	fmt.Fprintf(&b, "hotcold %s on %s, lease %s\n%s\n\n", v.Version, v.Instance, v.Lease, v.Headline())
	b.WriteString("/hot      200 while traffic may be sent here, else 503 and why; /hot?watch goes on telling\n" +
		"/ready    200 while hot and ready, or cold and able to take over\n" +
		"/live     200 while the agent's loop turns\n" +
		"/state    all that the agent knows, as JSON\n" +
		"/metrics  the same for Prometheus")
	say(w, http.StatusOK, b.String())
}

func sayWhether(w http.ResponseWriter, yes bool, text string) {
	code := http.StatusServiceUnavailable
	if yes {
		code = http.StatusOK
	}
	say(w, code, text)
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text) // an error here is the client's, who has gone
}
