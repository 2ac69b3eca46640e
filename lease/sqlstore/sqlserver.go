package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// sqlserverLeaseConns: one in use, one that is being opened while a dead one is
	// still being given up, one for a reader beside the renewal, one that watches.
	sqlserverLeaseConns = 4
	// sqlserverIdle are kept: the one that renews and the one that reads beside it.
	sqlserverIdle = 2
	// sqlserverBoardConns and sqlserverBoardIdle are as for PostgreSQL.
	sqlserverBoardConns = postgresBoardConns
	sqlserverBoardIdle  = postgresBoardIdle
	// sqlserverLook limits one look of a watcher at its signal: nobody waits for the
	// watcher, and a connection that is silent for longer is given up.
	sqlserverLook = 10 * time.Second
)

func sqlserverWords() words { return words{written: sqlserverStatements} }

// sqlserverDB is a SQL Server: one, or the primary behind a listener.
type sqlserverDB struct {
	prefix string
	sql    statements
	log    *slog.Logger
	clock  clock.Clock
	pools  [lanes]*sql.DB
	ready  atomic.Bool // the tables and the rights are there
}

func newSQLServer(c Config, clk clock.Clock) (*sqlserverDB, error) {
	base, err := sqlserverConfig(c)
	if err != nil {
		return nil, err
	}
	q := &sqlserverDB{prefix: c.TablePrefix, sql: compose(c.TablePrefix, sqlserverWords()), log: c.Logger, clock: clk}
	connector := &sqlserverConnector{base: base, opening: sqlserverOpening(c.Attempt)}
	for l := range q.pools {
		q.pools[l] = sql.OpenDB(connector)
	}
	q.pools[leaseLane].SetMaxOpenConns(sqlserverLeaseConns)
	q.pools[leaseLane].SetMaxIdleConns(sqlserverIdle)
	q.pools[boardLane].SetMaxOpenConns(sqlserverBoardConns)
	q.pools[boardLane].SetMaxIdleConns(1)
	q.pools[boardLane].SetConnMaxIdleTime(sqlserverBoardIdle)
	return q, nil
}

func (*sqlserverDB) words() words { return sqlserverWords() }

func (q *sqlserverDB) lend(ctx context.Context, l lane) (session, error) {
	s, err := q.connect(ctx, l)
	if err != nil {
		return nil, err
	}
	if !q.ready.Load() {
		if err := q.ensure(ctx, s); err != nil {
			return nil, s.end(err)
		}
		q.ready.Store(true)
	}
	return s, nil
}

// connect takes a connection out of a pool. Its caller's context bounds it until end.
func (q *sqlserverDB) connect(ctx context.Context, l lane) (*sqlserverSession, error) {
	conn, err := q.pools[l].Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &sqlserverSession{Conn: conn, db: q}
	err = conn.Raw(func(raw any) error {
		c, ok := raw.(*sqlserverConn)
		if !ok {
			return fmt.Errorf("the SQL Server driver is a %T", raw)
		}
		s.link = c.link
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.done = s.link.bound(ctx)
	return s, nil
}

// ensure looks once for the tables and the rights, and makes what is missing.
func (q *sqlserverDB) ensure(ctx context.Context, s *sqlserverSession) error {
	missing, denied, err := q.survey(ctx, s)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := q.create(ctx, s); err != nil {
			return q.notCreated(ctx, missing, err)
		}
		if missing, denied, err = q.survey(ctx, s); err != nil {
			return err
		}
	}
	switch {
	case len(missing) > 0:
		return &SchemaError{Missing: missing}
	case len(denied) > 0:
		return &RightsError{Missing: denied}
	}
	var found string
	if err := s.QueryRowContext(ctx, q.sql.schemaVersion).Scan(&found); err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if found != schemaVersion {
		return &SchemaError{Found: found}
	}
	return nil
}

// notCreated tells a user who may not create tables from a server that cannot.
func (q *sqlserverDB) notCreated(ctx context.Context, missing []string, err error) error {
	err = q.judge(ctx, err)
	if errors.Is(err, ErrRights) {
		return &SchemaError{Missing: missing, Err: err}
	}
	return err
}

// survey lists the tables that are not there and the rights that are not granted. A
// table on which the user has no right at all cannot be told from one that is not there.
func (q *sqlserverDB) survey(ctx context.Context, s *sqlserverSession) (missing, denied []string, err error) {
	rows, err := s.QueryContext(ctx, sqlserverSurvey(q.prefix))
	if err != nil {
		return nil, nil, fmt.Errorf("look for the tables: %w", err)
	}
	for rows.Next() {
		var name, right string
		var exists, granted bool
		if err := rows.Scan(&name, &right, &exists, &granted); err != nil {
			return nil, nil, errors.Join(err, rows.Close())
		}
		switch {
		case !exists && (len(missing) == 0 || missing[len(missing)-1] != name):
			missing = append(missing, name)
		case exists && !granted:
			denied = append(denied, right+" on "+name)
		}
	}
	return missing, denied, errors.Join(rows.Err(), rows.Close())
}

// create makes the tables under a lock of the application's, which ends with the
// transaction: two agents may start at once.
func (q *sqlserverDB) create(ctx context.Context, s *sqlserverSession) (err error) {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("create the tables: %w", err)
	}
	for _, statement := range append([]string{sqlserverSchemaLock(q.prefix)}, q.sql.create...) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create the tables: %w", errors.Join(err, rolledBack(tx)))
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("create the tables: %w", err)
	}
	q.log.Info("tables were created", "prefix", q.prefix)
	return nil
}

// rolledBack ends a transaction; with XACT_ABORT the server has often done so
// already, and what ended it says more than that.
func rolledBack(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) && number(err) == 0 {
		return err
	}
	return nil
}

// watch looks at a counter that every signal raises, on a connection of its own.
func (q *sqlserverDB) watch(ctx context.Context, name string, changed func()) error {
	lent, err := q.lend(ctx, leaseLane)
	if err != nil {
		return err
	}
	return lent.end(poll(ctx, q.clock, watchPoll, func() (string, error) {
		look, cancel := context.WithTimeout(ctx, sqlserverLook)
		defer cancel()
		var value string
		err := lent.QueryRowContext(look, q.sql.signal, signalRow(name)).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return "", nil
		}
		return value, err
	}, changed))
}

func (q *sqlserverDB) close() error {
	var errs []error
	for _, pool := range q.pools {
		errs = append(errs, pool.Close())
	}
	return errors.Join(errs...)
}

// sqlserverKinds maps the numbers of SQL Server's errors to kinds of errors
// (Database Engine events and errors).
func sqlserverKinds() map[int32]error {
	kinds := map[int32]error{}
	for kind, numbers := range map[error][]int32{
		// 4060 cannot open the database, 4064 nor the login's default, 911 no such database,
		// 18452 untrusted domain, 18456 login failed, 18470 disabled, 18486 locked,
		// 18487 and 18488 password expired, 916 not a user of the database, 40532 no such server.
		ErrLogin: {911, 916, 4060, 4064, 18452, 18456, 18470, 18486, 18487, 18488, 40532},
		// 229 and 230 permission denied, 262 to create, 297 and 300 to do the action, 2760 to use
		// the schema, 15151 and 15247 cannot find, or may not,
		// 6102 to KILL, 51001 of our own.
		ErrRights: {229, 230, 262, 297, 300, 2760, 6102, 15151, 15247, 51001},
		// 3906 read-only database, 3908 in bypass recovery, 976 and 978 secondary, not readable or only
		// with read intent, 982 and 983 replica not in the right role, 3907 and 3910 snapshot.
		ErrReadOnly: {976, 978, 982, 983, 3906, 3907, 3908},
		// 1101, 1105 file group full, 9002 log full, 40544 quota of Azure.
		ErrDiskFull: {1101, 1105, 9002, 40544},
		// 1204 out of locks, 1205 deadlock, 1222 lock timeout, 3960 snapshot conflict, 51000 of our own.
		ErrBusy: {1204, 1205, 1222, 3960, 51000},
		// 823, 824 I/O of a page, 825 read again, 605 wrong page, 5243 inconsistency.
		ErrDamaged: {605, 823, 824, 825, 5243},
		// 596 session killed, 701 and 802 out of memory, 921 to 959 not recovered, offline, mirrored
		// or in an availability group that changes roles, 6005 shutting down, 17142 paused,
		// 17187, 17197 and 18401 not ready for logins; Azure: 10928, 10929 and 40501 limits,
		// 40197 and 40613 failing over.
		ErrUnreachable: {596, 701, 802, 921, 922, 927, 942, 945, 946, 954, 955, 956, 957, 959, 6005, 10928, 10929, 17142, 17187, 17197, 18401, 40197, 40501, 40613},
	} {
		for _, n := range numbers {
			kinds[n] = kind
		}
	}
	return kinds
}

// number is SQL Server's number of an error, zero where err is none of its.
func number(err error) int32 {
	var e mssql.Error
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// sayingSQLServer shows the number, by which the manual is searched.
func sayingSQLServer(err error) error {
	if n := number(err); n != 0 {
		return fmt.Errorf("%w (SQL Server error %d)", err, n)
	}
	return err
}

func (q *sqlserverDB) judge(ctx context.Context, err error) error {
	n := number(err)
	if n == 208 { // invalid object name: it was dropped meanwhile, or is hidden
		q.ready.Store(false)
		return &SchemaError{Err: sayingSQLServer(err)}
	}
	kind, found := sqlserverKinds()[n]
	switch {
	case found && kind == ErrRights:
		q.ready.Store(false) // the next call says exactly what is missing
		fallthrough
	case found:
		return of(kind, sayingSQLServer(err))
	case n != 0:
		return sayingSQLServer(err)
	case lost(ctx, err), lostSQLServer(err):
		return unreachable(ctx, err)
	}
	return err
}
