package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	queue = "orders"
	// sendPause is between two messages: enough of them to hit every instant of a
	// takeover, few enough to be read again in a moment.
	sendPause = 5 * time.Millisecond
	// mailLimit bounds one exchange with a broker that may have died.
	mailLimit = 5 * time.Second
	// drainLimit bounds the reading of all messages of a round.
	drainLimit = 60 * time.Second
)

// mail is a client that sends durable messages to one address, all the time, and
// remembers which were acknowledged.
type mail struct {
	addr string

	mu       sync.Mutex
	acked    map[string]bool
	received map[string]bool
	sent     int
	lastErr  error
}

// startMail starts the client, which ends with the test.
func startMail(t testing.TB, addr string) *mail {
	m := &mail{addr: addr, acked: map[string]bool{}, received: map[string]bool{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan struct{})
	go func() {
		defer close(over)
		m.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	return m
}

func (m *mail) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := m.feed(ctx, m.addr)
		m.mu.Lock()
		m.lastErr = err
		m.mu.Unlock()
		_ = clock.Wait(ctx, clock.System(), lookPause) // the loop looks at ctx
	}
}

// feed sends to one broker until that goes wrong.
func (m *mail) feed(ctx context.Context, addr string) error {
	conn, session, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close() // it may be broken already
	attach, cancel := context.WithTimeout(ctx, mailLimit)
	defer cancel()
	sender, err := session.NewSender(attach, queue, nil)
	if err != nil {
		return err
	}
	for {
		if err := m.send(ctx, sender); err != nil {
			return err
		}
		if err := clock.Wait(ctx, clock.System(), sendPause); err != nil {
			return err
		}
	}
}

// send sends one message and counts it if the broker says that it keeps it.
func (m *mail) send(ctx context.Context, sender *amqp.Sender) error {
	m.mu.Lock()
	m.sent++
	id := fmt.Sprintf("order %d", m.sent)
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, mailLimit)
	defer cancel()
	message := amqp.NewMessage([]byte(id))
	message.Header = &amqp.MessageHeader{Durable: true}
	receipt, err := sender.SendWithReceipt(ctx, message, nil)
	if err != nil {
		return err
	}
	outcome, err := receipt.Wait(ctx)
	if err != nil {
		return err
	}
	if _, ok := outcome.(*amqp.StateAccepted); !ok {
		return fmt.Errorf("the broker did not accept %s: %T", id, outcome)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked[id] = true
	return nil
}

// count returns how many messages were acknowledged.
func (m *mail) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.acked)
}

// awaitMore waits until n more messages are acknowledged.
func (m *mail) awaitMore(t testing.TB, n int) {
	t.Helper()
	was := m.count()
	until(t, settleLimit, fmt.Sprintf("%d more messages to be acknowledged", n), func() (bool, string) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.acked) >= was+n, fmt.Sprintf("%d, the last error is %v", len(m.acked)-was, m.lastErr)
	})
}

// missing returns the messages that were acknowledged and have not come out.
func (m *mail) missing(acked map[string]bool) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id := range acked {
		if !m.received[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// drain reads the queue of a broker until all that was acknowledged so far has
// come out. What did not is lost, and fails the test.
func (m *mail) drain(t testing.TB, addr string) {
	t.Helper()
	m.mu.Lock()
	acked := make(map[string]bool, len(m.acked))
	for id := range m.acked {
		acked[id] = true
	}
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), drainLimit)
	defer cancel()
	err := m.read(ctx, addr, func() bool { return len(m.missing(acked)) == 0 })
	if lost := m.missing(acked); len(lost) > 0 {
		t.Fatalf("%d of %d acknowledged messages did not come out (%v), among them %s", len(lost), len(acked), err, lost[0])
	}
}

func (m *mail) read(ctx context.Context, addr string, enough func() bool) error {
	conn, session, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close() // the messages were settled one by one
	receiver, err := session.NewReceiver(ctx, queue, &amqp.ReceiverOptions{Credit: 200})
	if err != nil {
		return err
	}
	for !enough() {
		message, err := receiver.Receive(ctx, nil)
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.received[string(message.GetData())] = true
		m.mu.Unlock()
		if err := receiver.AcceptMessage(ctx, message); err != nil {
			return err
		}
	}
	return receiver.Close(ctx)
}

// dial opens a connection and a session.
func dial(ctx context.Context, addr string) (*amqp.Conn, *amqp.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, mailLimit)
	defer cancel()
	conn, err := amqp.Dial(ctx, "amqp://"+addr, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		return nil, nil, err
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, session, nil
}
