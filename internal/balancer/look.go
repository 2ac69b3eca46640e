package balancer

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"time"

	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/probe"
)

// azureAnswerLimit is how long Azure waits for an answer by HTTP at most, whatever the interval is.
const azureAnswerLimit = 30 * time.Second

// WorstDetection is how long a machine that dies right after a look may go on to look well. For an agent it is how
// long its silence may last until the balancer knows; what it said is then believed until the holder's trust ends.
func WorstDetection(profile config.Profile, p config.BalancerProbe) time.Duration {
	timeout := lookLimit(profile, p)
	if p.Protocol == config.ProbeAgent && profile == config.ProfilePair {
		return max(timeout, lineLimit)
	}
	return p.Interval + time.Duration(p.Unhealthy-1)*max(doubtInterval(profile, p), timeout) + timeout
}

// lookLimit is how long one look may take.
func lookLimit(profile config.Profile, p config.BalancerProbe) time.Duration {
	switch {
	case profile != config.ProfileAzure:
		return p.Timeout
	case p.Protocol == config.ProbeTCP:
		return p.Interval // Azure has no time-out of its own here: the next look ends the one before
	}
	return min(p.Interval, azureAnswerLimit)
}

// doubtInterval is the interval while in doubt. A cloud has no other than the usual one.
func doubtInterval(profile config.Profile, p config.BalancerProbe) time.Duration {
	if profile != config.ProfilePair || p.Fast <= 0 || p.Fast > p.Interval {
		return p.Interval
	}
	return p.Fast
}

// newLook makes the look of a probe at a machine.
func newLook(p config.BalancerProbe, m config.Machine, a *access) (probe.Probe, error) {
	place := net.JoinHostPort(m.Address.String(), strconv.Itoa(p.Port))
	switch p.Protocol {
	case config.ProbeTCP:
		return probe.NewTCP(place)
	case config.ProbeHTTP:
		return probe.NewHTTP(probe.HTTPOptions{URL: "http://" + place + p.Path})
	case config.ProbeHTTPS:
		// No cloud asks whose certificate it is, and a node's is its own. A look tells that there is an answer, it
		// proves nothing; that is for the agents.
		return probe.NewHTTP(probe.HTTPOptions{URL: "https://" + place + p.Path,
			TLS: &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}})
	}
	// What a cloud can do with an agent: ask /hot by HTTP, where 200 is hot. The files may have been renewed since the
	// last look.
	return probe.Func(func(ctx context.Context) error {
		o := probe.HTTPOptions{URL: a.scheme() + "://" + m.Agent + "/hot", Header: a.header()}
		if host, _, err := net.SplitHostPort(m.Agent); err == nil && a.secure() {
			o.TLS = a.config(host)
		}
		h, err := probe.NewHTTP(o)
		if err != nil {
			return err
		}
		return h.Look(ctx)
	}), nil
}
