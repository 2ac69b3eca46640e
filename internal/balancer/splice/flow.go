package splice

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// bufferBytes is how much is read at once, and how much one direction may hold for a reader that does not keep up.
	bufferBytes = 64 << 10
	// bulkAfter full reads in a row a direction is bulk: it goes through a pipe.
	bulkAfter = 2
	// bulkLeast is what a splice has to carry for a direction to stay bulk.
	bulkLeast = 16 << 10
	// turnBytes is how much one direction may move before others have their turn.
	turnBytes = 4 << 20
)

// side is one end of a connection: a socket that does not block, and what is known of it.
type side struct {
	fd int
	// readable and writable stay true until the kernel has said otherwise: it tells of changes only.
	readable, writable bool
	// hungUp: the peer will send no more, so that reading has to go on until it says so.
	hungUp bool
	turn   int32 // what the loop knows it by while it is watched
}

// flow is one direction of a connection. It is empty-handed unless its reader does not keep up.
type flow struct {
	// held is what was read and could not be written, a part of buffer.
	held, buffer []byte
	pipe         *pipe
	// full counts full reads in a row, up to bulkAfter.
	full int
	// ended: the writer has said all. told: the reader knows.
	ended, told bool
	// moved counts the bytes that were written.
	moved uint64
}

// mover moves bytes for one loop. It owns what flows borrow.
type mover struct {
	scratch []byte
	spare   [][]byte
	pipes   pipes
	now     time.Duration
}

// buffersSpare is how many buffers a mover keeps for the next reader that does not keep up.
const buffersSpare = 64

func newMover(p pipes) *mover {
	return &mover{scratch: make([]byte, bufferBytes), pipes: p}
}

// move carries bytes from one side to the other until one of them has to be waited for. again says that it stopped only
// to let others have their turn. After an error the connection is of no more use.
func (m *mover) move(f *flow, from, to *side) (again bool, err error) {
	if f.ended && !f.waits() {
		return false, nil // everything that there was to say has been said
	}
	defer m.settle(f)
	for budget := turnBytes; budget > 0; {
		if f.waits() {
			if !to.writable {
				return false, nil
			}
			if err := m.flush(f, to); err != nil || f.waits() {
				return false, err
			}
		}
		if f.ended || !from.readable || !to.writable {
			return false, nil
		}
		n, err := m.carry(f, from, to)
		if err != nil {
			return false, err
		}
		budget -= n
	}
	return true, nil
}

// waits tells whether the flow holds bytes.
func (f *flow) waits() bool { return len(f.held) > 0 || f.pipe != nil && f.pipe.held > 0 }

// carry reads once and writes what it read.
func (m *mover) carry(f *flow, from, to *side) (int, error) {
	if f.full >= bulkAfter {
		if f.pipe == nil {
			f.pipe = m.pipes.take(m.now)
		}
		if f.pipe != nil {
			return m.splice(f, from, to)
		}
	}
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(from.fd, m.scratch) })
	switch {
	case err == unix.EAGAIN:
		from.readable = false
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		f.ended, from.readable = true, false
		return 0, nil
	}
	if n == len(m.scratch) {
		f.full = min(f.full+1, bulkAfter)
	} else {
		f.full = 0
		// A stream that gave less than it was asked for has no more; if it has by now, the kernel tells. What it does
		// not tell twice is that the peer hung up.
		from.readable = from.hungUp
	}
	return n, m.write(f, to, m.scratch[:n])
}

// write writes what it can and holds the rest.
func (m *mover) write(f *flow, to *side, data []byte) error {
	n, err := ignoringEINTR(func() (int, error) { return unix.Write(to.fd, data) })
	if err != nil && err != unix.EAGAIN {
		return err
	}
	n = max(n, 0)
	f.moved += uint64(n)
	if n < len(data) {
		to.writable = false
		m.hold(f, data[n:])
	}
	return nil
}

// hold keeps bytes for when the reader can take them.
func (m *mover) hold(f *flow, data []byte) {
	if f.buffer == nil {
		f.buffer = m.borrow()
	}
	f.held = f.buffer[:copy(f.buffer, data)]
}

// flush writes what is held.
func (m *mover) flush(f *flow, to *side) error {
	if f.pipe != nil && f.pipe.held > 0 {
		return m.drain(f, to)
	}
	n, err := ignoringEINTR(func() (int, error) { return unix.Write(to.fd, f.held) })
	if err != nil && err != unix.EAGAIN {
		return err
	}
	n = max(n, 0)
	f.moved += uint64(n)
	f.held = f.held[n:]
	if len(f.held) > 0 {
		to.writable = false
	}
	return nil
}

// splice moves bytes through a pipe, which the kernel can do without copying them.
func (m *mover) splice(f *flow, from, to *side) (int, error) {
	n, err := ignoringEINTR(func() (int, error) {
		n, err := unix.Splice(from.fd, nil, f.pipe.in, nil, pipeBytes, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		return int(n), err
	})
	switch {
	case err == unix.EAGAIN: // the pipe is empty, so it is the socket that has nothing
		from.readable = false
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		f.ended, from.readable = true, false
		return 0, nil
	}
	if n < bulkLeast {
		f.full = 0
	}
	f.pipe.held = n
	return n, m.drain(f, to)
}

// drain moves bytes from the pipe to the reader.
func (m *mover) drain(f *flow, to *side) error {
	for f.pipe.held > 0 {
		n, err := ignoringEINTR(func() (int, error) {
			n, err := unix.Splice(f.pipe.out, nil, to.fd, nil, f.pipe.held, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
			return int(n), err
		})
		if err == unix.EAGAIN {
			to.writable = false
			return nil
		}
		if err != nil {
			return err
		}
		f.pipe.held -= n
		f.moved += uint64(n)
	}
	return nil
}

// settle gives back what the flow does not need while it waits.
func (m *mover) settle(f *flow) {
	if f.pipe != nil && f.pipe.held == 0 {
		m.pipes.give(f.pipe)
		f.pipe = nil
	}
	if f.buffer != nil && len(f.held) == 0 {
		m.giveBuffer(f)
	}
}

// forget gives back all that a flow has, and what it held is lost.
func (m *mover) forget(f *flow) {
	if f.pipe != nil {
		m.pipes.give(f.pipe)
		f.pipe = nil
	}
	if f.buffer != nil {
		m.giveBuffer(f)
	}
}

func (m *mover) borrow() []byte {
	if n := len(m.spare); n > 0 {
		b := m.spare[n-1]
		m.spare = m.spare[:n-1]
		return b
	}
	return make([]byte, bufferBytes)
}

func (m *mover) giveBuffer(f *flow) {
	if len(m.spare) < buffersSpare {
		m.spare = append(m.spare, f.buffer)
	}
	f.buffer, f.held = nil, nil
}

// ignoringEINTR does it again when a signal came between.
func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}
