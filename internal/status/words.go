package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Span writes a duration for people, with the two units that matter: 340 ms, 1.2 s, 48 s, 3 min 12 s, 2 h 5 min,
// 3 d 4 h.
func Span(d time.Duration) string {
	if d < 0 {
		return "-" + Span(-d)
	}
	// Each rounding is done before the unit is chosen, so that 999.6 ms is 1 s and not 1000 ms.
	if r := d.Round(time.Millisecond); r < time.Second {
		return fmt.Sprintf("%d ms", r.Milliseconds())
	}
	if r := d.Round(100 * time.Millisecond); r < 10*time.Second {
		return strings.Replace(fmt.Sprintf("%.1f s", r.Seconds()), ".0 s", " s", 1)
	}
	switch r := d.Round(time.Second); {
	case r < time.Minute:
		return fmt.Sprintf("%d s", r/time.Second)
	case r < time.Hour:
		return pairOf(r, time.Minute, "min", time.Second, "s")
	case r < 24*time.Hour:
		return pairOf(r, time.Hour, "h", time.Minute, "min")
	default:
		return pairOf(r, 24*time.Hour, "d", time.Hour, "h")
	}
}

// spanAbove writes a bound: what is shown is never less than d.
func spanAbove(d time.Duration) string {
	step := time.Millisecond
	switch {
	case d >= time.Hour:
		step = time.Minute
	case d >= 10*time.Second:
		step = time.Second
	case d >= time.Second:
		step = 100 * time.Millisecond
	}
	return Span((d + step - 1).Truncate(step))
}

func pairOf(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// Ago writes an age for people. The clocks of two machines may differ, so that an age can come out below zero: that
// is now.
func Ago(d time.Duration) string {
	if d <= 0 {
		return "now"
	}
	return Span(d) + " ago"
}

// Clock writes an instant in the zone of the reader, with the zone's name.
func (s Style) Clock(t time.Time) string { return s.instant(t, "2006-01-02 15:04:05 MST") }

// fine is Clock with milliseconds, for what happens in quick succession.
func (s Style) fine(t time.Time) string { return s.instant(t, "2006-01-02 15:04:05.000 MST") }

func (s Style) instant(t time.Time, layout string) string {
	if t.IsZero() {
		return "-"
	}
	zone := s.Zone
	if zone == nil {
		zone = time.Local
	}
	return t.In(zone).Format(layout)
}

// seconds is a span as JSON has it: seconds, to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// secondsAbove is seconds for a bound, which rounding must not make smaller.
func secondsAbove(d time.Duration) float64 {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond).Seconds()
}

func fromSeconds(s float64) time.Duration { return time.Duration(math.Round(s * float64(time.Second))) }

// oneLine makes a text that came from elsewhere (a node's output, a machine's name) safe to print: no line ends,
// no escape sequences, nothing that cannot be seen.
func oneLine(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case !unicode.IsPrint(r) || r == unicode.ReplacementChar:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}

// list joins names as a sentence does: "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
