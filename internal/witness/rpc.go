package witness

import (
	"strconv"
	"strings"
	"syscall"
	"time"
)

// rpc answers one request on the RPC port.
func (s *server) rpc(line string) answer {
	if line == "status" {
		o := s.w.o
		return saying("ok instance=%s epoch=%d pid=%d state=ready writes=%d", o.Instance, o.Epoch, o.PID, s.w.record.written())
	}
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "harm" {
		return saying("err not a request: %q", line)
	}
	if s.w.o.Harm == nil {
		return saying("err harm is not allowed here")
	}
	return s.w.harm(words[1], strings.Join(words[2:], " "))
}

// harm makes the witness misbehave.
func (w *witness) harm(what, arg string) answer {
	switch what {
	case "exit":
		code, err := strconv.Atoi(arg)
		if err != nil {
			return saying("err exit wants a code, not %q", arg)
		}
		w.o.Harm.Exit(code)
	case "kill":
		w.o.Harm.Kill()
	case "hang":
		w.hang.Do(func() {
			close(w.hung)
			w.say("hangs") // the asker gets no answer any more
		})
	case "ignore-term":
		w.ignoreTerm.Store(true)
	case "slow-stop":
		d, err := time.ParseDuration(arg)
		if err != nil {
			return saying("err slow-stop wants a duration, not %q", arg)
		}
		w.slowStop.Store(int64(d))
	case "orphan":
		return w.bearOrphan(arg == "session")
	default:
		return saying("err no such harm: %q", what)
	}
	return saying("ok")
}

// bearOrphan starts a child and forgets it, as a bad launcher does.
func (w *witness) bearOrphan(session bool) answer {
	cmd := w.o.Harm.Orphan(w.record.family())
	if session {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if err := cmd.Start(); err != nil {
		return saying("err start the child: %v", err)
	}
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil {
		return saying("err let go of the child: %v", err)
	}
	return saying("ok %d", pid)
}
