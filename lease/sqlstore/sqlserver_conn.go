package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
	"github.com/microsoft/go-mssqldb/msdsn"
	"golang.org/x/sys/unix"

	"github.com/hotcold/hotcold/internal/clock"
)

// sqlserverGrace is how long the driver may ask the server to give up a statement
// (an attention) whose caller has gone; then the connection is cut. The driver
// alone would wait for 5 s.
const sqlserverGrace = 250 * time.Millisecond

// sqlserverOldest is the major version of SQL Server 2016.
const sqlserverOldest = 13

// azureDatabase is the engine edition of Azure SQL Database.
const azureDatabase = 5

var (
	errSecondary = errors.New("the database takes no writes here: a secondary replica, or one that was set to READ_ONLY; the lease needs the primary")
	errDelayed   = errors.New("the database has DELAYED_DURABILITY = FORCED, so that a commit is answered before it is on disk; ALTER DATABASE ... SET DELAYED_DURABILITY = DISABLED")
)

// sqlserverConfig reads the address and takes out what the lease cannot have.
func sqlserverConfig(c Config) (msdsn.Config, error) {
	// The driver takes any other text for key=value pairs and ignores what it does not know.
	if !strings.HasPrefix(c.DSN, "sqlserver://") {
		return msdsn.Config{}, errors.New("the address of a SQL Server database wants to be sqlserver://user:password@host:port?database=NAME (it is not shown, it may hold a password)")
	}
	base, err := msdsn.Parse(c.DSN)
	if err != nil { // its text may quote a value
		return base, errors.New("the address of the SQL Server database cannot be read (it is not shown, it may hold a password); want sqlserver://user:password@host:port?database=NAME")
	}
	if base.ReadOnlyIntent {
		return base, of(ErrReadOnly, errors.New("the address has ApplicationIntent=ReadOnly, which leads to a secondary replica"))
	}
	if _, named := base.Parameters[msdsn.AppName]; !named {
		base.AppName = "hotcold"
	}
	// Only the caller decides what is tried again, and when.
	base.DisableRetry = true
	// Statements go to a log of the driver's with their arguments.
	base.LogFlags = 0
	base.ConnTimeout = 0
	if _, set := base.Parameters[msdsn.DialTimeout]; !set {
		base.DialTimeout = c.Attempt
		if base.FailOverPartner != "" { // a silent server must leave time for its partner
			base.DialTimeout /= 2
		}
	}
	return base, nil
}

// sqlserverOpening sets a session up in one round trip and asks where it is.
//
// XACT_ABORT ends a transaction with any error in it. NOCOUNT and
// IMPLICIT_TRANSACTIONS may be other than they are everywhere by the server's 'user options'.
// LOCK_TIMEOUT ends on the server what a caller has given up while it waits for
// a lock.
func sqlserverOpening(attempt time.Duration) string {
	return "SET XACT_ABORT ON; SET NOCOUNT OFF; SET IMPLICIT_TRANSACTIONS OFF; SET ANSI_NULLS ON; SET CONCAT_NULL_YIELDS_NULL ON;" +
		" SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCK_TIMEOUT " + strconv.FormatInt(max(1, attempt.Milliseconds()), 10) + ";" +
		" SELECT CONVERT(nvarchar(60), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')), CONVERT(nvarchar(60), d.delayed_durability_desc)," +
		" CONVERT(int, SERVERPROPERTY('EngineEdition')), CONVERT(nvarchar(60), SERVERPROPERTY('ProductVersion'))" +
		" FROM sys.databases AS d WHERE d.database_id = DB_ID()"
}

// sqlserverConnector opens the connections of a pool.
type sqlserverConnector struct {
	base    msdsn.Config
	opening string
}

func (*sqlserverConnector) Driver() driver.Driver { return &mssql.Driver{} }

// Connect gives each connection a dialler of its own, so that all that it opened
// can be cut: the driver reads the answers to a login without any limit.
func (c *sqlserverConnector) Connect(ctx context.Context) (driver.Conn, error) {
	l := &link{sockets: map[*socket]bool{}}
	connector := mssql.NewConnectorConfig(c.base)
	connector.Dialer = l
	stop := context.AfterFunc(ctx, l.cut)
	defer stop()
	inner, err := connector.Connect(ctx)
	if err != nil {
		l.cut()
		return nil, err
	}
	conn, ok := inner.(*mssql.Conn)
	if !ok {
		l.cut()
		return nil, fmt.Errorf("the SQL Server driver is a %T", inner)
	}
	s := &sqlserverConn{Conn: conn, link: l}
	if err := s.open(ctx, c.opening); err != nil {
		l.cut()
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// sqlserverConn is the driver's connection without its way of resetting a
// session, which would undo what was set up: nobody but us uses it.
type sqlserverConn struct {
	*mssql.Conn
	link *link
}

// open runs the statement that sets the session up and judges the server.
func (s *sqlserverConn) open(ctx context.Context, opening string) error {
	statement, err := s.PrepareContext(ctx, opening)
	if err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	defer statement.Close()
	query, ok := statement.(driver.StmtQueryContext)
	if !ok {
		return fmt.Errorf("the SQL Server driver's statement is a %T", statement)
	}
	rows, err := query.QueryContext(ctx, nil)
	if err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	var answer [4]driver.Value
	if len(rows.Columns()) != len(answer) {
		return errors.Join(errNoAnswer, rows.Close())
	}
	err = rows.Next(answer[:])
	if err = errors.Join(err, rows.Close()); err != nil {
		return fmt.Errorf("set the session up: %w", err)
	}
	edition, _ := answer[2].(int64)
	s.link.azure = edition == azureDatabase
	version := fmt.Sprint(answer[3])
	major, _ := strconv.Atoi(strings.SplitN(version, ".", 2)[0])
	switch {
	case fmt.Sprint(answer[0]) != "READ_WRITE":
		return of(ErrReadOnly, errSecondary)
	case fmt.Sprint(answer[1]) == "FORCED":
		return of(ErrDoubt, errDelayed)
	case !s.link.azure && major < sqlserverOldest:
		return fmt.Errorf("the server has version %s; hotcold wants SQL Server 2016 (13.0) or newer", version)
	}
	return nil
}

// PrepareContext sends nothing; the driver prepares by itself.
func (s *sqlserverConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	inner, err := s.Conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	statement, ok := inner.(*mssql.Stmt)
	if !ok {
		return nil, fmt.Errorf("the SQL Server driver's statement is a %T", inner)
	}
	return &sqlserverStatement{statement}, nil
}

// sqlserverStatement gives rows that are read to their end before they are closed.
// The driver alone asks the server to give up what it has not read yet, an
// attention: a round trip more, where only the last words of an answer are missing.
type sqlserverStatement struct{ *mssql.Stmt }

// QueryContext implements driver.StmtQueryContext.
func (s *sqlserverStatement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := s.Stmt.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	return &sqlserverRows{Rows: rows}, nil
}

type sqlserverRows struct {
	driver.Rows
	ended error // the end of the rows, or what came in its place
}

func (r *sqlserverRows) Next(row []driver.Value) error {
	if r.ended == nil {
		r.ended = r.Rows.Next(row)
	}
	return r.ended
}

// Close tells of an error that the server says after the last row that was asked for.
func (r *sqlserverRows) Close() error {
	spare := make([]driver.Value, len(r.Columns()))
	for r.ended == nil {
		r.ended = r.Rows.Next(spare)
	}
	err := r.Rows.Close()
	if !errors.Is(r.ended, io.EOF) {
		return errors.Join(r.ended, err)
	}
	return err
}

// ResetSession looks, without a round trip, whether a connection from the pool
// has anything to read: an idle server says nothing unless it says goodbye.
func (s *sqlserverConn) ResetSession(context.Context) error {
	if !s.IsValid() {
		return driver.ErrBadConn
	}
	return s.link.quiet()
}

// IsValid is asked when a connection is given back.
func (s *sqlserverConn) IsValid() bool { return s.Conn.IsValid() && !s.link.gone() }

// link is what one connection of the driver dialled: one socket, or several of
// which it keeps one (MultiSubnetFailover).
type link struct {
	// azure and partial say what this session cannot be asked; they are set
	// once, before the connection is lent.
	azure, partial bool

	mu      sync.Mutex // guards all below
	sockets map[*socket]bool
	broken  bool
}

// socket leaves its link when the driver closes it.
type socket struct {
	net.Conn
	link *link
}

func (s *socket) Close() error {
	s.link.mu.Lock()
	delete(s.link.sockets, s)
	s.link.mu.Unlock()
	return s.Conn.Close()
}

// DialContext implements mssql.Dialer.
func (l *link) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s := &socket{conn, l}
	l.mu.Lock()
	broken := l.broken
	if !broken {
		l.sockets[s] = true
	}
	l.mu.Unlock()
	if broken {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	return s, nil
}

// cut ends whatever waits on the connection. It may be called at any time.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for s := range l.sockets {
		_ = s.Conn.Close() // its other end learns it, or has gone
	}
}

func (l *link) gone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// bound cuts the connection a moment after ctx has ended, unless the call has come
// back by then. The result has to be called when it has.
func (l *link) bound(ctx context.Context) (done func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		timer := clock.System().Timer(clock.System().Now().Boot + sqlserverGrace)
		defer timer.Stop()
		select {
		case <-over:
		case <-timer.C():
			l.cut()
		}
	})
	return func() {
		close(over)
		if !stop() {
			<-ended
		}
	}
}

// quiet is driver.ErrBadConn where something is to be read.
func (l *link) quiet() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.sockets {
		if readable(s.Conn) {
			return driver.ErrBadConn
		}
	}
	return nil
}

// lostSQLServer finds the driver's errors of a lost connection that have no type.
func lostSQLServer(err error) bool {
	var stream mssql.StreamError
	var server mssql.ServerError
	return errors.As(err, &stream) || errors.As(err, &server) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, unix.ECONNRESET)
}
