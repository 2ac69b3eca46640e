package tds

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"sync"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver/ledger"
)

// Who may log in, and where.
const (
	user     = "hotcold_agent"
	password = "Ut pictura poesis/1?&;"
	database = "corda"
)

// Failure is an error as the server says it.
type Failure struct {
	Number int32
	// Class above 19 ends the connection.
	Class byte
	Text  string
}

// Server is one database of one server.
type Server struct {
	*ledger.Ledger
	t        testing.TB
	listener net.Listener
	wg       sync.WaitGroup

	mu        sync.Mutex // guards all below
	conns     map[net.Conn]bool
	closed    bool
	edition   int64
	version   string
	delayed   string        // delayed_durability_desc
	refusal   *Failure      // of every login
	failure   *Failure      // of the next statement
	mute      bool          // the next answer is kept, and its connection dropped
	held      chan struct{} // closed when writes go on; nil where they do
	impatient bool          // held writes fail with 1222 at once
	heard     map[string]int
	revoked   map[string]bool // rights
	prepared  map[string]Prepared
	unknown   []string
	fencing   fencing
}

// New starts a server for the statements of that file.
func New(t testing.TB, statements string) *Server {
	t.Helper()
	l, err := ledger.New(statements)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Ledger: l, t: t, listener: listener, conns: map[net.Conn]bool{}, edition: 3, version: "16.0.1000.6", delayed: "DISABLED", heard: map[string]int{}, revoked: map[string]bool{}, prepared: map[string]Prepared{}}
	s.fencing = fencing{sessions: map[string]int{}, escapes: map[string][][2]string{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.closed {
			_ = conn.Close()
		} else {
			s.conns[conn] = true
			s.wg.Go(func() {
				newSession(s, conn).serve()
				s.mu.Lock()
				delete(s.conns, conn)
				s.mu.Unlock()
				_ = conn.Close()
			})
		}
		s.mu.Unlock()
	}
}

func (s *Server) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.Release()
	s.Cut()
	s.wg.Wait()
	for _, text := range s.unknown {
		s.t.Errorf("the test server was sent what is not in the file of statements (changed without it?):\n%s", text)
	}
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// DSN is the driver's address of the database at addr, which is the server or a
// relay before it.
func (s *Server) DSN(addr string) string {
	u := url.URL{Scheme: "sqlserver", User: url.UserPassword(user, password), Host: addr, RawQuery: "database=" + database + "&encrypt=disable"}
	return u.String()
}

// Password is what no error may show.
func (s *Server) Password() string { return password }

// Cut ends every connection without a word.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// FailOver makes the database another one and ends all connections, as a replica
// does that changes its role.
func (s *Server) FailOver(lost bool) {
	s.Ledger.FailOver(lost)
	s.Cut()
}

// Refuse refuses logins; nil takes them again.
func (s *Server) Refuse(f *Failure) { s.set(func() { s.refusal = f }) }

// Fail fails the next statement, before it does anything.
func (s *Server) Fail(f Failure) { s.set(func() { s.failure = &f }) }

// Mute does the next statement, keeps the answer and ends the connection.
func (s *Server) Mute() { s.set(func() { s.mute = true }) }

// Edition sets the engine's edition (5 is Azure SQL Database) and version.
func (s *Server) Edition(edition int64, version string) {
	s.set(func() { s.edition, s.version = edition, version })
}

// Delayed sets the database's delayed durability.
func (s *Server) Delayed(desc string) { s.set(func() { s.delayed = desc }) }

// Hold makes writes wait, as for a lock of somebody else, until Release. Where
// impatient is true they fail as a lock timeout does.
func (s *Server) Hold(impatient bool) {
	s.set(func() {
		if s.held == nil {
			s.held = make(chan struct{})
		}
		s.impatient = impatient
	})
}

// Release lets the writes go on.
func (s *Server) Release() {
	s.set(func() {
		if s.held != nil {
			close(s.held)
		}
		s.held = nil
	})
}

// Heard is how often a statement of that name was begun; "attention" counts too.
func (s *Server) Heard(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard[name]
}

func (s *Server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// begun counts a statement and takes the faults that are meant for it.
func (s *Server) begun(name string) (failure *Failure, mute bool, held chan struct{}, impatient bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[name]++
	failure, mute = s.failure, s.mute
	s.failure, s.mute = nil, false
	return failure, mute, s.held, s.impatient
}

// numbered are the ledger's errors as SQL Server says them.
func numbered(err error) Failure {
	for _, known := range []struct {
		err error
		Failure
	}{
		{ledger.ErrNoTable, Failure{208, 16, "Invalid object name."}},
		{ledger.ErrReadOnly, Failure{3906, 16, "Failed to update database because the database is read-only."}},
		{ledger.ErrDuplicate, Failure{2627, 14, "Violation of PRIMARY KEY constraint."}},
		{ledger.ErrRights, Failure{229, 14, "The permission was denied on the object."}},
	} {
		if errors.Is(err, known.err) {
			return known.Failure
		}
	}
	return Failure{50000, 16, err.Error()}
}

// Prepared is what a test wants a statement to be answered with: an error, or a row of
// texts and int64s.
type Prepared struct {
	Failure *Failure
	Row     []any
}

func (p Prepared) answer() ledger.Answer {
	a := ledger.Answer{Rows: [][]any{p.Row}}
	for _, value := range p.Row {
		kind := ledger.Number
		if _, text := value.(string); text {
			kind = ledger.Text
		}
		a.Columns = append(a.Columns, kind)
	}
	return a
}

// Prepare has every statement of that name answered so.
func (s *Server) Prepare(name string, p Prepared) { s.set(func() { s.prepared[name] = p }) }

func (s *Server) preparedFor(name string) (Prepared, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, found := s.prepared[name]
	return p, found
}

// described are the answers that are the server's own and not the ledger's.
func (s *Server) described(name, text string) (ledger.Answer, bool) {
	switch name {
	case "opening":
		updateability := "READ_WRITE"
		if s.ReadOnly() {
			updateability = "READ_ONLY"
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return ledger.Answer{
			Columns: []ledger.Kind{ledger.Text, ledger.Text, ledger.Number, ledger.Text},
			Rows:    [][]any{{updateability, s.delayed, s.edition, s.version}},
		}, true
	case "survey":
		made, err := s.Run("survey", nil)
		if err != nil {
			return ledger.Answer{}, false
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		a := ledger.Answer{Columns: []ledger.Kind{ledger.Text, ledger.Text, ledger.Truth, ledger.Truth}}
		for _, found := range wantedRight.FindAllStringSubmatch(text, -1) {
			table, right := found[1], found[2]
			a.Rows = append(a.Rows, []any{table, right, made.Rows[0][0], !s.revoked[right+" on "+table]})
		}
		return a, true
	case "schemaLock":
		return ledger.Answer{}, true
	}
	return ledger.Answer{}, false
}

// Revoke takes a right, as "UPDATE on hotcold_lease", out of what the survey says.
func (s *Server) Revoke(right string) { s.set(func() { s.revoked[right] = true }) }

// wantedRight is a table and a right in the text of the survey.
var wantedRight = regexp.MustCompile(`\(N'(\w+)', N'(\w+)'\)`)

// Connections is how many are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
