package witness

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

// DefaultBeat is the time between two beats of a record: far shorter than any
// takeover, and it costs some 5 % of one processor (measured 2026-11).
const DefaultBeat = 2 * time.Millisecond

// Options are what a witness is told.
type Options struct {
	// Instance is its name, in the form of an ID; Epoch the fencing token
	// that it was started under.
	Instance string
	Epoch    int64
	// PID is the process it runs in.
	PID int
	// P2P, RPC and Web are the addresses it serves on.
	P2P, RPC, Web string
	// Journal is the file on the shared drive, Records the directory of the
	// records, DB where the table is.
	Journal string
	Records string
	DB      *sql.DB

	Clock clock.Clock
	// Out gets a line when the witness starts, is ready, and ends: what a log
	// line probe looks at.
	Out io.Writer
	// Beat is the time between two beats; 0 means DefaultBeat.
	Beat time.Duration

	// SlowStart passes before the ports open, SlowStop after they closed.
	SlowStart, SlowStop time.Duration
	// IgnoreTerm makes Run not end with its context.
	IgnoreTerm bool
	// Family, if not 0, makes this a child that only lives, for the family of
	// the run that started then.
	Family time.Duration

	// Harm, if not nil, is what the harm requests do.
	Harm *Harm
}

// Harm is what a witness can do to itself.
type Harm struct {
	// Exit ends the process at once, Kill by SIGKILL. Neither returns.
	Exit func(code int)
	Kill func()
	// Orphan makes the command of a child with the Family given.
	Orphan func(family time.Duration) *exec.Cmd
}

func (o *Options) check() error {
	var errs []error
	if !names.MatchString(o.Instance) {
		errs = append(errs, fmt.Errorf("instance %q is not a name of letters, digits, dots and dashes", o.Instance))
	}
	if o.Epoch < 0 {
		errs = append(errs, fmt.Errorf("epoch %d is negative", o.Epoch))
	}
	if o.Records == "" || o.Clock == nil || o.Out == nil {
		errs = append(errs, errors.New("records, clock and output are needed"))
	}
	if o.Family == 0 && (o.Journal == "" || o.DB == nil) {
		errs = append(errs, errors.New("journal and database are needed"))
	}
	if o.Beat == 0 {
		o.Beat = DefaultBeat
	}
	return errors.Join(errs...)
}
