package tds

import (
	"fmt"
	"slices"

	"github.com/hotcold/hotcold/internal/testserver/ledger"
)

// fencing is what fencing meets and leaves behind.
type fencing struct {
	sessions map[string]int         // of each user
	stubborn int                    // so many KILLs end nothing
	taken    int                    // so often the turn is another's
	escapes  map[string][][2]string // of each user
	steps    []string               // what was done, in order
}

// LogIn gives a user so many sessions more.
func (s *Server) LogIn(user string, sessions int) {
	s.set(func() { s.fencing.sessions[user] += sessions })
}

// Sessions is how many a user has.
func (s *Server) Sessions(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fencing.sessions[user]
}

// Stubborn makes so many batches of KILL end nothing.
func (s *Server) Stubborn(batches int) { s.set(func() { s.fencing.stubborn = batches }) }

// TakeTurn makes the turn of fencing another's, for the next so many who want it.
func (s *Server) TakeTurn(times int) { s.set(func() { s.fencing.taken = times }) }

// Escape makes a user one whom a denial does not reach, for a reason of that kind and name.
func (s *Server) Escape(user, kind, name string) {
	s.set(func() { s.fencing.escapes[user] = append(s.fencing.escapes[user], [2]string{kind, name}) })
}

// Steps are what fencing has done, in order: "turn taken", "end USER COUNT", or the text that was run in a transaction.
func (s *Server) Steps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.fencing.steps)
}

// fenced answers the statements of fencing: the turn first, then the look at the row, then what is done.
func (s *Server) fenced(name string, args []any) (ledger.Answer, bool, error) {
	switch name {
	case "fenceEscapes":
		s.mu.Lock()
		defer s.mu.Unlock()
		a := ledger.Answer{Columns: []ledger.Kind{ledger.Text, ledger.Text}}
		for _, e := range s.fencing.escapes[args[0].(string)] {
			a.Rows = append(a.Rows, []any{e[0], e[1]})
		}
		return a, true, nil
	case "fenceEnd", "fenceChange":
		looked, err := s.Run("held", args[:4])
		if err != nil {
			return ledger.Answer{}, true, err
		}
		got, held, ended := s.guarded(name, looked.Rows[0][0].(int64), args[4].(string))
		return ledger.Answer{Columns: []ledger.Kind{ledger.Number, ledger.Number, ledger.Number}, Rows: [][]any{{got, held, ended}}}, true, nil
	}
	return ledger.Answer{}, false, nil
}

func (s *Server) guarded(name string, held int64, argument string) (got, same, ended int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.fencing
	if f.taken > 0 {
		f.taken--
		f.steps = append(f.steps, "turn taken")
		return -1, held, held
	}
	if held == 0 {
		return 0, 0, 0
	}
	if name == "fenceChange" {
		f.steps = append(f.steps, argument)
		return 0, held, 0
	}
	n := f.sessions[argument]
	f.steps = append(f.steps, fmt.Sprint("end ", argument, " ", n))
	if n > 0 && f.stubborn > 0 {
		f.stubborn--
	} else {
		f.sessions[argument] = 0
	}
	return 0, held, int64(n)
}
