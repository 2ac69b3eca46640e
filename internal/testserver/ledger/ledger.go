package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hotcold/hotcold/internal/clock"
)

// What an act can meet, beside its answer.
var (
	// ErrUnknown means that no statement of that text is in the file.
	ErrUnknown = errors.New("the statement is not in the file of statements")
	// ErrNoTable means that the tables were not made yet, or were dropped.
	ErrNoTable = errors.New("a table is missing")
	// ErrReadOnly means that the database takes no writes now.
	ErrReadOnly = errors.New("the database takes no writes")
	// ErrDuplicate means that a row with that key is there.
	ErrDuplicate = errors.New("a row with that key exists")
	// ErrRights means that the user may not do that.
	ErrRights = errors.New("permission denied")
)

// Kind is what a column of an answer holds.
type Kind int

// The kinds of columns.
const (
	Text Kind = iota
	LongText
	Number
	Truth
)

// Answer is what a statement gives back: rows, or how many it changed.
type Answer struct {
	Columns []Kind
	Rows    [][]any // string, int64, bool, or nil
	Changed int64
}

// Ledger is one database.
type Ledger struct {
	clock clock.Clock
	names map[string]string // by the text of the statement

	mu          sync.Mutex // guards all below
	now         state
	saved       *state
	incarnation int
	readOnly    bool
	denied      map[string]bool // acts that the user may not do
}

// state is what is in the tables. Rows are copied when they change.
type state struct {
	made      bool
	next      int64 // the last id that was given
	leases    map[string]leaseRow
	instances []instanceRow
	events    []eventRow
	requests  []requestRow
	meta      map[string]string
}

func (s state) clone() state {
	s.leases, s.meta = maps.Clone(s.leases), maps.Clone(s.meta)
	s.instances, s.events, s.requests = slices.Clone(s.instances), slices.Clone(s.events), slices.Clone(s.requests)
	return s
}

// New reads a file of statements. Each begins with a line "-- name: NAME" and
// ends where the next one begins.
func New(file string) (*Ledger, error) {
	l := &Ledger{clock: clock.System(), names: map[string]string{}, denied: map[string]bool{}, now: empty()}
	for _, part := range strings.Split(file, "-- name: ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		text = strings.TrimSpace(text)
		if _, twice := l.names[text]; twice {
			return nil, fmt.Errorf("read the statements: the text of %q stands there twice", name)
		}
		l.names[text] = name
	}
	return l, nil
}

func empty() state { return state{leases: map[string]leaseRow{}, meta: map[string]string{}} }

// Name is the name of a statement in the file.
func (l *Ledger) Name(text string) (string, error) {
	name, found := l.names[strings.TrimSpace(text)]
	if !found {
		return "", fmt.Errorf("%w: %s", ErrUnknown, text)
	}
	return name, nil
}

// Save remembers what is in the tables, for FailOver.
func (l *Ledger) Save() {
	l.mu.Lock()
	defer l.mu.Unlock()
	saved := l.now.clone()
	l.saved = &saved
}

// FailOver makes the database another one: with all its rows, or, where lost is
// true, with those of the last Save.
func (l *Ledger) FailOver(lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.incarnation++
	if lost && l.saved != nil {
		l.now = l.saved.clone()
	}
}

// SetReadOnly makes the database refuse writes, or take them again.
func (l *Ledger) SetReadOnly(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readOnly = on
}

// ReadOnly tells whether it refuses writes.
func (l *Ledger) ReadOnly() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.readOnly
}

// Deny takes the right to an act, as "renew" or "create", or gives it back.
func (l *Ledger) Deny(act string, denied bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.denied[act] = denied
}

// Drop removes all tables.
func (l *Ledger) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = empty()
}

// SetVersion writes another version of the tables.
func (l *Ledger) SetVersion(version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now.meta["schema"] = version
}

// Run does what the statement of that name is there for. A name that ends in
// "+signal" raises the counter that its last argument names, if it wrote anything.
func (l *Ledger) Run(name string, args []any) (answer Answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { // an argument of another kind or too few of them
		if r := recover(); r != nil {
			answer, err = Answer{}, fmt.Errorf("%s: the arguments %#v do not fit: %v", name, args, r)
		}
	}()
	act, signal := strings.CutSuffix(name, "+signal")
	do, found := l.acts()[act]
	switch {
	case !found:
		return Answer{}, fmt.Errorf("%w: there is no act %q", ErrUnknown, name)
	case l.denied[act]:
		return Answer{}, fmt.Errorf("%w: %s", ErrRights, act)
	case do.write && l.readOnly:
		return Answer{}, ErrReadOnly
	case !l.now.made && act != "create" && act != "survey":
		return Answer{}, ErrNoTable
	}
	if !signal {
		return do.run(args)
	}
	counter := args[len(args)-1].(string)
	answer, err = do.run(args[:len(args)-1])
	if err == nil && answer.Changed > 0 {
		_, err = l.raiseSignal([]any{counter})
	}
	return answer, err
}

// Snapshot remembers all rows; the result puts them back, as a rollback does.
func (l *Ledger) Snapshot() (restore func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.now.clone()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now = before
	}
}

// Allowed says why an act would be refused without being looked at, or nothing.
func (l *Ledger) Allowed(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.denied[name]:
		return fmt.Errorf("%w: %s", ErrRights, name)
	case l.acts()[name].write && l.readOnly:
		return ErrReadOnly
	}
	return nil
}

// act is one thing that a statement does.
type act struct {
	write bool
	run   func(args []any) (Answer, error)
}

func (l *Ledger) acts() map[string]act {
	return map[string]act{
		"create": {true, l.create}, "survey": {false, l.survey}, "schemaVersion": {false, l.schemaVersion}, "signal": {false, l.signal},
		"number": {true, l.number}, "raiseSignal": {true, l.raiseSignal},
		"read": {false, l.read}, "leases": {false, l.list}, "claim": {true, l.claim}, "renew": {true, l.renew}, "held": {false, l.held},
		"announce": {true, l.announce}, "forgetInstances": {true, l.forgetInstances}, "instances": {false, l.instances},
		"record": {true, l.record}, "forgetEvents": {true, l.forgetEvents}, "events": {false, l.events},
		"ask": {true, l.ask}, "forgetRequests": {true, l.forgetRequests}, "requests": {false, l.requests}, "request": {false, l.request},
		"accept": {true, l.accept}, "answer": {true, l.answer}, "withdraw": {true, l.withdraw},
	}
}

func (l *Ledger) micros() int64 { return l.clock.Now().Wall.UnixMicro() }

func changed(n int) (Answer, error) { return Answer{Changed: int64(n)}, nil }
