package splice_test

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
	"github.com/hotcold/hotcold/internal/clock"
)

// bench is a path with the machine's clock and one rule, to a node of the benchmark's own.
func bench(b testing.TB, node func(*net.TCPConn)) (r *rig) {
	r = start(b, splice.Options{Clock: clock.System()})
	if node != nil {
		var work sync.WaitGroup
		b.Cleanup(work.Wait)
		r.serve(addressA, func(c *net.TCPConn) { work.Go(func() { node(c) }) })
	}
	r.apply(func(s *balancer.Setup) { s.Rules[0].IdleTimeout = time.Hour })
	r.steer(machineA(1), balancer.Old{})
	return r
}

func echo(c *net.TCPConn) {
	defer c.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		if _, err := c.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// eachWay measures through the path, and without it for comparison.
func eachWay(b *testing.B, node func(*net.TCPConn), measure func(b *testing.B, address string)) {
	b.Run("splice", func(b *testing.B) { measure(b, bench(b, node).frontend()) })
	b.Run("direct", func(b *testing.B) {
		r := bench(b, node)
		measure(b, netip.AddrPortFrom(addressA, uint16(r.back)).String())
	})
}

// BenchmarkConnect opens a connection, has one byte echoed and closes it. The difference of allocs/op to direct is what
// a connection costs the path.
func BenchmarkConnect(b *testing.B) {
	eachWay(b, echo, func(b *testing.B, address string) {
		b.ReportAllocs()
		b.SetParallelism(16)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			dial := net.Dialer{KeepAlive: -1}
			one := make([]byte, 1)
			for pb.Next() {
				c, err := dial.Dial("tcp", address)
				if err != nil {
					b.Error(err)
					return
				}
				// A reset leaves no port in TIME_WAIT, of which a benchmark would run out.
				_ = c.(*net.TCPConn).SetLinger(0)
				if _, err = c.Write(one); err == nil {
					_, err = io.ReadFull(c, one)
				}
				_ = c.Close()
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conn/s")
	})
}

// BenchmarkPingPong has 100 bytes echoed on one connection, one after the other.
func BenchmarkPingPong(b *testing.B) {
	eachWay(b, echo, func(b *testing.B, address string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		message := make([]byte, 100)
		b.ReportAllocs()
		var took []time.Duration
		for b.Loop() {
			began := time.Now()
			if _, err := c.Write(message); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, message); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	})
}

// BenchmarkBulk is what a client receives of a machine that writes as fast as it can.
func BenchmarkBulk(b *testing.B) {
	const piece = 1 << 20
	pour := func(c *net.TCPConn) {
		defer c.Close()
		data := make([]byte, piece)
		for {
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	}
	eachWay(b, pour, func(b *testing.B, address string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		data := make([]byte, piece)
		b.SetBytes(piece)
		for b.Loop() {
			if _, err := io.ReadFull(c, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// crowd are idle connections whose both ends are bare descriptors, so that what they cost is the path's. It returns what
// closes them.
func crowd(b testing.TB, r *rig, many int) (disperse func()) {
	b.Helper()
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	fds := []int{listener}
	disperse = func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: addressA.As4(), Port: r.back}); err != nil {
		b.Fatal(err)
	}
	if err := unix.Listen(listener, 128); err != nil {
		b.Fatal(err)
	}
	front := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: r.port}
	one := make([]byte, 1)
	for range many {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		fds = append(fds, client)
		if err := unix.Connect(client, front); err != nil {
			b.Fatal(err)
		}
		node, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			b.Fatal(err)
		}
		fds = append(fds, node)
		for _, ends := range [][2]int{{client, node}, {node, client}} {
			if _, err := unix.Write(ends[0], one); err != nil {
				b.Fatal(err)
			}
			if _, err := unix.Read(ends[1], one); err != nil {
				b.Fatal(err)
			}
		}
	}
	return disperse
}

// BenchmarkIdle is what an idle connection holds, after a byte each way.
func BenchmarkIdle(b *testing.B) {
	bytes, files := idleCost(b, 2000)
	b.ReportMetric(bytes, "B/conn")
	b.ReportMetric(files, "fds/conn")
}

func idleCost(t testing.TB, many int) (bytes, files float64) {
	r := bench(t, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	filesBefore := openFiles(t)
	disperse := crowd(t, r, many)
	r.until("all are open", func() bool { return r.flows().Open == many })
	runtime.GC()
	runtime.ReadMemStats(&after)
	bytes = float64(after.HeapInuse+after.StackInuse) - float64(before.HeapInuse+before.StackInuse)
	// One descriptor is the listener's; two of each connection are the ends of the test.
	files = float64(openFiles(t) - filesBefore - 1 - 2*many)
	r.stop()
	disperse()
	return bytes / float64(many), files / float64(many)
}

func TestAnIdleConnectionHoldsTwoDescriptorsAndNoBuffer(t *testing.T) {
	const many, bytesMost = 500, 2 << 10
	bytes, files := idleCost(t, many)
	if files > 2 {
		t.Errorf("%.2f descriptors for each connection, want 2", files)
	}
	if bytes > bytesMost && !raceDetector {
		t.Errorf("%.0f bytes for each connection, want at most %d", bytes, bytesMost)
	}
}

// The goal: bulk leaves nothing behind. The method: descriptors are counted before and after many connections at once
// have carried much.
func TestPipesAreGivenBackAfterBulk(t *testing.T) {
	const many = 100
	r, nodes := hot(t)
	var ends [many][2]*net.TCPConn
	for i := range many {
		ends[i][0], ends[i][1] = r.join(nodes)
	}
	files := openFiles(t)
	var work sync.WaitGroup
	for _, e := range ends {
		work.Go(func() {
			_, _ = e[0].Write(make([]byte, 4<<20))
			_ = e[0].CloseWrite()
		})
		work.Go(func() { _, _ = io.Copy(io.Discard, e[1]) })
	}
	work.Wait()
	// Each of two loops may keep 4 pipes of 2 descriptors.
	const spare = 2 * 4 * 2
	r.until("all is given back", func() bool { return openFiles(t) <= files+spare })
}
