package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// Stream tells where a line came from.
type Stream uint8

// The streams.
const (
	Stdout Stream = iota
	Stderr
	// Notice is a line of our own about the output, not one of the node.
	Notice
)

// String returns the stream's name.
func (s Stream) String() string {
	return [...]string{"stdout", "stderr", "notice"}[min(s, Notice)]
}

// Line is one line of output without its end.
type Line struct {
	Stream Stream
	Text   string
	// Wall is when it was read, for people.
	Wall time.Time
	// Cut means that the line goes on in the next Line of this stream.
	Cut bool
}

// Sink takes a node's output. Lines is called by one goroutine, with the lines
// of each stream in order; the slice is the sink's only until it returns. A
// sink that takes longer than a second loses lines: the node does not wait.
type Sink interface {
	Lines([]Line)
}

// SinkFunc is a function as a Sink.
type SinkFunc func([]Line)

// Lines calls f.
func (f SinkFunc) Lines(lines []Line) { f(lines) }

// Sinks gives each line to every sink in turn.
type Sinks []Sink

// Lines passes the lines on.
func (s Sinks) Lines(lines []Line) {
	for _, sink := range s {
		sink.Lines(lines)
	}
}

const (
	// lineLimit is where a line is cut: a program that never ends its line
	// must not fill our memory.
	lineLimit = 64 << 10
	// readSize is what is read at once.
	readSize = 32 << 10
	// queueLimit bounds the memory, in bytes, of what waits for a slow sink.
	// As much again may be in the sink's hands.
	queueLimit = 4 << 20
	// lineCost is what a line costs beside its text.
	lineCost = 64
	// sinkPatience is how long a full queue holds up the node. Beyond it lines
	// are dropped: a log that hangs must not stop the service.
	sinkPatience = time.Second
	// pipeSize is asked for each pipe; it rides out an agent that is busy.
	pipeSize = 256 << 10
	// tailLen and tailWidth bound the last words kept in Result.
	tailLen   = 20
	tailWidth = 1 << 10
	// sinkFlush is how long a sink may take for the last lines.
	sinkFlush = 2 * time.Second
)

// output reads a node's two pipes.
type output struct {
	clock clock.Clock
	sink  Sink
	files [2]*os.File
	more  chan struct{} // something waits for the sink
	room  chan struct{} // the sink has taken what waited
	read  chan struct{} // closed when both pipes were read to the end
	sunk  chan struct{} // closed when the sink has had all of it

	mu      sync.Mutex
	waiting []Line
	cost    int // of waiting, in bytes
	tail    []Line
	dropped int // lines, in all
	untold  int // lines dropped since the sink was last told
}

// newOutput begins to read the two pipes, which it owns from now on.
func newOutput(c clock.Clock, sink Sink, stdout, stderr int) *output {
	if sink == nil {
		sink = SinkFunc(func([]Line) {})
	}
	o := &output{clock: c, sink: sink, more: make(chan struct{}, 1), room: make(chan struct{}, 1),
		read: make(chan struct{}), sunk: make(chan struct{})}
	o.files = [2]*os.File{os.NewFile(uintptr(stdout), "stdout"), os.NewFile(uintptr(stderr), "stderr")}
	var readers sync.WaitGroup
	readers.Go(func() { o.follow(Stdout, o.files[0]) })
	readers.Go(func() { o.follow(Stderr, o.files[1]) })
	go func() {
		readers.Wait()
		close(o.read)
	}()
	go o.deliver()
	return o
}

// follow reads one pipe to its end.
func (o *output) follow(s Stream, f *os.File) {
	defer f.Close()
	buf := make([]byte, readSize)
	split := splitter{stream: s}
	for {
		n, err := f.Read(buf)
		o.put(split.add(buf[:n], o.clock.Now().Wall))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.rest(&split, f, buf)
		}
		if err != nil {
			o.put(split.flush(o.clock.Now().Wall))
			return
		}
	}
}

// rest reads what a pipe still holds without waiting: the node is dead, and
// whoever else may hold the other end is not ours to wait for.
func (o *output) rest(split *splitter, f *os.File, buf []byte) {
	raw, err := f.SyscallConn()
	if err != nil || f.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for range 2 * pipeSize / readSize {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = unix.Read(int(fd), buf)
			return true
		})
		if err != nil || n <= 0 {
			return
		}
		o.put(split.add(buf[:n], o.clock.Now().Wall))
	}
}

// put queues lines for the sink, waiting for it only so long.
func (o *output) put(lines []Line) {
	if len(lines) == 0 {
		return
	}
	taken, late := o.offer(lines, true)
	if taken || late {
		return // a sink that was too slow is not waited for again until it takes something
	}
	t := o.clock.Timer(o.clock.Now().Boot + sinkPatience)
	defer t.Stop()
	for !taken {
		select {
		case <-o.room:
			taken, _ = o.offer(lines, false)
		case <-t.C():
			o.drop(len(lines))
			return
		}
	}
}

// offer queues the lines if there is room. The first offer of some lines also
// remembers them for the tail, and drops them if others were dropped before.
func (o *output) offer(lines []Line, first bool) (taken, late bool) {
	cost := 0
	for _, l := range lines {
		cost += len(l.Text) + lineCost
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if first {
		o.tail = append(o.tail, lines[max(0, len(lines)-tailLen):]...)
		o.tail = o.tail[max(0, len(o.tail)-tailLen):]
	}
	if len(o.waiting) > 0 && o.cost+cost > queueLimit {
		if late = o.untold > 0; first && late {
			o.dropped += len(lines)
			o.untold += len(lines)
		}
		return false, late
	}
	o.waiting, o.cost = append(o.waiting, lines...), o.cost+cost
	nudge(o.more)
	nudge(o.room) // the other stream may wait too
	return true, false
}

func (o *output) drop(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropped += n
	o.untold += n
}

// take empties the queue.
func (o *output) take() []Line {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.waiting
	o.waiting, o.cost = nil, 0
	nudge(o.room)
	return lines
}

// deliver hands the queue to the sink.
func (o *output) deliver() {
	defer close(o.sunk)
	for open := true; open; {
		select {
		case <-o.more:
		case <-o.read:
			open = false
		}
		if lines := o.take(); len(lines) > 0 {
			o.sink.Lines(lines)
		}
		o.tellDropped()
	}
}

func (o *output) tellDropped() {
	o.mu.Lock()
	n := o.untold
	o.untold = 0
	o.mu.Unlock()
	if n > 0 {
		text := fmt.Sprintf("hotcold: %d lines of output were dropped because they could not be written fast enough", n)
		o.sink.Lines([]Line{{Stream: Notice, Text: text, Wall: o.clock.Now().Wall}})
	}
}

// settle makes the readers end once they have read what there is.
func (o *output) settle() {
	for _, f := range o.files {
		// A reader that has ended by itself has closed its file: fine.
		_ = f.SetReadDeadline(time.Unix(1, 0))
	}
}

// last returns the last lines, shortened, and how many lines were dropped.
func (o *output) last() ([]Line, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tail := make([]Line, len(o.tail))
	for i, l := range o.tail {
		l.Text = l.Text[:min(len(l.Text), tailWidth)]
		tail[i] = l
	}
	return tail, o.dropped
}

// splitter cuts a stream into lines.
type splitter struct {
	stream Stream
	part   []byte
}

func (s *splitter) add(b []byte, wall time.Time) []Line {
	var lines []Line
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		room := lineLimit - len(s.part)
		switch {
		case end >= 0 && end <= room:
			lines = append(lines, s.line(b[:end], wall, false))
			b = b[end+1:]
		case len(b) > room:
			lines = append(lines, s.line(b[:room], wall, true))
			b = b[room:]
		default:
			s.part = append(s.part, b...)
			b = nil
		}
	}
	return lines
}

func (s *splitter) line(end []byte, wall time.Time, cut bool) Line {
	text := string(end)
	if len(s.part) > 0 {
		text = string(append(s.part, end...))
		s.part = s.part[:0]
	}
	return Line{Stream: s.stream, Text: text, Wall: wall, Cut: cut}
}

// flush returns what stands without a line end.
func (s *splitter) flush(wall time.Time) []Line {
	if len(s.part) == 0 {
		return nil
	}
	return []Line{s.line(nil, wall, false)}
}

// Console writes lines to a stream such as the agent's own standard output.
type Console struct {
	// W is written to.
	W io.Writer
	// Journal puts a syslog level before each line, as systemd's journal
	// reads it: info for standard output, notice for standard error, warning
	// for lines of our own.
	Journal bool
}

// Lines writes the lines in one call. An error is not reported: there is no
// other place to say it, and the node goes on.
func (c Console) Lines(lines []Line) {
	var b bytes.Buffer
	for _, l := range lines {
		if c.Journal {
			b.WriteString([...]string{"<6>", "<5>", "<4>"}[min(l.Stream, Notice)])
		}
		b.WriteString(l.Text)
		b.WriteByte('\n')
	}
	_, _ = c.W.Write(b.Bytes())
}
