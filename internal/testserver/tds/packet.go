package tds

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf16"

	"github.com/hotcold/hotcold/internal/testserver/ledger"
)

// Packet types of a client's messages, and the one of a server's.
const (
	packetBatch     = 0x01
	packetRPC       = 0x03
	packetReply     = 0x04
	packetAttention = 0x06
	packetTM        = 0x0e
	packetLogin     = 0x10
	packetPrelogin  = 0x12
)

const (
	headerBytes   = 8
	lastPacket    = 0x01
	packetBytes   = 4096
	messageLimit  = 16 << 20
	shortTextMax  = 8000 // bytes of an nvarchar(n)
	noValue       = 0xffff
	unlimitedText = 0xffff
)

// Tokens of an answer.
const (
	tokenReturnStatus = 0x79
	tokenColumns      = 0x81
	tokenError        = 0xaa
	tokenInfo         = 0xab
	tokenLoginAck     = 0xad
	tokenRow          = 0xd1
	tokenEnvChange    = 0xe3
	tokenDone         = 0xfd
	tokenDoneProc     = 0xfe
	tokenDoneInProc   = 0xff
)

// Bits of a DONE token.
const (
	doneMore      = 0x01
	doneError     = 0x02
	doneCount     = 0x10
	doneAttention = 0x20
)

// Types of columns and parameters.
const (
	typeNull     = 0x1f
	typeIntN     = 0x26
	typeBitN     = 0x68
	typeNVarChar = 0xe7
)

// readMessage puts the packets of one message together.
func readMessage(r io.Reader) (kind byte, body []byte, err error) {
	for {
		var header [headerBytes]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return 0, nil, err
		}
		size := int(binary.BigEndian.Uint16(header[2:])) - headerBytes
		if size < 0 || len(body)+size > messageLimit {
			return 0, nil, fmt.Errorf("a packet of %d bytes", size)
		}
		part := make([]byte, size)
		if _, err := io.ReadFull(r, part); err != nil {
			return 0, nil, err
		}
		kind, body = header[0], append(body, part...)
		if header[1]&lastPacket != 0 {
			return kind, body, nil
		}
	}
}

// writeMessage cuts an answer into packets.
func writeMessage(w io.Writer, body []byte) error {
	var out []byte
	for n := byte(1); ; n++ {
		part := body[:min(len(body), packetBytes-headerBytes)]
		body = body[len(part):]
		status := byte(0)
		if len(body) == 0 {
			status = lastPacket
		}
		out = append(out, packetReply, status)
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)+headerBytes))
		out = append(append(out, 0, 0, n, 0), part...)
		if len(body) == 0 {
			_, err := w.Write(out)
			return err
		}
	}
}

var errShort = errors.New("a message ends too early")

// reader takes a message apart. Its first fault stays, and all after it is zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.err = nil, errShort
	}
	if r.err != nil {
		return make([]byte, min(max(n, 0), 8))
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return part
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

func decodeText(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

func encodeText(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

// skipHeaders leaves the headers of a batch, an RPC or a transaction's request out.
func (r *reader) skipHeaders() { r.take(int(r.u32()) - 4) }

// parameter reads the value of one parameter of an RPC.
func (r *reader) parameter() any {
	r.take(2 * int(r.u8())) // its name: the driver's are in order
	r.u8()                  // flags
	switch kind := r.u8(); kind {
	case typeNull:
		return nil
	case typeIntN:
		r.u8()
		return r.integer(int(r.u8()))
	case typeBitN:
		r.u8()
		if r.u8() == 0 {
			return nil
		}
		return r.u8() != 0
	case typeNVarChar:
		return r.text()
	default:
		r.err = fmt.Errorf("a parameter of type %#x", kind)
		return nil
	}
}

func (r *reader) integer(size int) any {
	switch size {
	case 0:
		return nil
	case 4:
		return int64(int32(r.u32()))
	case 8:
		return int64(r.u64())
	}
	r.err = fmt.Errorf("an integer of %d bytes", size)
	return nil
}

// text reads an nvarchar(n) or an nvarchar(max), which comes in chunks.
func (r *reader) text() any {
	limit := r.u16()
	r.take(5) // collation
	if limit != unlimitedText {
		size := r.u16()
		if size == noValue {
			return nil
		}
		return decodeText(r.take(int(size)))
	}
	if r.u64() == math.MaxUint64 {
		return nil
	}
	var all []byte
	for size := r.u32(); size != 0 && r.err == nil; size = r.u32() {
		all = append(all, r.take(int(size))...)
	}
	return decodeText(all)
}

// tokens are an answer in the making.
type tokens struct{ b []byte }

func (t *tokens) u8(v byte)    { t.b = append(t.b, v) }
func (t *tokens) u16(v uint16) { t.b = binary.LittleEndian.AppendUint16(t.b, v) }
func (t *tokens) u32(v uint32) { t.b = binary.LittleEndian.AppendUint32(t.b, v) }
func (t *tokens) u64(v uint64) { t.b = binary.LittleEndian.AppendUint64(t.b, v) }

// short is text with its number of characters in one byte.
func (t *tokens) short(s string) {
	b := encodeText(s)
	t.u8(byte(len(b) / 2))
	t.b = append(t.b, b...)
}

func (t *tokens) done(token byte, status uint16, rows int64) {
	t.u8(token)
	t.u16(status)
	t.u16(0)
	t.u64(uint64(rows))
}

// message is an ERROR or INFO token.
func (t *tokens) message(token byte, number int32, class byte, text string) {
	var m tokens
	m.u32(uint32(number))
	m.u8(1)
	m.u8(class)
	b := encodeText(text)
	m.u16(uint16(len(b) / 2))
	m.b = append(m.b, b...)
	m.short("test")
	m.short("")
	m.u32(1)
	t.u8(token)
	t.u16(uint16(len(m.b)))
	t.b = append(t.b, m.b...)
}

// transaction is the ENVCHANGE token of a transaction that began or ended.
func (t *tokens) transaction(kind byte, began, ended []byte) {
	t.u8(tokenEnvChange)
	t.u16(uint16(3 + len(began) + len(ended)))
	t.u8(kind)
	t.u8(byte(len(began)))
	t.b = append(t.b, began...)
	t.u8(byte(len(ended)))
	t.b = append(t.b, ended...)
}

var collation = []byte{0x09, 0x04, 0xd0, 0x00, 0x34}

func (t *tokens) columns(kinds []ledger.Kind) {
	t.u8(tokenColumns)
	t.u16(uint16(len(kinds)))
	for _, kind := range kinds {
		t.u32(0)
		t.u16(0x0009) // nullable, and may be updated
		switch kind {
		case ledger.Text, ledger.LongText:
			t.u8(typeNVarChar)
			if kind == ledger.LongText {
				t.u16(unlimitedText)
			} else {
				t.u16(shortTextMax)
			}
			t.b = append(t.b, collation...)
		case ledger.Number:
			t.u8(typeIntN)
			t.u8(8)
		case ledger.Truth:
			t.u8(typeBitN)
			t.u8(1)
		}
		t.u8(0) // no name
	}
}

func (t *tokens) row(kinds []ledger.Kind, values []any) {
	t.u8(tokenRow)
	for i, value := range values {
		switch kind := kinds[i]; v := value.(type) {
		case nil:
			t.null(kind)
		case string:
			t.text(kind, encodeText(v))
		case int64:
			t.u8(8)
			t.u64(uint64(v))
		case bool:
			t.u8(1)
			t.u8(map[bool]byte{true: 1}[v])
		}
	}
}

func (t *tokens) null(kind ledger.Kind) {
	switch kind {
	case ledger.LongText:
		t.u64(math.MaxUint64)
	case ledger.Text:
		t.u16(noValue)
	default:
		t.u8(0)
	}
}

func (t *tokens) text(kind ledger.Kind, b []byte) {
	if kind == ledger.Text {
		t.u16(uint16(len(b)))
		t.b = append(t.b, b...)
		return
	}
	t.u64(uint64(len(b)))
	if len(b) > 0 {
		t.u32(uint32(len(b)))
		t.b = append(t.b, b...)
	}
	t.u32(0)
}
