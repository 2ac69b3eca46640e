package splice

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// sockets are two ends of a stream that do not block.
func sockets(t testing.TB) (a, b *side) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	return &side{fd: fds[0], readable: true, writable: true}, &side{fd: fds[1], readable: true, writable: true}
}

// The goal: whatever the pieces, and whatever is to be had of pipes, what goes in comes out, and what a flow holds is
// bounded and given back. The method: a mover between two real sockets whose writer and reader take random steps.
func TestAMoverCarriesAllInOrderAndKeepsNothing(t *testing.T) {
	for _, test := range []struct {
		name  string
		pipes int64
	}{{"through pipes", 4}, {"without a pipe", 0}} {
		t.Run(test.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 11))
			data := make([]byte, 8<<20)
			for i := range data {
				data[i] = byte(random.Uint32())
			}
			var pipeCount atomic.Int64
			m := newMover(pipes{count: &pipeCount, limit: test.pipes})
			writer, from := sockets(t)
			to, reader := sockets(t)
			var f flow
			var got bytes.Buffer
			sent := 0
			buffer := make([]byte, 1<<20)
			for !f.ended || f.waits() || got.Len() < len(data) {
				switch random.IntN(3) {
				case 0:
					if sent == len(data) {
						_ = unix.Shutdown(writer.fd, unix.SHUT_WR)
						from.readable = true
						break
					}
					if n, _ := unix.Write(writer.fd, data[sent:min(len(data), sent+1+random.IntN(1<<18))]); n > 0 {
						sent += n
						from.readable = true
					}
				case 1:
					if n, _ := unix.Read(reader.fd, buffer[:1+random.IntN(len(buffer))]); n > 0 {
						got.Write(buffer[:n])
						to.writable = true
					}
				case 2:
					if _, err := m.move(&f, from, to); err != nil {
						t.Fatal(err)
					}
					if held := len(f.held); held > bufferBytes {
						t.Fatalf("the flow holds %d bytes", held)
					}
					if !f.waits() && (f.pipe != nil || f.buffer != nil) {
						t.Fatal("the flow keeps what it has no use for")
					}
				}
			}
			if !bytes.Equal(got.Bytes(), data) || f.moved != uint64(len(data)) {
				t.Errorf("%d bytes of %d came out, %d were counted", got.Len(), len(data), f.moved)
			}
			m.pipes.close()
			if n := pipeCount.Load(); n != 0 {
				t.Errorf("%d pipes are left", n)
			}
		})
	}
}

func TestAPipeThatHoldsBytesOfOneConnectionIsNeverUsedForAnother(t *testing.T) {
	var count atomic.Int64
	p := pipes{count: &count, limit: 1}
	used := p.take(0)
	if used == nil {
		t.Skip("the kernel gives no pipe")
	}
	if p.take(0) != nil {
		t.Error("there is one more pipe than there may be")
	}
	used.held = 1
	p.give(used)
	if len(p.spare) != 0 || count.Load() != 0 {
		t.Errorf("%d are spare, %d counted", len(p.spare), count.Load())
	}
}

// In a pipe a reader may find all that was written.
func TestAPipeHoldsWhatItIsWorth(t *testing.T) {
	p := makePipe()
	if p == nil {
		t.Skip("the kernel gives no pipe")
	}
	in, out := os.NewFile(uintptr(p.in), "in"), os.NewFile(uintptr(p.out), "out")
	defer out.Close()
	if _, err := in.Write(make([]byte, pipeLeast)); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	if n, err := io.Copy(io.Discard, out); n != pipeLeast || err != nil {
		t.Errorf("%d bytes came out, %v", n, err)
	}
}
