package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
)

const (
	// mysqlPoll is how often a watcher looks, since nothing tells it: a hand-over is
	// held up by half of it on average, and each look costs the server about 0.1 ms.
	mysqlPoll = 200 * time.Millisecond
	// The connections are for what those of PostgreSQL are for; the watcher has
	// one more, which it keeps.
	mysqlLeaseConns = 3
	mysqlBoardConns = 2
	mysqlBoardIdle  = 30 * time.Second
)

// mysqlWords serve MySQL and MariaDB. Where they differ, each reads its own part:
// MariaDB what stands after /*M!, MySQL 8.0.17 and newer what stands after /*!80017.
//
// The incarnation is, in MySQL, the server's UUID. MariaDB has none, so there it is
// the server's name, port and server_id. In both follows how far this server had come when it
// last followed another one: that is another position after each promotion, also
// of one that was primary before; MySQL's is computed by mysqlFollowed. Then
// the time at which the table was made, which tells a dump that was restored; MariaDB takes that time from
// the file, so it tells a restored copy of the files too. Any account may read
// all of it.
//
// Texts are compared byte for byte: with the usual collations "A" is "a", and
// with most of those that tell them apart "a" is still "a ".
func mysqlWords() words {
	micros := func(from, to string) string { return "TIMESTAMPDIFF(MICROSECOND, " + from + ", " + to + ")" }
	const now = "UTC_TIMESTAMP(6)"
	return words{
		text: "MEDIUMTEXT", key: "VARCHAR(255)", number: "BIGINT", truth: "BOOLEAN", instant: "DATETIME(6)",
		identity: "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
		now:      "(" + now + ")",
		incarnation: "(CONVERT(CONCAT_WS('/', /*M! CONCAT(@@hostname, ':', @@port), @@server_id, @@global.gtid_slave_pos */" +
			" /*!80017 @@server_uuid, " + mysqlFollowed + " */, (SELECT UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES" +
			" WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{p}lease')) USING utf8mb4) COLLATE utf8mb4_bin)",
		micros:  func(column string) string { return micros("'1970-01-01'", column) },
		age:     func(column string) string { return micros(column, now) },
		daysAgo: func(days int) string { return fmt.Sprintf("%s - INTERVAL %d DAY", now, days) },
		skip:    "", // a duplicate is an error, and mysqlSession takes it for a row that was not written
		keep:    " ON DUPLICATE KEY UPDATE name = name",
		upsert:  func(string) string { return " ON DUPLICATE KEY UPDATE " },
		given:   func(column string) string { return "VALUES(" + column + ")" },
		next:    func(_, column string) string { return "CAST(" + column + " AS UNSIGNED) + 1" },
		table: " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4" +
			" COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */",
		inside: true,
	}
}

const (
	// mysqlGroup is set in each of our sessions: 1 where the server is in a group, whose writes all bear the
	// group's name, those of the primary too.
	mysqlGroup = "@hotcold_group"
	// mysqlFollowed is, in MySQL, a digest of the transactions that this server has from others. It stands still
	// while a server leads, is another after each promotion, and never stands still on a server that follows
	// one which is written to. NULL where there are none: a server that never followed, one without GTIDs,
	// one of a group. GTID_SUBTRACT would leave tagged transactions of our own.
	mysqlFollowed = "IF(" + mysqlGroup + ", NULL, LEFT(SHA2(NULLIF(REGEXP_REPLACE(@@global.gtid_executed," +
		" CONCAT(@@server_uuid, '[^,]*|,|[[:space:]]'), ''), ''), 256), 16))"
)

const mysqlUsage = `-- For MySQL and MariaDB alike. Run it once, with the account under which the agents log in:
--     mysql --init-command="SET @agent = '''USER''@''%'''" DATABASE < FILE
`

// mysqlGrant goes through a prepared statement: GRANT itself takes no variable.
func mysqlGrant(rights, table string) string {
	return fmt.Sprintf("SET @statement = CONCAT('GRANT %s ON %s TO ', @agent);\nPREPARE hotcold FROM @statement;\nEXECUTE hotcold;\n", rights, table)
}

// mysqlDB is a MySQL or MariaDB server, or several of which one takes writes.
type mysqlDB struct {
	prefix  string
	attempt time.Duration
	sql     statements
	log     *slog.Logger
	clock   clock.Clock
	pools   [lanes]*sql.DB
	ready   atomic.Bool // the tables and the rights are there
}

func newMySQL(c Config, clk clock.Clock) (*mysqlDB, error) {
	connector, err := newMySQLConnector(c)
	if err != nil {
		return nil, err
	}
	m := &mysqlDB{prefix: c.TablePrefix, attempt: c.Attempt, sql: compose(c.TablePrefix, mysqlWords()), log: c.Logger, clock: clk}
	for l := range m.pools {
		m.pools[l] = sql.OpenDB(connector)
		m.pools[l].SetMaxIdleConns(1)
	}
	m.pools[leaseLane].SetMaxOpenConns(mysqlLeaseConns + 1)
	m.pools[leaseLane].SetMaxIdleConns(2) // the lease's and the watcher's
	m.pools[boardLane].SetMaxOpenConns(mysqlBoardConns)
	m.pools[boardLane].SetConnMaxIdleTime(mysqlBoardIdle)
	return m, nil
}

func (*mysqlDB) words() words { return mysqlWords() }

func (m *mysqlDB) lend(ctx context.Context, l lane) (session, error) {
	conn, err := m.pools[l].Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &mysqlSession{conn}
	if !m.ready.Load() {
		if err := m.ensure(ctx, s); err != nil {
			return nil, s.end(err)
		}
		m.ready.Store(true)
	}
	return s, nil
}

// ensure looks once for the tables and the rights, and makes what is missing.
func (m *mysqlDB) ensure(ctx context.Context, s *mysqlSession) error {
	missing, err := m.missing(ctx, s)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := m.create(ctx, s); err != nil {
			return m.notCreated(ctx, missing, err)
		}
		if missing, err = m.missing(ctx, s); err != nil || len(missing) > 0 {
			return errors.Join(err, &SchemaError{Missing: missing})
		}
	}
	denied, err := m.denied(ctx, s)
	if err != nil {
		return err
	}
	if len(denied) > 0 {
		return &RightsError{Missing: denied}
	}
	var found string
	if err := s.QueryRowContext(ctx, m.sql.schemaVersion).Scan(&found); err != nil {
		return fmt.Errorf("read the version of the tables: %w", err)
	}
	if found != schemaVersion {
		return &SchemaError{Found: found}
	}
	return nil
}

// missing lists the tables that are not there, or not to be seen by this account,
// and refuses those that another engine keeps: only InnoDB's row is written
// once or not at all.
func (m *mysqlDB) missing(ctx context.Context, s *mysqlSession) ([]string, error) {
	rows, err := s.QueryContext(ctx, "SELECT TABLE_NAME, COALESCE(ENGINE, '') FROM information_schema.TABLES"+
		" WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE ?", strings.ReplaceAll(m.prefix, "_", `\_`)+"%")
	if err != nil {
		return nil, fmt.Errorf("look for the tables: %w", err)
	}
	engines := map[string]string{}
	for rows.Next() {
		var name, engine string
		if err := rows.Scan(&name, &engine); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		engines[name] = engine
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("look for the tables: %w", err)
	}
	var missing []string
	for _, t := range tables() {
		switch engine, found := engines[m.prefix+t.name]; {
		case !found:
			missing = append(missing, m.prefix+t.name)
		case engine != "InnoDB":
			return nil, of(ErrUnsuited, fmt.Errorf("the engine of table %s is %q, and it has to be InnoDB", m.prefix+t.name, engine))
		}
	}
	return missing, nil
}

func (m *mysqlDB) create(ctx context.Context, s *mysqlSession) error {
	for _, statement := range m.sql.create {
		if _, err := s.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create the tables: %w", err)
		}
	}
	m.log.Info("tables were created", "prefix", m.prefix)
	return nil
}

// notCreated tells an account that may not create tables from a server that cannot.
func (m *mysqlDB) notCreated(ctx context.Context, missing []string, err error) error {
	if kind := m.judge(ctx, err); !errors.Is(kind, ErrRights) {
		return kind
	}
	return &SchemaError{Missing: missing, Err: of(ErrRights, err)}
}

// denied tries each right on no row: what an account may do can come from grants
// to it, to its roles or to everybody, and only the server adds them up.
func (m *mysqlDB) denied(ctx context.Context, s *mysqlSession) ([]string, error) {
	var denied []string
	for _, t := range tables() {
		name := m.prefix + t.name
		for _, right := range t.rights {
			_, err := s.ExecContext(ctx, trial(right, name, t))
			switch {
			case errors.Is(m.judge(ctx, err), ErrRights):
				denied = append(denied, right+" on "+name)
			case err != nil:
				return nil, fmt.Errorf("try %s on %s: %w", right, name, err)
			}
		}
	}
	return denied, nil
}

// trial needs that right and no other, and touches no row.
func trial(right, name string, t table) string {
	first, _, _ := strings.Cut(t.columns[0], " ")
	switch right {
	case "INSERT":
		return "INSERT INTO " + name + " SELECT NULL" + strings.Repeat(", NULL", t.width()-1) + " FROM (SELECT 1) one WHERE 1 = 0"
	case "UPDATE":
		return "UPDATE " + name + " SET " + first + " = NULL WHERE 1 = 0"
	case "DELETE":
		return "DELETE FROM " + name + " WHERE 1 = 0"
	}
	return "SELECT 1 FROM " + name + " WHERE 1 = 0"
}

// watch looks at what the signals of other databases tell of: who holds the lease,
// and how far its requests are. It holds no lock and writes nothing.
func (m *mysqlDB) watch(ctx context.Context, name string, changed func()) error {
	s, err := m.lend(ctx, leaseLane)
	if err != nil {
		return err
	}
	err = poll(ctx, m.clock, mysqlPoll, func() (string, error) { return m.look(ctx, s, name) }, changed)
	return s.end(err)
}

func (m *mysqlDB) look(ctx context.Context, s session, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, m.attempt)
	defer cancel()
	var seen [7]sql.NullString
	err := s.QueryRowContext(ctx, m.sql.look, name, name).Scan(&seen[0], &seen[1], &seen[2], &seen[3], &seen[4], &seen[5], &seen[6])
	return fmt.Sprint(seen), err
}

func (m *mysqlDB) close() error {
	for _, pool := range m.pools {
		// An error is that of a goodbye to a server that had gone, for which the driver has
		// no error of a name. The connections are closed, and nothing is left to write.
		_ = pool.Close()
	}
	return nil
}
