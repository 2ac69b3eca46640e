package splice

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pipeBytes is how much a pipe is asked to hold: as much as an unprivileged user may have.
	pipeBytes = 1 << 20
	// pipeLeast is what a pipe has to hold to be worth more than a buffer. Beyond a user's share the kernel gives two
	// pages.
	pipeLeast = 64 << 10
	// pipesSpare is how many empty pipes a loop keeps for the next bulk transfer.
	pipesSpare = 4
	// pipeRetry is how long a loop does without after the kernel gave none that is worth having.
	pipeRetry = time.Second
)

// pipe is where the kernel keeps bytes on their way from one socket to another.
type pipe struct {
	in, out int
	held    int // bytes in it
}

// pipes are those of one loop.
type pipes struct {
	spare []*pipe
	// count is how many there are in all loops together, limit how many there may be.
	count *atomic.Int64
	limit int64
	// notBefore is when the kernel may be asked again.
	notBefore time.Duration
}

// take returns an empty pipe, or nil where there is none to be had.
func (p *pipes) take(now time.Duration) *pipe {
	if n := len(p.spare); n > 0 {
		last := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return last
	}
	if now < p.notBefore {
		return nil
	}
	if p.count.Add(1) > p.limit {
		p.count.Add(-1)
		return nil
	}
	made := makePipe()
	if made == nil {
		p.count.Add(-1)
		p.notBefore = now + pipeRetry
	}
	return made
}

func makePipe() *pipe {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return nil
	}
	size, err := unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeBytes)
	if err != nil {
		size, err = unix.FcntlInt(uintptr(fds[0]), unix.F_GETPIPE_SZ, 0)
	}
	p := &pipe{in: fds[1], out: fds[0]}
	if err != nil || size < pipeLeast {
		p.close()
		return nil
	}
	return p
}

// give takes a pipe back. One that still holds bytes of a connection is closed: they must not come out elsewhere.
func (p *pipes) give(back *pipe) {
	if back.held == 0 && len(p.spare) < pipesSpare {
		p.spare = append(p.spare, back)
		return
	}
	back.close()
	p.count.Add(-1)
}

// close ends the spare ones.
func (p *pipes) close() {
	for _, s := range p.spare {
		s.close()
		p.count.Add(-1)
	}
	p.spare = nil
}

func (p *pipe) close() {
	_ = unix.Close(p.in)
	_ = unix.Close(p.out)
}
