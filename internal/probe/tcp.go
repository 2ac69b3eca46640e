package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// addressLimit bounds how many connections one look opens at the same time. A
// node with more ports than this is checked well enough by several probes.
const addressLimit = 32

// NewTCP returns a probe that is well when every address accepts a connection.
// An address is "host:port". The connections are closed at once, with nothing
// sent: a listener that expects a TLS handshake may note that in its log.
//
// An open port is not yet a ready service: a Corda node opens its ports while
// it still restores what it was doing.
func NewTCP(addresses ...string) (Probe, error) {
	if len(addresses) == 0 {
		return nil, errors.New("tcp probe: no address given")
	}
	if len(addresses) > addressLimit {
		return nil, fmt.Errorf("tcp probe: %d addresses given, at most %d are looked at", len(addresses), addressLimit)
	}
	var errs []error
	probes := make([]Probe, len(addresses))
	for i, a := range addresses {
		if _, port, err := net.SplitHostPort(a); err != nil || port == "" {
			errs = append(errs, fmt.Errorf("tcp probe: address %q is not host:port", a))
		}
		probes[i] = tcp(a)
	}
	if err := join(errs); err != nil {
		return nil, err
	}
	return All(probes...), nil
}

type tcp string

func (t tcp) Look(ctx context.Context) error {
	// Every look stands for itself: keep-alive would only cost system calls.
	d := net.Dialer{KeepAlive: -1}
	conn, err := d.DialContext(ctx, "tcp", string(t))
	if err != nil {
		return fail(ctx, "tcp "+string(t), "connecting", err)
	}
	conn.Close() // nothing was sent, so nothing can be lost
	return nil
}
