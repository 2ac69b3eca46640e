package notice

import (
	"errors"
	"time"
)

// States of a request. It begins open and ends in one of the last three.
const (
	StateOpen      = "open"
	StateAccepted  = "accepted"
	StateDone      = "done"
	StateRefused   = "refused"
	StateWithdrawn = "withdrawn"
)

var (
	// ErrNoRequest means that no request has that number.
	ErrNoRequest = errors.New("no such request")
	// ErrEnded means that a request has ended and takes no other answer.
	ErrEnded = errors.New("the request has already ended")
)

// Request is what an operator asked of the agents of a lease.
//
//	open ---Accept---> accepted ---Answer---> done | refused
//	  |----------------------------Answer---> done | refused
//	  |---Withdraw---> withdrawn
type Request struct {
	ID    int64
	Lease string
	// Kind says what is asked, Target of whom (empty: of whoever it concerns),
	// By who asked.
	Kind, Target, By string
	// Document is JSON that means nothing here.
	Document   []byte
	State      string
	AcceptedBy string
	// Answer is what the agent said at the end.
	Answer string
	// AskedAt, EndedAt (zero until then) and Age are by the store's clock.
	AskedAt, EndedAt time.Time
	Age              time.Duration
}

// Ended tells whether the request has its last state.
func (r Request) Ended() bool { return r.State != StateOpen && r.State != StateAccepted }
