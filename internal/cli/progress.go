package cli

import (
	"fmt"
	"strings"
	"time"
)

const (
	// progressOnTerminal and progressElsewhere are between two words on how far
	// a copy is: one line that is written over, or a line of a log.
	progressOnTerminal = 200 * time.Millisecond
	progressElsewhere  = 10 * time.Second
	// progressWidth is what a line is filled up to, so that nothing of a longer one stays.
	progressWidth = 78
)

// progress tells a person how far something is.
type progress struct {
	app      *app
	terminal bool
	what     string
	done     int64
	total    int64 // 0: not known
	next     time.Duration
	shown    bool
}

func (a *app) newProgress() *progress {
	return &progress{app: a, terminal: terminal(a.Stderr)}
}

// begin starts another part of the work.
func (p *progress) begin(what string, total int64) {
	p.what, p.done, p.total = what, 0, total
	p.next = p.app.Clock.Now().Boot + p.every()
}

func (p *progress) every() time.Duration {
	if p.terminal {
		return progressOnTerminal
	}
	return progressElsewhere
}

// add counts bytes, and says so now and then.
func (p *progress) add(n int64) {
	p.done += n
	now := p.app.Clock.Now().Boot
	if now < p.next {
		return
	}
	p.next = now + p.every()
	line := p.what + ": " + sizeInWords(p.done)
	if p.total > 0 {
		line += fmt.Sprintf(" of %s, %d %%", sizeInWords(p.total), min(100, p.done*100/p.total))
	}
	if p.terminal {
		fmt.Fprintf(p.app.Stderr, "\r%-*.*s", progressWidth, progressWidth, line)
		p.shown = true
		return
	}
	fmt.Fprintln(p.app.Stderr, line)
}

// end clears the line. It may be called twice.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.app.Stderr, "\r"+strings.Repeat(" ", progressWidth)+"\r")
		p.shown = false
	}
}
