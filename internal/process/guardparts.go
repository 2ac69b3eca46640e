package process

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// talker sends reports to the agent without ever making the guard wait: an
// agent that is stopped does not read.
type talker struct {
	queue chan report
	done  chan struct{}
}

// talkQueue is more than all the reports that one node gives rise to.
const talkQueue = 64

func newTalker(w io.Writer) *talker {
	t := &talker{queue: make(chan report, talkQueue), done: make(chan struct{})}
	go func() {
		defer close(t.done)
		enc := json.NewEncoder(w)
		for r := range t.queue {
			// An error means that the agent is gone, which is seen elsewhere.
			_ = enc.Encode(r)
		}
	}()
	return t
}

func (t *talker) send(r report) {
	select {
	case t.queue <- r:
	default: // the agent has not read for a long time: it counts by itself
	}
}

func (t *talker) note(at time.Duration, text string) {
	t.send(report{Kind: reportNote, At: at, Text: text})
}

func (t *talker) close() <-chan struct{} {
	close(t.queue)
	return t.done
}

// recorder writes the state file. A disk that hangs must not keep the guard
// from its deadline, so it has a goroutine of its own.
type recorder struct {
	queue chan record
	done  chan struct{}
}

func newRecorder(path string) *recorder {
	r := &recorder{queue: make(chan record, 2), done: make(chan struct{})} // once alive, once dead
	go func() {
		defer close(r.done)
		for rec := range r.queue {
			// Without the file Clean proves less and finds as much.
			_ = rec.write(path)
		}
	}()
	return r
}

func (r *recorder) put(rec record)         { r.queue <- rec }
func (r *recorder) close() <-chan struct{} { close(r.queue); return r.done }

// sweeper kills all descendants of this process, in a goroutine of its own, but
// for the last resort.
type sweeper struct {
	cg     atomic.Pointer[cgroup]
	spared atomic.Int64 // pid of the last resort, or one of those below
	busy   atomic.Bool
	passes int // so far; belongs to the caller of trigger
}

const (
	nobody    = 0
	launching = -1 // it may be there already, under a number that is not known yet
)

// quickPasses is how many passes leave out the look through /proc. The cgroup,
// or the process group, is most often all of the tree and gone by then.
const quickPasses = 2

func newSweeper(cg cgroup) *sweeper {
	s := &sweeper{}
	s.use(cg)
	return s
}

// use says which cgroup is the node's.
func (s *sweeper) use(cg cgroup) { s.cg.Store(&cg) }

// spare names the process that is left alone. It says launching before that is
// forked: a pass that is under way would kill what it does not know.
func (s *sweeper) spare(pid int) { s.spared.Store(int64(pid)) }

// trigger starts a pass unless one is under way.
func (s *sweeper) trigger() {
	if !s.busy.CompareAndSwap(false, true) {
		return
	}
	s.passes++
	cg := *s.cg.Load()
	thorough := s.passes > quickPasses || (s.passes > 1 && cg == "")
	go func() {
		defer s.busy.Store(false)
		// What a pass could not do is tried by the next one, and what is
		// left at the deadline is reported: no error is handled here.
		_ = cg.kill()
		if thorough {
			s.killDescendants(os.Getpid())
		}
	}()
}

// sweepRounds bounds one pass against a program that forks faster than it is
// killed; the next pass goes on.
const sweepRounds = 32

// killDescendants kills every process that descends from root, looking again
// until nobody new has appeared.
func (s *sweeper) killDescendants(root int) {
	seen := map[ident]bool{}
	for range sweepRounds {
		t, err := readTable()
		if err != nil {
			return
		}
		// After the look: what was forked since then is not in it.
		spare := int(s.spared.Load())
		if spare == launching {
			return // the next pass goes on
		}
		found := false
		for _, p := range t.oldestFirst() {
			child := t.childOf(root, p.pid)
			if child == 0 || child == spare || p.dead() || seen[p.ident()] {
				continue
			}
			found, seen[p.ident()] = true, true
			_ = p.ident().kill()
		}
		if !found {
			return
		}
	}
}

// remaining describes what is left below root and in the cgroup.
func remaining(root int, cg cgroup) ([]Leftover, error) {
	t, err := readTable()
	if err != nil {
		return nil, err
	}
	ids, err := cg.processes()
	in := map[int]bool{}
	for _, id := range ids {
		in[id.PID] = true
	}
	var left []Leftover
	for pid, p := range t {
		if !p.dead() && (in[pid] || t.childOf(root, pid) != 0) {
			left = append(left, leftover(p))
		}
	}
	return left, err
}

// watchEmpty returns a channel that is closed when the cgroup is seen empty.
func (c cgroup) watchEmpty() <-chan struct{} {
	empty := make(chan struct{})
	go func() {
		defer close(empty)
		c.awaitEmpty(func() bool { return false })
	}()
	return empty
}

// eventsPoll is how often the cgroup is looked at even if the kernel says
// nothing: a wake-up lost must not cost more than this.
const eventsPoll = 10 * time.Millisecond

// awaitEmpty blocks until the cgroup is empty or over says so.
func (c cgroup) awaitEmpty(over func() bool) {
	fd, err := unix.Open(string(c)+"/cgroup.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(fd)
	} else {
		fd = -1 // poll ignores it and only waits
	}
	for !over() {
		if alive, _ := c.populated(); !alive {
			return
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, int(eventsPoll/time.Millisecond))
		if fd >= 0 {
			var b [256]byte
			_, _ = unix.Pread(fd, b[:], 0) // reading arms the next POLLPRI
		}
	}
}

// valve throws output away where nobody reads it and the node has to end, so
// that a node which writes while it shuts down is not held up by a full pipe.
type valve struct {
	lost atomic.Bool
}

// valvePeriod is how often a full pipe is looked for.
const valvePeriod = 20 * time.Millisecond

// newValve opens the valve for the rest of the guard's life.
func newValve(c clock.Clock, fds ...int) *valve {
	v := &valve{}
	go func() {
		t := c.Timer(c.Now().Boot)
		defer t.Stop()
		buf := make([]byte, 64<<10)
		for {
			<-t.C()
			for _, fd := range fds {
				v.drain(fd, buf)
			}
			t.Reset(c.Now().Boot + valvePeriod)
		}
	}()
	return v
}

// agentLost makes the valve take all output: nobody else will.
func (v *valve) agentLost() { v.lost.Store(true) }

// drain empties a pipe that is more than half full. An agent that works keeps
// it emptier than that, and then nothing is lost.
func (v *valve) drain(fd int, buf []byte) {
	waiting, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return
	}
	size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil || (!v.lost.Load() && waiting < size/2) {
		return
	}
	for waiting > 0 {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		waiting -= n
	}
}
