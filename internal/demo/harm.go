package demo

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/witness"
)

// refusal says why a deed cannot be done just now. It may be done later.
type refusal struct{ err error }

func refused(format string, args ...any) error { return &refusal{fmt.Errorf(format, args...)} }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// target is the node that lives, and its machine.
func (s *show) target() (witness.Life, int, error) {
	l, ok := s.scene().alive()
	if !ok {
		return l, 0, refused("no node is alive just now")
	}
	i := s.index(l.Instance)
	if i < 0 {
		return l, 0, refused("%v is none of ours", l)
	}
	return l, i, nil
}

// excuse says why the other machine could not take over in time now.
func (s *show) excuse(hot int) string {
	other := 1 - hot
	s.mu.Lock()
	locked := s.locked
	s.mu.Unlock()
	switch v := s.scene().views[other]; {
	case locked:
		return "no database"
	case v.Paused:
		return "paused"
	case !s.keepers[other].able() || !v.able():
		return s.stage.machines[other].Name + " was not able"
	}
	return ""
}

// killNode kills the node's process, and nothing else.
func (s *show) killNode() error {
	l, i, err := s.target()
	if err != nil {
		return err
	}
	s.note(l.Instance+"'s node was killed", s.excuse(i))
	s.claimVictim(l)
	s.tell.say(harm, "%s's node is killed (SIGKILL)", l.Instance)
	return syscall.Kill(l.PID, syscall.SIGKILL)
}

// killAgent kills the agent beside the node that lives.
func (s *show) killAgent() error {
	l, i, err := s.target()
	if err != nil {
		return err
	}
	s.note(l.Instance+"'s agent was killed", s.excuse(i))
	if err := s.keepers[i].kill(false); err != nil {
		return refused("%s: %w", l.Instance, err)
	}
	s.tell.say(harm, "%s's agent is killed (SIGKILL): its guard has to end the node", l.Instance)
	return nil
}

// killMachine kills all at once, as a loss of power does.
func (s *show) killMachine() error {
	l, i, err := s.target()
	if err != nil {
		return err
	}
	s.note(l.Instance+" died", s.excuse(i))
	s.claimVictim(l)
	if err := s.keepers[i].kill(true); err != nil {
		return refused("%s: %w", l.Instance, err)
	}
	s.tell.say(harm, "%s dies: agent, guard and node are killed at once", l.Instance)
	return nil
}

func (s *show) claimVictim(l witness.Life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.victim[l.ID()] = true
}

// freeze stops the agent beside the node that lives.
func (s *show) freeze(ctx context.Context) error {
	l, i, err := s.target()
	if err != nil {
		return err
	}
	if s.keepers[i].isFrozen() {
		return refused("%s's agent is frozen already", l.Instance)
	}
	s.note(l.Instance+"'s agent was frozen", s.excuse(i))
	if err := s.keepers[i].freeze(ctx, s.stage.lease); err != nil {
		return refused("%s: %w", l.Instance, err)
	}
	s.tell.say(harm, "%s's agent is frozen (SIGSTOP): it renews no more, and its node lives on, for now", l.Instance)
	return nil
}

// thaw lets all frozen agents go on.
func (s *show) thaw() error {
	err := refused("no agent is frozen")
	for _, k := range s.keepers {
		if k.isFrozen() {
			err = k.thaw()
			s.tell.say(plain, "%s's agent goes on (SIGCONT): it has to find out what happened", k.m.Name)
		}
	}
	return err
}

// commandLimit bounds one command of hotcold.
const commandLimit = 30 * time.Second

// command runs a command of hotcold as a person would, and tells its answer.
func (s *show) command(ctx context.Context, name string) error {
	s.mu.Lock()
	busy := s.busy
	s.busy = true
	s.mu.Unlock()
	if busy {
		return refused("another command is still under way")
	}
	defer func() {
		s.mu.Lock()
		s.busy = false
		s.mu.Unlock()
	}()
	s.note(s.commandWords(name))
	s.tell.say(harm, "$ hotcold %s", name)
	answer, err := s.runCommand(ctx, name)
	if err == nil {
		s.tell.say(plain, "  %s", answer)
	}
	return err
}

// commandWords are the deed that a command is.
func (s *show) commandWords(name string) (what, excuse string) {
	switch name {
	case "switchover":
		l, i, err := s.target()
		if err != nil {
			return "switchover", "no node was alive"
		}
		return "switchover from " + l.Instance, s.excuse(i)
	case "pause":
		return "pause", "paused"
	}
	return name, ""
}

func (s *show) runCommand(ctx context.Context, name string) (string, error) {
	limited, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	var out, talk bytes.Buffer
	cmd := exec.CommandContext(limited, s.o.Executable, name, "--config", s.stage.machines[0].Conf)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.o.Environ, &out, &talk
	if err := s.nursery.start(cmd); err != nil {
		return "", err
	}
	err := s.nursery.wait(cmd)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", refused("hotcold %s: %w: %s", name, err, errorLine(talk.String()))
	}
	return lastLine(out.String()), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// errorLine finds what a command of hotcold says of its failure.
func errorLine(talk string) string {
	for line := range strings.Lines(talk) {
		if text, ok := strings.CutPrefix(line, "hotcold: error: "); ok {
			return strings.TrimSpace(text)
		}
	}
	return lastLine(talk)
}

// outage is how long the database is unreachable: long enough for trust to run
// out, with a second to see it.
func (s *show) outage() time.Duration { return 2*s.o.Wait + time.Second }

// lockDatabase keeps everybody else from the lease for a while: whoever wants
// to read or write an SQLite file waits for the one who locked it, in vain.
func (s *show) lockDatabase(ctx context.Context) error {
	s.mu.Lock()
	locked := s.locked
	s.locked = true
	s.mu.Unlock()
	if locked {
		return refused("the database is unreachable already")
	}
	defer func() {
		s.mu.Lock()
		s.locked = false
		s.mu.Unlock()
	}()
	db, err := s.o.Open(sqliteDSN(s.stage.lease))
	if err != nil {
		return fmt.Errorf("open the database of the lease: %w", err)
	}
	defer db.Close() // nothing was written
	conn, err := db.Conn(ctx)
	if err == nil {
		defer conn.Close()
		_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	}
	if err != nil {
		return refused("lock the database of the lease: %w", err)
	}
	s.note("the database was unreachable", "no database")
	s.tell.say(harm, "the database of the lease is unreachable for %s: nobody can renew, nobody can take over", seconds(s.outage()))
	_ = clock.Wait(ctx, s.o.Clock, s.outage()) // a lock that ends early does no harm
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		return fmt.Errorf("unlock the database of the lease: %w", err)
	}
	s.tell.say(plain, "the database answers again")
	return nil
}

// errand does what takes longer in the background and tells how it ended.
func (s *show) errand(ctx context.Context, do func(context.Context) error) {
	s.errands.Go(func() {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			s.refuse(err)
		}
	})
}

// refuse tells why something was not done.
func (s *show) refuse(err error) { s.tell.say(dim, "not done: %v", err) }
