package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// A lost connection is dialled again after firstRedial, then ever later up to
	// lastRedial: gRPC's own limit of two minutes is longer than any lease.
	firstRedial = 100 * time.Millisecond
	lastRedial  = time.Second
	// dialLimit is how long one dial may take until another is begun.
	dialLimit = 3 * time.Second
	// readyPause is between two looks for a member whose connection is ready.
	readyPause = 5 * time.Millisecond
	// keepAliveAfter and keepAliveLimit find a connection that died in silence.
	// gRPC takes no shorter pause than 10 s; the deadline of each call is what
	// protects the lease.
	keepAliveAfter = 10 * time.Second
	keepAliveLimit = 3 * time.Second
)

// member is one endpoint and our connection to it.
type member struct {
	client *clientv3.Client
	// dials counts connections. Behind a new one may be another cluster.
	dials *atomic.Uint64
	// known is the value of dials for which the cluster was last looked at.
	known atomic.Uint64
}

// lane is a set of connections that is used for one purpose: a renewal never waits
// behind what the board sends.
type lane struct {
	members []*member
	clock   clock.Clock
	next    atomic.Uint32 // index of the member that is asked first
	close   func() error
}

func newLane(c Config, encrypted *tls.Config) (*lane, error) {
	l := &lane{clock: c.Clock}
	l.close = sync.OnceValue(func() error {
		var faults []error
		for _, m := range l.members {
			faults = append(faults, m.client.Close())
		}
		return errors.Join(faults...)
	})
	for _, e := range c.Endpoints {
		dials := new(atomic.Uint64)
		client, err := connect([]string{e}, encrypted, dials)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.members = append(l.members, &member{client: client, dials: dials})
	}
	return l, nil
}

// connect makes a client that sends each request at most once. It dials nothing
// yet. Neither the user nor the password is given to it: it would log in here and
// now, with no deadline of ours.
func connect(endpoints []string, encrypted *tls.Config, dials *atomic.Uint64) (*clientv3.Client, error) {
	scheme := "http://"
	if encrypted != nil {
		scheme = "https://"
	}
	urls := make([]string, len(endpoints))
	for i, e := range endpoints {
		urls[i] = scheme + e
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: urls, TLS: encrypted, Logger: zap.NewNop(),
		MaxUnaryRetries:   1, // one try; see "Retries" in the package's documentation
		DialKeepAliveTime: keepAliveAfter, DialKeepAliveTimeout: keepAliveLimit, PermitWithoutStream: true,
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
				var d net.Dialer
				conn, err := d.DialContext(ctx, "tcp", addr)
				if err == nil {
					dials.Add(1)
				}
				return conn, err
			}),
			grpc.WithDisableRetry(),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: firstRedial, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastRedial},
				MinConnectTimeout: dialLimit,
			}),
			grpc.WithChainUnaryInterceptor(failFast),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the client: %w", err)
	}
	return client, nil
}

// failFast ends a request whose connection is lost before it was sent, instead
// of keeping it for the next connection: we choose the member ourselves.
func failFast(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}

// ready waits for a member whose connection is ready. Nothing has been sent by
// then, so any will do.
func (l *lane) ready(ctx context.Context) (*member, error) {
	for {
		first := int(l.next.Load())
		for i := range l.members {
			index := (first + i) % len(l.members)
			conn := l.members[index].client.ActiveConnection()
			switch conn.GetState() {
			case connectivity.Ready:
				return l.members[index], nil
			case connectivity.Idle:
				conn.Connect()
			}
		}
		if err := clock.Wait(ctx, l.clock, readyPause); err != nil {
			return nil, errors.New("no member of the cluster can be reached")
		}
	}
}

// pass lets another member be asked first from now on.
func (l *lane) pass(m *member) {
	for i, other := range l.members {
		if other == m {
			l.next.CompareAndSwap(uint32(i), uint32((i+1)%len(l.members)))
		}
	}
}
