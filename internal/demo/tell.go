package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hotcold/hotcold/internal/clock"
)

// tone is what a line means: its ANSI colour.
type tone string

const (
	plain tone = ""
	dim   tone = "2"
	bold  tone = "1"
	good  tone = "32"
	harm  tone = "33"
	bad   tone = "1;31"
	bar   tone = "7"
)

// teller writes the talk: lines that stay, and on a terminal one line below
// them that changes.
type teller struct {
	screen Screen
	clock  clock.Clock
	began  time.Duration
	// lost is called when nobody can hear the talk any more.
	lost func(error)

	mu   sync.Mutex // guards live and the order of what is written
	live string     // the line at the bottom; empty: none
}

func newTeller(o Options, lost func(error)) *teller {
	return &teller{screen: o.Screen, clock: o.Clock, began: o.Clock.Now().Boot, lost: lost}
}

// stampWidth is that of a time and the space behind it.
const stampWidth = 10

// say tells what happens now.
func (t *teller) say(n tone, format string, args ...any) {
	stamp := fmt.Sprintf("%6.1f s  ", (t.clock.Now().Boot - t.began).Seconds())
	var b strings.Builder
	for i, line := range wrap(fmt.Sprintf(format, args...), t.screen.Width()-stampWidth) {
		if i > 0 {
			stamp = "\n" + strings.Repeat(" ", stampWidth)
		}
		b.WriteString(t.paint(dim, stamp) + t.paint(n, line))
	}
	t.line(b.String())
}

// leastWidth is the narrowest column that is worth wrapping text into.
const leastWidth = 30

// wrap breaks a text at its spaces; where nothing is known of the width, or it
// is hopeless, it stays one line.
func wrap(text string, width int) []string {
	var lines []string
	for width >= leastWidth && utf8.RuneCountInString(text) > width {
		head := string([]rune(text)[:width+1])
		cut := strings.LastIndexByte(head, ' ')
		if cut <= 0 {
			break // one long word, a path perhaps, stays whole
		}
		lines = append(lines, text[:cut])
		text = text[cut+1:]
	}
	return append(lines, text)
}

// print writes text that belongs to no moment.
func (t *teller) print(n tone, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		t.line(t.paint(n, line))
	}
}

func (t *teller) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(t.wipe() + text + "\n" + t.live)
}

// show changes the line at the bottom, where there is one.
func (t *teller) show(text string) {
	if !t.screen.Live {
		return
	}
	if width := t.screen.Width(); width > 0 {
		text = fit(text, width-1) // the last column would wrap on some terminals
	}
	text = t.paint(bar, text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if text != t.live {
		t.write(t.wipe() + text)
		t.live = text
	}
}

// hide takes the line at the bottom away.
func (t *teller) hide() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(t.wipe())
	t.live = ""
}

func (t *teller) wipe() string {
	if t.live == "" {
		return ""
	}
	return "\r\x1b[K"
}

func (t *teller) write(text string) {
	if text == "" {
		return
	}
	if _, err := io.WriteString(t.screen.Out, text); err != nil {
		t.lost(fmt.Errorf("nobody listens any more: %w", err))
	}
}

func (t *teller) paint(n tone, text string) string {
	if !t.screen.Color || n == plain || text == "" {
		return text
	}
	return "\x1b[" + string(n) + "m" + text + "\x1b[0m"
}

// fit makes a text exactly as long as a line.
func fit(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if n <= width {
		return text + strings.Repeat(" ", width-n)
	}
	return string([]rune(text)[:max(0, width)])
}

// seconds writes a measured time.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// atMost writes a bound: never less than it is.
func atMost(d time.Duration) string {
	const step = 100 * time.Millisecond
	return fmt.Sprintf("%.1f s", ((d + step - 1) / step * step).Seconds())
}
