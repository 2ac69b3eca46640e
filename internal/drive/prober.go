package drive

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/hotcold/hotcold/internal/clock"
)

// probeWord is the command of a probing process.
const probeWord = "drive-probe"

// IsProbe tells whether args, an os.Args, are those of a probing process.
func IsProbe(args []string) bool { return len(args) >= 2 && args[1] == probeWord }

// ProbeArgs is how a program that calls ProbeMain is run as a probing process.
func ProbeArgs(program string) []string { return []string{program, probeWord} }

// ProbeMain is the probing process: it takes orders from its standard input, does
// them one after the other, and answers on its standard output, until the input ends.
// The lock of a hot agent is in here, and goes with the process.
func ProbeMain() int {
	k := &keeper{}
	defer k.close()
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var o Order
		switch err := in.Decode(&o); {
		case err == io.EOF:
			return 0
		case err != nil:
			fmt.Fprintln(os.Stderr, "hotcold: error: this command is for the agent alone, not for people:", err)
			return 2
		}
		if out.Encode(look(o, k, clock.System())) != nil {
			return 1 // the agent is gone
		}
	}
}

// prober is a probing process, seen from the agent.
type prober struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan Seen     // closed when it answers no more
	gone    chan struct{} // closed when it has been seen dead
}

// startProber starts one. It is in a process group of its own, so that Ctrl-C at a
// terminal does not end it before the node is dead.
func startProber(argv []string) (*prober, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir = "/" // it must not keep a drive from being unmounted
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start what looks at the drive: %w", err)
	}
	p := &prober{cmd: cmd, in: in, answers: make(chan Seen, 1), gone: make(chan struct{})}
	go p.read(out)
	return p, nil
}

// read passes answers on. It ends with the process, which nothing can hurry where it
// hangs in the kernel.
func (p *prober) read(out io.Reader) {
	defer close(p.gone)
	d := json.NewDecoder(bufio.NewReader(out))
	for {
		var s Seen
		if d.Decode(&s) != nil {
			break
		}
		p.answers <- s // one question, one answer: there is room
	}
	close(p.answers)
	_ = p.cmd.Wait() // however it ended, it is dead now
}

// ask sends an order. A process that is dead has its answers closed, and that tells.
func (p *prober) ask(o Order) {
	text, err := json.Marshal(o)
	if err != nil {
		panic("encode an order: " + err.Error()) // plain values cannot fail
	}
	_, _ = p.in.Write(append(text, '\n')) // an order fits into the pipe
}

// end tells it to end, at once.
func (p *prober) end() {
	p.in.Close()
	_ = p.cmd.Process.Kill() // an error means that it is dead
}

// dead tells whether it has been seen dead.
func (p *prober) dead() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}
