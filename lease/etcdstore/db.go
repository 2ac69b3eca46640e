package etcdstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/metadata"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// DB is an etcd in which agents meet: the store of their leases and the board on
// which they and their operators leave word for each other.
type DB struct {
	prefix         string // with a slash at its end
	user, password string
	clock          clock.Clock
	log            *slog.Logger
	leases, board  *lane
	watches        *clientv3.Client // of all members: it finds another by itself
	written        atomic.Uint64    // announcements and events, to prune now and then

	mu    sync.Mutex // guards all below; never held across I/O
	token string
	past  past
}

var _ lease.Store = (*DB)(nil)

func newDB(c Config, encrypted *tls.Config) (*DB, error) {
	d := &DB{prefix: c.Prefix + "/", user: c.User, password: c.Password, clock: c.Clock, log: c.Logger}
	var err error
	if d.leases, err = newLane(c, encrypted); err != nil {
		return nil, fmt.Errorf("open etcd: %w", err)
	}
	if d.board, err = newLane(c, encrypted); err != nil {
		return nil, errors.Join(fmt.Errorf("open etcd: %w", err), d.leases.close())
	}
	if d.watches, err = connect(c.Endpoints, encrypted, new(atomic.Uint64)); err != nil {
		return nil, errors.Join(fmt.Errorf("open etcd: %w", err), d.leases.close(), d.board.close())
	}
	return d, nil
}

// Close gives all connections back. Calls that are under way end with an error.
func (d *DB) Close() error {
	if err := errors.Join(d.leases.close(), d.board.close(), d.watches.Close()); err != nil {
		return fmt.Errorf("close etcd: %w", err)
	}
	return nil
}

// key is a key of ours. The parts are escaped, so that a slash in a name stays in it.
func (d *DB) key(parts ...string) string {
	key := d.prefix
	for i, p := range parts {
		if i > 0 {
			key += "/"
		}
		key += url.PathEscape(p)
	}
	return key
}

// under is the prefix of all keys below one.
func (d *DB) under(parts ...string) string { return d.key(parts...) + "/" }

// run sends what f sends to one member and says what was tried in every error.
func (d *DB) run(ctx context.Context, l *lane, what string, f func(context.Context, *member) error) error {
	err := d.once(ctx, l, f)
	if err == nil || errors.Is(err, lease.ErrChanged) {
		return err
	}
	return fmt.Errorf("%s: %w", what, judge(ctx, err))
}

func (d *DB) once(ctx context.Context, l *lane, f func(context.Context, *member) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	m, err := l.ready(ctx)
	if err != nil {
		return err
	}
	err = d.loggedIn(ctx, m, f)
	if stale(err) {
		// The token was refused at the door, before anything was done with the
		// request: this is the one error after which it is sent again.
		d.forgetToken()
		err = d.loggedIn(ctx, m, f)
	}
	if lost(ctx, err) {
		l.pass(m)
	}
	return err
}

// loggedIn calls f with a context that carries the token, and gets one first
// where there is none.
func (d *DB) loggedIn(ctx context.Context, m *member, f func(context.Context, *member) error) error {
	ctx, err := d.withToken(ctx, m.client)
	if err != nil {
		return err
	}
	return f(ctx, m)
}

func (d *DB) withToken(ctx context.Context, c *clientv3.Client) (context.Context, error) {
	if d.user == "" {
		return ctx, nil
	}
	d.mu.Lock()
	token := d.token
	d.mu.Unlock()
	if token == "" {
		resp, err := c.Authenticate(ctx, d.user, d.password)
		if errors.Is(err, rpctypes.ErrAuthNotEnabled) {
			return ctx, nil
		}
		if err != nil {
			return ctx, err
		}
		token = resp.Token
		d.mu.Lock()
		d.token = token
		d.mu.Unlock()
	}
	return metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token), nil
}

func (d *DB) forgetToken() {
	d.mu.Lock()
	d.token = ""
	d.mu.Unlock()
}
