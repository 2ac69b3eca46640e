package probe

import (
	"bytes"
	"testing"
)

func newLogLine(t *testing.T) *LogLine {
	t.Helper()
	l, err := NewLogLine(`Node for ".*" started up`)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const started = `Node for "Bank" started up and registered in 9.1 sec`

func TestLogLineIsWellOnceTheLineHasCome(t *testing.T) {
	l := newLogLine(t)
	line := l.Begin()
	line([]byte("Loaded 3 CorDapp(s)"))
	want(t, l.Look(t.Context()), Wrong, `log: no line has matched "Node for \".*\" started up" yet`)
	matched := l.Matched()
	line([]byte(started))
	line([]byte(started))
	<-matched
	want(t, l.Look(t.Context()), Well, "")
}

func TestLogLineForgetsAtEveryStart(t *testing.T) {
	l := newLogLine(t)
	l.Begin()([]byte(started))
	l.Begin()
	if l.Look(t.Context()) == nil {
		t.Fatal("ready by a line of the node before")
	}
}

func TestALateLineOfTheNodeBeforeDoesNotCount(t *testing.T) {
	l := newLogLine(t)
	before := l.Begin()
	l.Begin()
	before([]byte(started))
	if l.Look(t.Context()) == nil {
		t.Fatal("ready by a line of the node before")
	}
}

func TestLogLineLooksOnlyAtTheBeginningOfAnEndlessLine(t *testing.T) {
	l := newLogLine(t)
	l.Begin()(append(bytes.Repeat([]byte("."), lineLimitBytes), started...))
	if l.Look(t.Context()) == nil {
		t.Fatal("the end of the line was looked at")
	}
}

func TestLogLineRefusesAPatternThatEveryLineMatches(t *testing.T) {
	for _, pattern := range []string{"", "x*", "("} {
		if _, err := NewLogLine(pattern); err == nil {
			t.Errorf("%q was taken", pattern)
		}
	}
}
