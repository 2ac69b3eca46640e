package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlWait is wait_timeout of our sessions: what a machine that died leaves behind
// on the server is cleared away after it. A steady agent speaks far more often.
const mysqlWait = 10 * time.Minute

// Why a server is refused. The lease is kept where writes go, and nowhere else.
var (
	errReadOnlyServer = errors.New("it is read-only (read_only): a replica, or a server that was fenced; the lease needs the primary")
	errReadOnlyStart  = errors.New("its transactions are read-only (transaction_read_only)")
	errFollower       = errors.New("it follows another server (SHOW REPLICA STATUS): the lease needs one that follows nobody")
	errGalera         = errors.New("it is a node of a Galera cluster (wsrep_on), where each node is a server of its own and all of them take writes")
	errMultiPrimary   = errors.New("it is in a group with several primaries (group_replication_single_primary_mode)")
)

// mysqlConnector opens connections to the first server that takes writes.
type mysqlConnector struct {
	targets []mysqlTarget
	attempt time.Duration
	log     *slog.Logger

	mu   sync.Mutex      // guards said
	said map[string]bool // warnings that were given
}

func newMySQLConnector(c Config) (*mysqlConnector, error) {
	a, err := parseMySQL(c.DSN)
	if err != nil {
		return nil, err
	}
	targets, err := a.targets()
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		// A silent server must leave time for the next one of the list.
		t.driver.Timeout = c.Attempt / time.Duration(len(targets))
	}
	return &mysqlConnector{targets: targets, attempt: c.Attempt, log: c.Logger, said: map[string]bool{}}, nil
}

func (*mysqlConnector) Driver() driver.Driver { return &mysql.MySQLDriver{} }

// Connect tries the servers in order.
func (c *mysqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	var errs []error
	var texts []string
	for _, t := range c.targets {
		conn, err := c.connect(ctx, t)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
		if text := mysqlLeg(t.address, err); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return nil, &reachError{strings.Join(texts, "; "), errors.Join(errs...)}
}

// mysqlLeg says what one server answered.
func mysqlLeg(address string, err error) string {
	l := legOf(err)
	l.address = address
	var server *mysql.MySQLError
	switch {
	case errors.As(err, &server):
		l.why = fmt.Sprintf("%s (error %d)", server.Message, server.Number)
	case errors.Is(err, mysql.ErrNoTLS):
		l.why = "the server offers no TLS, and the address asks for it (tls)"
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF):
		l.why = "the connection was closed, or there was no answer in time"
	}
	return l.String()
}

// connect sets a new session up in four round trips, in MySQL five, and refuses servers that take no writes.
func (c *mysqlConnector) connect(ctx context.Context, t mysqlTarget) (driver.Conn, error) {
	// The limit is on the whole of it: a frozen server takes connections and is silent.
	ctx, cancel := context.WithTimeout(ctx, t.driver.Timeout)
	defer cancel()
	connector, err := mysql.NewConnector(t.driver)
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.setUp(ctx, conn, t.address); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// driverConn is what the driver's connections can do.
type driverConn interface {
	driver.QueryerContext
	driver.ExecerContext
}

func (c *mysqlConnector) setUp(ctx context.Context, raw driver.Conn, address string) error {
	conn, ok := raw.(driverConn)
	if !ok {
		return fmt.Errorf("the MySQL driver is a %T", raw)
	}
	set, err := pairs(ctx, conn, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'super_read_only', 'tx_read_only',"+
		" 'transaction_read_only', 'wsrep_on', 'group_replication_single_primary_mode', 'group_replication_group_name', 'max_statement_time',"+
		" 'innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_enabled')")
	if err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	state, err := pairs(ctx, conn, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Slaves_running', 'Rpl_semi_sync_master_status', 'Rpl_semi_sync_source_status')")
	if err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	if _, told := state[slavesRunning]; !told { // MySQL
		if state[slavesRunning], err = mysqlFollows(ctx, conn); err != nil {
			return fmt.Errorf("set the session up: %w", err)
		}
	}
	if err := refuse(set, state); err != nil {
		return err
	}
	c.warn(address, set, state)
	for _, statement := range sessionSettings(c.attempt, set) {
		if _, err := conn.ExecContext(ctx, statement, nil); err != nil {
			return fmt.Errorf("set the session up: %w", err)
		}
	}
	return nil
}

// sessionSettings make a session ours, whatever the server's defaults are. READ
// COMMITTED makes a lost race a row that was not found, and lets the server write
// rows into its binary log, never statements: those would be computed anew on a
// replica, which has another incarnation. Strict, so that nothing is cut to fit. A
// statement that waits for a lock ends on the server after the attempt; no other
// limit may end one, since it could hit a commit that waits for its replica.
func sessionSettings(attempt time.Duration, set map[string]string) []string {
	wait := max(1, int((attempt+time.Second-1)/time.Second))
	all := fmt.Sprintf("SET NAMES utf8mb4, SESSION autocommit = 1, SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',"+
		" SESSION time_zone = '+00:00', SESSION sql_safe_updates = 0, SESSION innodb_lock_wait_timeout = %d, SESSION lock_wait_timeout = %d,"+
		" SESSION wait_timeout = %d, "+mysqlGroup+" = %t", wait, wait, int(mysqlWait.Seconds()), set["group_replication_group_name"] != "")
	if _, limited := set["max_statement_time"]; limited { // MariaDB; MySQL's limit is for reading only
		all += ", SESSION max_statement_time = 0"
	}
	return []string{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", all}
}

// slavesRunning is the status variable with which MariaDB counts the servers that it follows. MySQL had one of
// the name and lost it.
const slavesRunning = "Slaves_running"

// mysqlFollows counts the servers that a MySQL follows. It is empty where the account may not see them
// (REPLICATION CLIENT): nobody is locked out for that. Such a server is found in another way: its
// incarnation never stands still (mysqlFollowed), so nobody takes a lease there.
func mysqlFollows(ctx context.Context, conn driver.QueryerContext) (string, error) {
	n := 0
	err := eachRow(ctx, conn, mysqlReplicaStatus, func(names []string, row []driver.Value) {
		for i, name := range names {
			if (name == "Replica_IO_Running" || name == "Replica_SQL_Running") && asText(row[i]) != "No" {
				n++
				return
			}
		}
	})
	switch {
	case mysqlRights(err), mysqlNumber(err) == syntaxError: // before 8.0.22 it had another name, and the answer too
		return "", nil
	case err != nil:
		return "", err
	}
	return fmt.Sprint(n), nil
}

// refuse tells a server that cannot keep the lease, from its variables and its state.
func refuse(set, state map[string]string) error {
	switch {
	case set["wsrep_on"] == "ON":
		return of(ErrUnsuited, errGalera)
	case set["group_replication_group_name"] != "" && set["group_replication_single_primary_mode"] == "OFF":
		return of(ErrUnsuited, errMultiPrimary)
	case set["read_only"] != "" && set["read_only"] != "OFF" || set["super_read_only"] == "ON":
		return of(ErrReadOnly, errReadOnlyServer)
	case set["tx_read_only"] == "ON" || set["transaction_read_only"] == "ON":
		return of(ErrReadOnly, errReadOnlyStart)
	case state[slavesRunning] != "" && state[slavesRunning] != "0":
		return of(ErrReadOnly, errFollower)
	}
	return nil
}

// weaknesses are why a write that was answered may be lost all the same. None of
// them can be set for a session, so a person is told.
func weaknesses(set, state map[string]string) []string {
	var all []string
	if set["innodb_flush_log_at_trx_commit"] != "1" {
		all = append(all, "innodb_flush_log_at_trx_commit is not 1: the last second of writes is lost when the server's machine fails")
	}
	if set["log_bin"] == "ON" && set["sync_binlog"] != "1" {
		all = append(all, "sync_binlog is not 1: what was answered may be missing in the binary log, and on replicas, when the server's machine fails")
	}
	for _, side := range []string{"master", "source"} {
		if set["rpl_semi_sync_"+side+"_enabled"] == "ON" && state["Rpl_semi_sync_"+side+"_status"] == "OFF" {
			all = append(all, "semi-synchronous replication has given up waiting (Rpl_semi_sync_"+side+"_status is OFF): a failover can lose writes that were answered")
		}
	}
	return all
}

// warn says each weakness of a server once.
func (c *mysqlConnector) warn(address string, set, state map[string]string) {
	for _, w := range weaknesses(set, state) {
		c.mu.Lock()
		said := c.said[address+w]
		c.said[address+w] = true
		c.mu.Unlock()
		if !said {
			c.log.Warn("the database may lose what it has acknowledged", "server", address, "why", w)
		}
	}
}

// pairs reads an answer of names and values.
func pairs(ctx context.Context, conn driver.QueryerContext, query string) (map[string]string, error) {
	all := map[string]string{}
	return all, eachRow(ctx, conn, query, func(_ []string, row []driver.Value) { all[asText(row[0])] = asText(row[1]) })
}

// eachRow passes every row of an answer, with the names of its columns.
func eachRow(ctx context.Context, conn driver.QueryerContext, query string, f func(names []string, row []driver.Value)) error {
	rows, err := conn.QueryContext(ctx, query, nil)
	if err != nil {
		return err
	}
	names := rows.Columns()
	row := make([]driver.Value, len(names))
	for {
		err := rows.Next(row)
		if err == io.EOF {
			return rows.Close()
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
		f(names, row)
	}
}

func asText(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v)
}
