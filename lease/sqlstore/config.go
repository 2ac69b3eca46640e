package sqlstore

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/lease"
)

// The databases that this package speaks to.
const (
	Postgres = "postgres"
	// MySQL and MariaDB are two names of one dialect.
	MySQL     = "mysql"
	MariaDB   = "mariadb"
	SQLite    = "sqlite"
	SQLServer = "sqlserver"
	Oracle    = "oracle"
)

// Dialects returns the names that [Config.Dialect] takes.
func Dialects() []string {
	return []string{Postgres, MySQL, MariaDB, SQLite, SQLServer, Oracle}
}

// DefaultTablePrefix begins the name of every table where no other is configured.
const DefaultTablePrefix = "hotcold_"

// prefixPattern keeps a prefix usable without quotes in every database, and the
// longest table name within Oracle's former limit of 30 characters.
var prefixPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,19}$`)

// Config says which database to use.
type Config struct {
	// Dialect is one of [Dialects].
	Dialect string
	// DSN is the address in the words of the dialect: for PostgreSQL a URL or
	// key=value pairs, for MySQL and MariaDB a URL (see [MySQLParams]), for SQLite
	// the path of a file, for SQL Server a sqlserver:// URL, for Oracle an
	// oracle:// URL. It may hold a password and is shown nowhere.
	DSN string
	// TablePrefix begins the name of every table: small letters, digits and _, at
	// most 20. Empty: [DefaultTablePrefix].
	TablePrefix string
	// Attempt is how long the server may go on with a statement whose caller
	// has gone, or may wait for a lock (statement_timeout, innodb_lock_wait_timeout).
	// Zero: [lease.MaxAttempt].
	Attempt time.Duration
	// Replication is how the database is replicated, where a person vouches for
	// it: [CopiesSynchronous], [CopiesAsynchronous] or [CopiesNone]. Empty: it is looked for.
	Replication Copies
	// Logger hears of what heals by itself. Nil: nobody does.
	Logger *slog.Logger
}

// String leaves out the address, which may hold a password.
func (c Config) String() string { return c.Dialect + " with tables " + c.TablePrefix + "*" }

// GoString is [Config.String], so that no verb of fmt shows the address.
func (c Config) GoString() string { return c.String() }

// LogValue is [Config.String], so that no log shows the address.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// complete fills in what is not set and reports what cannot be.
func (c Config) complete() (Config, error) {
	if c.TablePrefix == "" {
		c.TablePrefix = DefaultTablePrefix
	}
	if c.Attempt == 0 {
		c.Attempt = lease.MaxAttempt
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case !slices.Contains(Dialects(), c.Dialect):
		return c, fmt.Errorf("database %q is not known, want one of %s", c.Dialect, strings.Join(Dialects(), ", "))
	case !prefixPattern.MatchString(c.TablePrefix):
		return c, fmt.Errorf("table prefix %q: want small letters, digits and _, beginning with a letter, at most 20", c.TablePrefix)
	case c.Attempt < lease.MinAttempt:
		return c, fmt.Errorf("the limit of one attempt is %v, want at least %v", c.Attempt, lease.MinAttempt)
	case validAssertion(c.Replication) != nil:
		return c, validAssertion(c.Replication)
	case c.DSN == "":
		return c, fmt.Errorf("the address of the %s database is empty", c.Dialect)
	}
	return c, nil
}

// Open prepares the use of a database and says what is wrong with the
// configuration. It does not connect: that happens at the first call, and again
// after every loss, so an agent can start while its database is down.
func Open(_ context.Context, c Config) (*DB, error) {
	c, err := c.complete()
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	var d dialect
	switch c.Dialect {
	case Postgres:
		d, err = newPostgres(c)
	case MySQL, MariaDB:
		d, err = newMySQL(c, clock.System())
	case SQLite:
		d, err = newSQLite(c, clock.System())
	case SQLServer:
		d, err = newSQLServer(c, clock.System())
	case Oracle:
		d, err = newOracle(c, clock.System())
	}
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &DB{dialect: d, sql: compose(c.TablePrefix, d.words()), log: c.Logger, clock: clock.System(), asserted: c.Replication}, nil
}
