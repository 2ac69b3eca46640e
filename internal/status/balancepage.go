package status

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

//go:embed balance.html
var balanceHTML string

// WriteBalancePage writes a balancer's page. It renews itself, and needs no script. Texts from elsewhere are escaped.
func WriteBalancePage(w io.Writer, v BalanceView) error {
	t, err := template.New("balance").Funcs(template.FuncMap{
		"bytes":   func(n float64) string { return Bytes(n) },
		"count":   func(n uint64) string { return Bytes(float64(n)) },
		"rate":    func(n float64) string { return trimmed(n, 1) },
		"at":      func(t time.Time) string { return Style{Zone: time.UTC}.Clock(t) },
		"fine":    func(t time.Time) string { return Style{Zone: time.UTC}.fine(t) },
		"ago":     func(t time.Time) string { return Ago(v.Now.Sub(t)) },
		"took":    func(s float64) string { return Span(fromSeconds(s)) },
		"above":   func(s float64) string { return spanAbove(fromSeconds(s)) },
		"word":    func(w *balancer.WordState) string { text, _ := wordInWords(*w); return text },
		"wordIs":  func(w *balancer.WordState) string { _, tone := wordInWords(*w); return class(tone) },
		"belief":  func(p balancer.ProbeState) string { text, _ := beliefInWords(p); return text },
		"is":      func(p balancer.ProbeState) string { _, tone := beliefInWords(p); return class(tone) },
		"address": func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) },
		"newest":  newestFirst,
		"line":    oneLine,
	}).Parse(balanceHTML)
	if err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	return t.Execute(w, v)
}

// class is the class of the page's style for a tone.
func class(t tone) string {
	switch t {
	case good:
		return "good"
	case busy:
		return "busy"
	case bad:
		return "bad"
	}
	return ""
}

// newestFirst turns a history round.
func newestFirst(history []balancer.Change) []balancer.Change {
	turned := make([]balancer.Change, 0, len(history))
	for i := len(history) - 1; i >= 0; i-- {
		turned = append(turned, history[i])
	}
	return turned
}
