package tds

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/hotcold/hotcold/internal/testserver/ledger"
)

// session is one connection, from its first packet to its end. One goroutine
// reads, so that an attention is heard while a statement waits; another works.
type session struct {
	server    *Server
	conn      net.Conn
	messages  chan message
	attention chan struct{} // holds one
	gone      chan struct{} // closed when the client is
	begun     bool          // a transaction of the driver's
	pending   []string      // its statements
	next      uint64        // number of the next transaction
}

type message struct {
	kind byte
	body []byte
}

func newSession(s *Server, conn net.Conn) *session {
	return &session{server: s, conn: conn, messages: make(chan message, 1), attention: make(chan struct{}, 1), gone: make(chan struct{}), next: 1}
}

// serve works until the client goes or the server drops it.
func (s *session) serve() {
	var reading sync.WaitGroup
	reading.Go(s.read)
	defer reading.Wait()
	defer s.conn.Close()
	if !s.greet() {
		drain(s.messages)
		return
	}
	for m := range s.messages {
		answer, goOn := s.work(m)
		if answer != nil && writeMessage(s.conn, answer) != nil || !goOn {
			break
		}
	}
	_ = s.conn.Close() // ends the reader, which may wait to hand something over
	drain(s.messages)
}

func drain(messages chan message) {
	for range messages {
	}
}

func (s *session) read() {
	defer close(s.messages)
	defer close(s.gone)
	for {
		kind, body, err := readMessage(s.conn)
		if err != nil {
			return
		}
		if kind == packetAttention {
			s.server.begun("attention")
			select {
			case s.attention <- struct{}{}:
			default:
			}
		}
		s.messages <- message{kind, body}
	}
}

// greet is PRELOGIN and LOGIN7.
func (s *session) greet() bool {
	m, ok := <-s.messages
	if !ok || m.kind != packetPrelogin {
		return false
	}
	if writeMessage(s.conn, preloginAnswer()) != nil {
		return false
	}
	if m, ok = <-s.messages; !ok || m.kind != packetLogin {
		return false
	}
	var t tokens
	refusal := s.refused(m.body)
	if refusal != nil {
		t.message(tokenError, refusal.Number, refusal.Class, refusal.Text)
		t.done(tokenDone, doneError, 0)
		_ = writeMessage(s.conn, t.b) // it is refused in any case
		_ = s.conn.Close()
		return false
	}
	t.message(tokenInfo, 5701, 10, "Changed database context to '"+database+"'.")
	program := encodeText("Test Server")
	t.u8(tokenLoginAck)
	t.u16(uint16(1 + 4 + 1 + len(program) + 4))
	t.u8(1)
	t.b = append(t.b, 0x74, 0, 0, 4)
	t.u8(byte(len(program) / 2))
	t.b = append(t.b, program...)
	t.b = append(t.b, 16, 0, 0, 0)
	t.done(tokenDone, 0, 0)
	return writeMessage(s.conn, t.b) == nil
}

// preloginAnswer says which version we are and that we know no encryption.
func preloginAnswer() []byte {
	const version, encryption, end, notSupported = 0, 1, 0xff, 2
	options := []byte{version, 0, 11, 0, 6, encryption, 0, 17, 0, 1, end}
	return append(options, 16, 0, 0, 0, 0, 0, notSupported)
}

// refused reads the login and says why it is none.
func (s *session) refused(body []byte) *Failure {
	field := func(at int) string { // offset and length in characters stand at a fixed place
		if len(body) < at+4 {
			return ""
		}
		from, size := int(binary.LittleEndian.Uint16(body[at:])), 2*int(binary.LittleEndian.Uint16(body[at+2:]))
		if from+size > len(body) {
			return ""
		}
		return string(body[from : from+size])
	}
	const userAt, passwordAt, databaseAt = 40, 44, 68
	plain := []byte(field(passwordAt))
	for i, b := range plain { // the obfuscation of the protocol
		b ^= 0xa5
		plain[i] = b<<4 | b>>4
	}
	s.server.mu.Lock()
	refusal := s.server.refusal
	s.server.mu.Unlock()
	switch {
	case refusal != nil:
		return refusal
	case decodeText([]byte(field(userAt))) != user || decodeText(plain) != password:
		return &Failure{18456, 14, "Login failed for user."}
	case decodeText([]byte(field(databaseAt))) != database:
		return &Failure{4060, 11, "Cannot open database requested by the login. The login failed."}
	}
	return nil
}

// work does one message and tells whether the connection goes on.
func (s *session) work(m message) (answer []byte, goOn bool) {
	r := &reader{b: m.body}
	switch m.kind {
	case packetBatch:
		r.skipHeaders()
		return s.statement(decodeText(r.b), nil, false)
	case packetRPC:
		r.skipHeaders()
		text, args, err := call(r)
		if err != nil {
			s.server.t.Errorf("the test server cannot read an RPC: %v", err)
			return nil, false
		}
		return s.statement(text, args, true)
	case packetTM:
		r.skipHeaders()
		return s.transaction(r.u16())
	case packetAttention:
		select { // the answer was sent before the attention came
		case <-s.attention:
			return attended(), true
		default: // it ended the statement before, and was answered there
			return nil, true
		}
	}
	s.server.t.Errorf("the test server was sent a packet of type %#x", m.kind)
	return nil, false
}

// call reads sp_executesql: the statement, the declaration of its parameters, and those.
func call(r *reader) (text string, args []any, err error) {
	const byNumber, executeSQL = 0xffff, 10
	if r.u16() != byNumber || r.u16() != executeSQL {
		return "", nil, errors.New("it is not sp_executesql")
	}
	r.u16() // options
	text, _ = r.parameter().(string)
	r.parameter()
	for len(r.b) > 0 && r.err == nil {
		args = append(args, r.parameter())
	}
	return text, args, r.err
}

func attended() []byte {
	var t tokens
	t.done(tokenDone, doneAttention, 0)
	return t.b
}

// statement runs one, with the faults that a test asked for.
func (s *session) statement(text string, args []any, rpc bool) ([]byte, bool) {
	name, err := s.server.Name(canonical(text))
	if err != nil {
		s.server.set(func() { s.server.unknown = append(s.server.unknown, text) })
		return failed(numbered(err), rpc), true
	}
	failure, mute, held, impatient := s.server.begun(name)
	if failure != nil {
		return failed(*failure, rpc), failure.Class < 20
	}
	if held != nil && waits(name) {
		if impatient {
			return failed(Failure{1222, 16, "Lock request time out period exceeded."}, rpc), true
		}
		select {
		case <-held:
		case <-s.attention:
			return attended(), true
		case <-s.gone: // and what it asked for with it
			return nil, false
		}
	}
	if s.begun {
		if err := s.server.Allowed(ledgerName(name)); err != nil {
			return failed(numbered(err), rpc), true
		}
		s.pending = append(s.pending, name)
		return answered(ledger.Answer{}, rpc), true
	}
	if p, found := s.server.preparedFor(name); found {
		if p.Failure != nil {
			return failed(*p.Failure, rpc), true
		}
		return answered(p.answer(), rpc), true
	}
	answer, own := s.server.described(name, text)
	if !own {
		answer, own, err = s.server.fenced(ledgerName(name), args)
	}
	if !own {
		answer, err = s.server.Run(ledgerName(name), args)
	}
	if err != nil {
		return failed(numbered(err), rpc), true
	}
	if strings.HasSuffix(ledgerName(name), "+signal") && answer.Columns == nil {
		answer = ledger.Answer{Columns: []ledger.Kind{ledger.Number}, Rows: [][]any{{answer.Changed}}}
	}
	begun := strings.HasSuffix(ledgerName(name), "+signal")
	var t tokens
	if begun { // what the batch says of its own transaction, before its row
		id := binary.LittleEndian.AppendUint64(nil, s.next)
		s.next++
		t.transaction(8, id, nil)
		t.done(tokenDoneInProc, doneMore|doneCount, answer.Changed)
		t.transaction(9, nil, id)
	}
	if mute {
		_ = s.conn.Close()
		return nil, false
	}
	return append(t.b, answered(answer, rpc)...), true
}

// waits tells which statements a lock holds up.
func waits(name string) bool {
	act, _ := strings.CutSuffix(name, "+signal")
	return act == "claim" || act == "renew"
}

// ledgerName leaves out which of the statements of the set-up it is, and which
// spelling of a statement.
func ledgerName(name string) string {
	name, _, _ = strings.Cut(name, "#")
	return name
}

// canonical leaves out what differs with a setting: the limit of a wait for a lock.
func canonical(text string) string {
	const mark = "SET LOCK_TIMEOUT "
	head, tail, found := strings.Cut(text, mark)
	if !found {
		return text
	}
	_, tail, _ = strings.Cut(tail, ";")
	return head + mark + "0;" + tail
}

func failed(f Failure, rpc bool) []byte {
	var t tokens
	t.message(tokenError, f.Number, f.Class, f.Text)
	token := byte(tokenDone)
	if rpc {
		token = tokenDoneProc
	}
	t.done(token, doneError, 0)
	return t.b
}

// answered writes rows or a count. In an RPC those come before the end of the procedure.
func answered(a ledger.Answer, rpc bool) []byte {
	var t tokens
	n := a.Changed
	if a.Columns != nil {
		t.columns(a.Columns)
		for _, row := range a.Rows {
			t.row(a.Columns, row)
		}
		n = int64(len(a.Rows))
	}
	if !rpc {
		t.done(tokenDone, doneCount, n)
		return t.b
	}
	t.done(tokenDoneInProc, doneMore|doneCount, n)
	t.u8(tokenReturnStatus)
	t.u32(0)
	t.done(tokenDoneProc, 0, 0)
	return t.b
}

// transaction is a request to the transaction manager.
func (s *session) transaction(request uint16) ([]byte, bool) {
	const begin, commit, rollback = 5, 7, 8
	var t tokens
	id := binary.LittleEndian.AppendUint64(nil, s.next)
	switch request {
	case begin:
		s.begun = true
		t.transaction(8, id, nil)
	case commit, rollback:
		done := s.pending
		s.begun, s.pending = false, nil
		s.next++
		if request == rollback {
			t.transaction(10, nil, id)
			break
		}
		for _, name := range done {
			if name == "schemaLock" {
				continue
			}
			if _, err := s.server.Run(ledgerName(name), nil); err != nil {
				return failed(numbered(err), false), true
			}
		}
		t.transaction(9, nil, id)
	default:
		s.server.t.Errorf("the test server was sent the transaction request %d", request)
		return nil, false
	}
	t.done(tokenDone, 0, 0)
	return t.b, true
}
