package balancer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	// WordHeartbeat is how often an agent says at least something to a stream: often enough that a connection that
	// died in silence is found before a holder's trust would end.
	WordHeartbeat = time.Second
	// WordStreamLife is how long one answer goes on. Each request pins the agent's clock to ours anew, so the life
	// bounds how far they may drift apart: at half a per cent, which no clock reaches, by 150 ms.
	WordStreamLife = 30 * time.Second
	// WordLimitBytes bounds one line of a stream.
	WordLimitBytes = 4 << 10
	// wordTextLimitBytes bounds each text in it.
	wordTextLimitBytes = 512
	// wordTimeLimit bounds a span in it: longer than any lease, and far from what overflows.
	wordTimeLimit = 24 * time.Hour
)

// Word is what an agent says of its machine at one moment: one line of the answer to GET /hot?watch. A line is a JSON
// object; fields are only ever added.
type Word struct {
	// Lease and Machine are whom it speaks of.
	Lease, Machine string
	// State is the agent's, and Ready whether its node answers (hot), or could be started (cold).
	State string
	Ready bool
	// Hot: traffic may be sent there.
	Hot bool
	// Epoch is that of the term in which it is hot, or the last one that the agent has seen.
	Epoch uint64
	// Trust is for how long it stays hot without another renewal, counted from when this was said.
	Trust time.Duration
	// Held is how long the agent had had the request by then. An agent cannot have said this earlier than Held after
	// the request was sent, so Held dates a word that was late on its way.
	Held time.Duration
	// Why is the reason why it is not hot.
	Why string
}

// line is a Word on the wire. Spans are whole milliseconds, rounded down: a word that seems older, and that may be
// believed for a shorter time, errs on the safe side.
type line struct {
	Lease   string `json:"lease"`
	Machine string `json:"machine"`
	State   string `json:"state"`
	Ready   bool   `json:"ready"`
	Hot     bool   `json:"hot"`
	Epoch   uint64 `json:"epoch"`
	TrustMs int64  `json:"trustMs"`
	HeldMs  int64  `json:"heldMs"`
	Why     string `json:"why,omitempty"`
}

// Line is the word as one line, with its end. Texts that are too long are cut.
func (w Word) Line() []byte {
	b, err := json.Marshal(line{
		Lease: w.Lease, Machine: w.Machine, State: short(w.State), Ready: w.Ready, Hot: w.Hot, Epoch: w.Epoch,
		TrustMs: max(0, w.Trust.Milliseconds()), HeldMs: max(0, w.Held.Milliseconds()), Why: short(w.Why),
	})
	if err != nil {
		panic("write a word as JSON: " + err.Error()) // strings, numbers and booleans cannot fail
	}
	return append(b, '\n')
}

// short cuts a text where a character ends. JSON may need six bytes for each byte: cut like this, a word fits a line.
func short(s string) string {
	n := wordTextLimitBytes / 4
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// ParseWord reads one line. It wants every field that decides anything, once and in its own spelling; what it does not
// know it passes over, since an agent may be newer than its balancer.
func ParseWord(text []byte) (Word, error) {
	if len(text) > WordLimitBytes {
		return Word{}, fmt.Errorf("a word of %d bytes: at most %d are read", len(text), WordLimitBytes)
	}
	if !utf8.Valid(text) {
		return Word{}, errors.New("a word that is not UTF-8")
	}
	fields, err := object(text)
	if err != nil {
		return Word{}, fmt.Errorf("a word that is not a JSON object of texts, numbers and booleans: %w", err)
	}
	r := reader{fields: fields}
	w := Word{
		Lease: r.text("lease"), Machine: r.text("machine"), State: r.text("state"),
		Ready: r.truth("ready"), Hot: r.truth("hot"),
		Epoch: r.number("epoch", math.MaxInt64), // what a database can hold
		Trust: r.span("trustMs"), Held: r.span("heldMs"),
	}
	if _, said := fields["why"]; said {
		w.Why = r.text("why")
	}
	if r.err == nil && w.Hot && !w.Ready {
		r.err = errors.New("hot, and not ready")
	}
	if r.err != nil {
		return Word{}, fmt.Errorf("a word that makes no sense: %w", r.err)
	}
	return w, nil
}

// object reads a flat JSON object. Package json would take a field twice, and in any case of letters.
func object(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("no object")
	}
	fields := map[string]any{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok {
			return nil, errors.New("a field without a name")
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("%.40q stands there twice", name)
		}
		value, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, nested := value.(json.Delim); nested {
			return nil, fmt.Errorf("%.40q holds more than one value", name)
		}
		fields[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows it")
	}
	return fields, nil
}

// reader takes the fields out, and remembers the first that is not as it has to be.
type reader struct {
	fields map[string]any
	err    error
}

func (r *reader) fault(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: want %s", name, want)
	}
}

func (r *reader) text(name string) string {
	s, ok := r.fields[name].(string)
	if !ok || len(s) > wordTextLimitBytes {
		r.fault(name, fmt.Sprintf("a text of at most %d bytes", wordTextLimitBytes))
		return ""
	}
	return s
}

func (r *reader) truth(name string) bool {
	b, ok := r.fields[name].(bool)
	if !ok {
		r.fault(name, "true or false")
	}
	return b
}

func (r *reader) number(name string, most uint64) uint64 {
	text, _ := r.fields[name].(json.Number)
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n > most {
		r.fault(name, fmt.Sprintf("a whole number of at most %d", most))
		return 0
	}
	return n
}

func (r *reader) span(name string) time.Duration {
	return time.Duration(r.number(name, uint64(wordTimeLimit/time.Millisecond))) * time.Millisecond
}
