package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// reachError says in one line why no connection came to be. The driver's own
// words name each address twice, once with TLS and once without, and repeat
// what every layer called the same failure.
type reachError struct {
	text  string
	cause error
}

func (e *reachError) Error() string { return e.text }
func (e *reachError) Unwrap() error { return e.cause }

// reached shortens the words of a failed connection; other errors stay.
func reached(err error) error {
	var connecting *pgconn.ConnectError
	if !errors.As(err, &connecting) {
		return err
	}
	var all []leg
	for _, one := range leaves(connecting.Unwrap()) {
		all = append(all, legOf(one))
	}
	var texts []string
	for i, l := range all {
		if text := l.String(); !supersededBy(l, all[i+1:]) && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return &reachError{strings.Join(texts, "; "), err}
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range many.Unwrap() {
			all = append(all, leaves(one)...)
		}
		return all
	}
	return []error{err}
}

// leg is one attempt at one address.
type leg struct {
	address, why string
	answered     bool // by the server, in its own words
}

// legPattern takes the driver's words apart: address (host): stage: cause.
var legPattern = regexp.MustCompile(`(?s)^(\S+) \(([^)]*)\): (.*)$`)

// refusedTLS is what the driver says; it has no error of its own for it. Were the
// words to change, they would be shown as they are.
const refusedTLS = "server refused TLS connection"

func legOf(err error) leg {
	l := leg{why: err.Error()}
	if found := legPattern.FindStringSubmatch(l.why); found != nil {
		l.address, l.why = found[1], found[3]
		if host, _, bad := net.SplitHostPort(found[1]); bad == nil && host != found[2] && !strings.HasPrefix(found[2], "/") {
			l.address = fmt.Sprintf("%s (%s)", found[2], found[1])
		}
	}
	var server *pgconn.PgError
	var name *net.DNSError
	var number syscall.Errno
	var network net.Error
	switch {
	case errors.As(err, &server):
		l.why, l.answered = fmt.Sprintf("%s (SQLSTATE %s)", server.Message, server.Code), true
	case errors.As(err, &name):
		l.why = fmt.Sprintf("the name %s cannot be resolved: %s", name.Name, plainCause(name))
	case errors.As(err, &number):
		l.why = number.Error()
	case errors.Is(err, context.Canceled):
		l.why = context.Canceled.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		l.why = "no answer in time"
	case strings.HasSuffix(l.why, refusedTLS):
		l.why = "the server offers no TLS, and the address asks for it (sslmode)"
	}
	return l
}

// plainCause is what went wrong at a name server, without the addresses.
func plainCause(e *net.DNSError) string {
	if e.IsTimeout {
		return "no answer in time"
	}
	_, last, found := strings.Cut(e.Err, "connect: ")
	if found {
		return last
	}
	return e.Err
}

// supersededBy tells whether a later attempt at the same address says more:
// what was tried without TLS after the server had refused TLS.
func supersededBy(l leg, later []leg) bool {
	return !l.answered && slices.ContainsFunc(later, func(other leg) bool { return other.address == l.address })
}

func (l leg) String() string {
	if l.address == "" {
		return l.why
	}
	return l.address + ": " + l.why
}
