package testserver

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
)

// brokerLimit bounds the wait for a broker: it starts in about 2 s on an idle
// machine, in ten times that on a busy one.
const brokerLimit = 90 * time.Second

// brokerReady stands in the line that the broker logs when its acceptors are open.
const brokerReady = "AMQ221007"

// A durable message that the broker acknowledged comes out of the other instance
// that is linked to the same data, after the first was killed.
func TestArtemisKeepsAcknowledgedMessagesThroughAKill(t *testing.T) {
	home := Artemis(t)
	dir := Dir(t)
	data := filepath.Join(dir, "share")
	one := home.CreateInstance(t, filepath.Join(dir, "one"), InstanceOptions{AMQPPort: FreePort(t), Data: data})
	two := home.CreateInstance(t, filepath.Join(dir, "two"), InstanceOptions{AMQPPort: FreePort(t), Data: data})

	first := startBroker(t, one)
	send(t, first.dial(t), "orders", "a durable order")
	first.end(t, syscall.SIGKILL)

	second := startBroker(t, two)
	if got := receive(t, second.dial(t), "orders"); got != "a durable order" {
		t.Fatalf("received %q", got)
	}
	second.end(t, syscall.SIGTERM)
	if len(readDir(t, filepath.Join(data, "journal"))) == 0 {
		t.Fatal("the journal is not in the shared directory")
	}
}

// broker is a running instance.
type broker struct {
	cmd    *exec.Cmd
	addr   string
	exited chan struct{}
}

// startBroker returns when the broker serves.
func startBroker(t *testing.T, i *ArtemisInstance) *broker {
	t.Helper()
	argv, dir, env := i.Command()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	log := &logTail{}
	ready := log.expect(brokerReady)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &broker{cmd: cmd, addr: i.Addr(), exited: make(chan struct{})}
	go func() {
		defer close(b.exited)
		_ = cmd.Wait() // the test looks at what the broker kept, not at its exit code
	}()
	t.Cleanup(func() {
		<-b.exited // the context of the test is over, so the broker is killed
		if t.Failed() {
			t.Logf("end of the broker's log:\n%s", log)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), brokerLimit)
	defer cancel()
	select {
	case <-ready:
	case <-b.exited:
		t.Fatal("the broker ended while starting")
	case <-ctx.Done():
		t.Fatalf("the broker is not ready after %v", brokerLimit)
	}
	return b
}

func (b *broker) dial(t *testing.T) *amqp.Conn {
	t.Helper()
	conn, err := amqp.Dial(t.Context(), "amqp://"+b.addr, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (b *broker) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), brokerLimit)
	defer cancel()
	select {
	case <-b.exited:
	case <-ctx.Done():
		t.Fatalf("the broker runs %v after %v", brokerLimit, sig)
	}
}

// send returns when the broker has acknowledged a durable message.
func send(t *testing.T, conn *amqp.Conn, queue, text string) {
	t.Helper()
	session, err := conn.NewSession(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := session.NewSender(t.Context(), queue, nil)
	if err != nil {
		t.Fatal(err)
	}
	message := amqp.NewMessage([]byte(text))
	message.Header = &amqp.MessageHeader{Durable: true}
	if err := sender.Send(t.Context(), message, nil); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn *amqp.Conn, queue string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), brokerLimit)
	defer cancel()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := session.NewReceiver(ctx, queue, nil)
	if err != nil {
		t.Fatal(err)
	}
	message, err := receiver.Receive(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.AcceptMessage(ctx, message); err != nil {
		t.Fatal(err)
	}
	return string(message.GetData())
}

func readDir(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
