package sqlstore

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// A connection on which nothing is sent, as the one that listens, is found dead
// after keepaliveIdle + keepaliveCount*keepaliveInterval = 19 s; one on which
// something was sent and not acknowledged after unackedLimit, whatever a caller's
// context says. Statements are bound by their contexts, which are shorter.
const (
	keepaliveIdle     = 10 * time.Second
	keepaliveInterval = 3 * time.Second
	keepaliveCount    = 3
	unackedLimit      = 15 * time.Second
)

var (
	errStandby  = errors.New("it is in recovery: a standby, or a server that is still starting; the lease needs the primary")
	errReadOnly = errors.New("its transactions are read-only (default_transaction_read_only)")
	// errNoCancel keeps pgx from cancelling what a caller has given up.
	errNoCancel = errors.New("statements are not cancelled")
)

// postgresConfig reads the address and adds what the lease needs.
func postgresConfig(c Config) (*pgx.ConnConfig, error) {
	base, err := pgx.ParseConfig(c.DSN)
	if err != nil {
		return nil, unreadable(c.DSN, err)
	}
	if base.RuntimeParams["application_name"] == "" {
		base.RuntimeParams["application_name"] = "hotcold"
	}
	if base.ConnectTimeout == 0 {
		// A silent server must leave time for the next one of the list.
		base.ConnectTimeout = c.Attempt / time.Duration(hosts(base))
	}
	base.OnNotice = noteWarning
	// Whatever target_session_attrs says: only the primary has the lease.
	base.ValidateConnect = validator(c.Attempt)
	return base, nil
}

func hosts(c *pgx.ConnConfig) int {
	distinct := map[string]bool{net.JoinHostPort(c.Host, fmt.Sprint(c.Port)): true}
	for _, f := range c.Fallbacks {
		distinct[net.JoinHostPort(f.Host, fmt.Sprint(f.Port))] = true
	}
	return len(distinct)
}

// keyPassword finds the password in an address of key=value pairs.
var keyPassword = regexp.MustCompile(`password\s*=\s*('(?:[^'\\]|\\.)*'|\S*)`)

// unreadable says why an address cannot be used, without showing it. The driver's
// words are left out where they might quote a part of the password.
func unreadable(dsn string, err error) error {
	const text = "the address of the PostgreSQL database cannot be read (it is not shown, it may hold a password); " +
		"want postgres://user@host:port/database, or pairs such as host=HOST user=USER dbname=DATABASE"
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) || parse.Unwrap() == nil || keyPassword.MatchString(dsn) {
		return errors.New(text)
	}
	u, bad := url.Parse(dsn)
	if bad != nil || !strings.Contains(dsn, "://") {
		return errors.New(text)
	}
	if _, secret := u.User.Password(); secret || u.Query().Has("password") {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, parse.Unwrap())
}

// validator sets a new session up in one round trip and refuses servers that take
// no writes, so that with several hosts the next one is tried.
//
// An asynchronous commit would not be durable when it returns: where the role has
// synchronous_commit off or local it is on for these sessions; other values stay.
// READ COMMITTED is what makes a lost race a row that was not found. The limit of
// a statement ends what a caller has given up while it waits for a lock; it does
// not end the wait for a synchronous standby, and must not.
func validator(attempt time.Duration) pgconn.ValidateConnectFunc {
	query := fmt.Sprintf(`SELECT pg_is_in_recovery(), current_setting('transaction_read_only'),
		set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
			THEN 'on' ELSE current_setting('synchronous_commit') END, false),
		set_config('default_transaction_isolation', 'read committed', false),
		set_config('statement_timeout', '%d', false)`, max(1, attempt.Milliseconds()))
	return func(ctx context.Context, c *pgconn.PgConn) error {
		results, err := c.Exec(ctx, query).ReadAll()
		if err != nil {
			return fmt.Errorf("set the session up: %w", err)
		}
		if len(results) != 1 || len(results[0].Rows) != 1 {
			return errors.New("set the session up: the server did not answer with one row")
		}
		delete(c.CustomData(), doubtKey) // what it warned of at the login concerns no write
		switch row := results[0].Rows[0]; {
		case string(row[0]) != "f":
			return of(ErrReadOnly, errStandby)
		case string(row[1]) != "off":
			return of(ErrReadOnly, errReadOnly)
		}
		return nil
	}
}

// postgresConnector opens the connections of a pool.
type postgresConnector struct{ base *pgx.ConnConfig }

func (*postgresConnector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

func (c *postgresConnector) Connect(ctx context.Context) (driver.Conn, error) {
	config, g := gated(c.base)
	conn, err := stdlib.GetConnector(*config,
		stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false }),
		stdlib.OptionResetSession(usable),
	).Connect(ctx)
	g.shut.Store(true)
	return conn, err
}

// connect opens a connection outside of the pools.
func connect(ctx context.Context, base *pgx.ConnConfig) (*pgx.Conn, error) {
	config, g := gated(base)
	conn, err := pgx.ConnectConfig(ctx, config)
	g.shut.Store(true)
	return conn, err
}

// gate dials for one connection until it stands. Afterwards pgx would dial only
// to cancel a statement whose context has ended. That must not be: cancelling
// the wait for a synchronous standby makes a row visible that a failover may
// lose.
type gate struct{ shut atomic.Bool }

func gated(base *pgx.ConnConfig) (*pgx.ConnConfig, *gate) {
	g := &gate{}
	config := base.Copy()
	config.DialFunc = g.dial
	return config, g
}

func (g *gate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if g.shut.Load() {
		return nil, errNoCancel
	}
	return dial(ctx, network, address)
}

// usable looks, without a round trip, whether a connection from the pool has
// anything to read. An idle server says nothing unless it says goodbye, so such a
// connection is thrown away before a renewal is risked on it.
func usable(_ context.Context, conn *pgx.Conn) error {
	takeDoubt(conn)
	c := conn.PgConn().Conn()
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if readable(c) {
		return driver.ErrBadConn
	}
	return nil
}
