package demo

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// action is what a key asks for.
type action byte

// The actions are named by their keys.
const (
	actNode       action = 'k'
	actAgent      action = 'a'
	actMachine    action = 'm'
	actFreeze     action = 'f'
	actThaw       action = 't'
	actSwitchover action = 's'
	actPause      action = 'p'
	actResume     action = 'r'
	actDatabase   action = 'd'
	actHelp       action = '?'
	actQuit       action = 'q'
)

const helpText = `  k  kill the hot node (the first time it is restarted in place, again soon: taken over)
  a  kill the hot agent: its guard has to end the node
  m  kill the whole machine: agent, guard and node at once
  f  freeze the hot agent        t  let it go on
  d  make the database unreachable for a while
  s  planned switchover          p  pause          r  resume
  q  quit with the report        Ctrl-C  just end`

// decoder turns bytes of a terminal into actions. What a cursor key or a mouse
// sends begins with ESC and may go on in the next read.
type decoder struct {
	escape int // 0: none, 1: after ESC, 2: within a sequence
}

func (d *decoder) decode(input []byte) []action {
	var found []action
	for _, b := range input {
		switch {
		case b == 0x1b:
			d.escape = 1
		case d.escape == 1:
			d.escape = 0 // ESC and a letter is one key with Alt
			if b == '[' || b == 'O' {
				d.escape = 2
			}
		case d.escape == 2:
			if b >= 0x40 && b <= 0x7e {
				d.escape = 0
			}
		default:
			if a, ok := actionOf(b); ok {
				found = append(found, a)
			}
		}
	}
	return found
}

func actionOf(b byte) (action, bool) {
	if b >= 'A' && b <= 'Z' {
		b += 'a' - 'A'
	}
	switch b {
	case 'h':
		return actHelp, true
	case 0x04: // Ctrl-D, the end of input
		return actQuit, true
	}
	switch a := action(b); a {
	case actNode, actAgent, actMachine, actFreeze, actThaw, actSwitchover, actPause, actResume, actDatabase, actHelp, actQuit:
		return a, true
	}
	return 0, false
}

// errQuit ends the reading of keys.
var errQuit = errors.New("a person quit")

// byKeys lets a person do the harm.
func byKeys(ctx context.Context, s *show) error {
	restore, err := cbreak(s.o.Keys)
	if err != nil {
		return fmt.Errorf("read single keys: %w", err)
	}
	defer restore()
	s.tell.print(plain, "")
	s.tell.print(bold, "Now it is yours:")
	s.tell.print(plain, helpText+"\n")
	var d decoder
	buf := make([]byte, 64)
	for ctx.Err() == nil {
		n, err := unix.Read(int(s.o.Keys.Fd()), buf)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return fmt.Errorf("read a key: %w", err)
		}
		for _, a := range d.decode(buf[:n]) {
			if s.act(ctx, a) == errQuit {
				return nil
			}
		}
	}
	return context.Cause(ctx)
}

// act does what a key asks for. What cannot be done is told.
func (s *show) act(ctx context.Context, a action) error {
	var err error
	switch a {
	case actNode:
		err = s.killNode()
	case actAgent:
		err = s.killAgent()
	case actMachine:
		err = s.killMachine()
	case actFreeze:
		err = s.freeze(ctx)
	case actThaw:
		err = s.thaw()
	case actSwitchover:
		s.errand(ctx, func(ctx context.Context) error { return s.command(ctx, "switchover") })
	case actPause:
		s.errand(ctx, func(ctx context.Context) error { return s.command(ctx, "pause") })
	case actResume:
		s.errand(ctx, func(ctx context.Context) error { return s.command(ctx, "resume") })
	case actDatabase:
		s.errand(ctx, s.lockDatabase)
	case actHelp:
		s.tell.print(plain, helpText)
	case actQuit:
		return errQuit
	}
	if err != nil {
		s.refuse(err)
	}
	return nil
}

// cbreak makes single keys readable without an echo. Ctrl-C still is a signal,
// and output is as ever. A read comes back within a fifth of a second, with
// nothing if nothing was typed. The function it returns puts all back.
func cbreak(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	now := *was
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 0, 2
	// To suspend the demo would freeze its client and not the agents; to quit
	// with a dump would leave the terminal as it is. 0 is no key.
	now.Cc[unix.VSUSP], now.Cc[unix.VQUIT] = 0, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &now); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETSF, was) }, nil // the terminal may be gone
}
