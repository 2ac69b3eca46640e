package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/sijms/go-ora/v2/network"

	"github.com/hotcold/hotcold/internal/clock"
)

func oracleWords() words { return words{written: oracleStatements} }

// oracleDB is an Oracle database: one, or the primary among several.
type oracleDB struct {
	prefix string
	sql    statements
	log    *slog.Logger
	clock  clock.Clock
	pools  [lanes]*sql.DB
	ready  atomic.Bool // the tables are there
}

func newOracle(c Config, clk clock.Clock) (*oracleDB, error) {
	connector, err := newOracleConnector(c)
	if err != nil {
		return nil, err
	}
	return newOracleOver(c, clk, connector), nil
}

// newOracleOver uses connections of that connector.
func newOracleOver(c Config, clk clock.Clock, connector driver.Connector) *oracleDB {
	o := &oracleDB{prefix: c.TablePrefix, sql: compose(c.TablePrefix, oracleWords()), log: c.Logger, clock: clk}
	for l := range o.pools {
		o.pools[l] = sql.OpenDB(connector)
	}
	// The numbers and the reasons are those of SQL Server.
	o.pools[leaseLane].SetMaxOpenConns(sqlserverLeaseConns)
	o.pools[leaseLane].SetMaxIdleConns(sqlserverIdle)
	o.pools[boardLane].SetMaxOpenConns(sqlserverBoardConns)
	o.pools[boardLane].SetMaxIdleConns(1)
	o.pools[boardLane].SetConnMaxIdleTime(sqlserverBoardIdle)
	return o
}

func (*oracleDB) words() words { return oracleWords() }

// onLink is a connection whose sockets can be cut.
type onLink interface{ wire() *link }

func (o *oracleDB) lend(ctx context.Context, l lane) (session, error) {
	conn, err := o.pools[l].Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &oracleSession{Conn: conn, db: o}
	err = conn.Raw(func(raw any) error {
		c, ok := raw.(onLink)
		if !ok {
			return fmt.Errorf("the Oracle driver is a %T", raw)
		}
		s.link = c.wire()
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.done = s.link.bound(ctx)
	if !o.ready.Load() {
		if err := o.ensure(ctx, s); err != nil {
			return nil, s.end(err)
		}
		o.ready.Store(true)
	}
	return s, nil
}

// ensure looks once for the tables, and makes what is missing.
func (o *oracleDB) ensure(ctx context.Context, s *oracleSession) error {
	missing, err := o.survey(ctx, s)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := o.create(ctx, s); err != nil {
			if err = o.judge(ctx, err); errors.Is(err, ErrRights) {
				return &SchemaError{Missing: missing, Err: err}
			}
			return err
		}
	}
	if s.link.partial {
		o.log.Warn("the user may not read V_$DATABASE, so a restore to a point in time and a flashback are not told from ordinary writes; stop the agents before one",
			"err", ErrRights)
	}
	var found string
	if err := s.QueryRowContext(ctx, o.sql.schemaVersion).Scan(&found); err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if found != schemaVersion {
		return &SchemaError{Found: found}
	}
	return nil
}

func (o *oracleDB) survey(ctx context.Context, s *oracleSession) (missing []string, err error) {
	rows, err := s.QueryContext(ctx, oracleSurvey(o.prefix))
	if err != nil {
		return nil, fmt.Errorf("look for the tables: %w", err)
	}
	var found []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		found = append(found, name)
	}
	for _, t := range oracleTables() {
		if !slices.Contains(found, o.prefix+t.name) {
			missing = append(missing, o.prefix+t.name)
		}
	}
	return missing, errors.Join(rows.Err(), rows.Close())
}

// create commits with each statement, as Oracle does with all that makes tables.
// Agents that do so at once find each other's tables and go on; the row that says
// that all is done is written last.
func (o *oracleDB) create(ctx context.Context, s *oracleSession) error {
	for _, statement := range o.sql.create {
		if _, err := s.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create the tables: %w", err)
		}
	}
	o.log.Info("tables were created", "prefix", o.prefix)
	return nil
}

// watch looks at a counter that every signal raises, on a connection of its own.
func (o *oracleDB) watch(ctx context.Context, name string, changed func()) error {
	lent, err := o.lend(ctx, leaseLane)
	if err != nil {
		return err
	}
	return lent.end(poll(ctx, o.clock, watchPoll, func() (string, error) {
		look, cancel := context.WithTimeout(ctx, sqlserverLook)
		defer cancel()
		var value string
		err := lent.QueryRowContext(look, o.sql.signal, signalRow(name)).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			return "", nil
		}
		return value, err
	}, changed))
}

func (o *oracleDB) close() error {
	var errs []error
	for _, pool := range o.pools {
		errs = append(errs, pool.Close())
	}
	return errors.Join(errs...)
}

// oracleKinds maps ORA numbers to kinds of errors (Database Error Messages).
func oracleKinds() map[int]error {
	kinds := map[int]error{}
	for kind, numbers := range map[error][]int{
		// 1005 no password, 1017 invalid, 1045 no CREATE SESSION, 28000 locked, 28001 expired, 28009 SYSDBA only.
		ErrLogin: {1005, 1017, 1045, 28000, 28001, 28009},
		// 1031 insufficient privileges, 1950 no quota, 41900 missing privilege.
		ErrRights: {1031, 1950, 41900},
		// 1456 read-only transaction, 16000 opened read-only, 16456 and 16649 switchover or failover.
		ErrReadOnly: {1456, 16000, 16456, 16649},
		// 257 archiver stuck, 1536 quota, 1628 to 1691 no extent, 19809 recovery area, 30036 undo.
		ErrDiskFull: {257, 1536, 1628, 1652, 1653, 1654, 1658, 1683, 1688, 1691, 19809, 19815, 30036},
		// 54 busy, 60 deadlock, 1013 given up, 2049 waited too long, 8177 serialization.
		ErrBusy: {54, 60, 1013, 2049, 8177},
		// 1578 a broken block, 600 and 7445 internal.
		ErrDamaged: {600, 1578, 7445},
		// 28 session killed, 1012 to 1092 starting or stopping, 3113 to 3135 connection lost,
		// 12150 to 12637 the listener and the net, 25402 to 25408 failing over.
		ErrUnreachable: {18, 20, 28, 1012, 1033, 1034, 1089, 1090, 1092, 3113, 3114, 3135, 12153, 12170, 12505, 12514, 12516, 12518, 12519, 12520,
			12521, 12526, 12528, 12537, 12541, 12543, 12545, 12547, 12560, 12564, 12571, 12637, 25402, 25408},
	} {
		for _, n := range numbers {
			kinds[n] = kind
		}
	}
	return kinds
}

// oracleCode is Oracle's number of an error, zero where err is none of its.
func oracleCode(err error) int {
	var e *network.OracleError
	if errors.As(err, &e) {
		return e.ErrCode
	}
	return 0
}

func (o *oracleDB) judge(ctx context.Context, err error) error {
	code := oracleCode(err)
	if code == 942 { // no such table, or none that this user may see
		o.ready.Store(false)
		return &SchemaError{Err: err}
	}
	kind, found := oracleKinds()[code]
	switch {
	case code == 1013 && ctx.Err() != nil: // given up because its caller had gone
		return unreachable(ctx, err)
	case found:
		return of(kind, err)
	case code != 0:
		return err
	case lost(ctx, err):
		return unreachable(ctx, err)
	}
	return err
}
