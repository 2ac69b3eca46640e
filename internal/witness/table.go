package witness

import (
	"context"
	"database/sql"
	"fmt"
)

// The statements are understood by SQLite and by PostgreSQL.
const (
	createTable = `CREATE TABLE IF NOT EXISTS witness_write (id VARCHAR(64) PRIMARY KEY, epoch BIGINT NOT NULL, instance VARCHAR(64) NOT NULL)`
	insertWrite = `INSERT INTO witness_write (id, epoch, instance) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`
	selectIDs   = `SELECT id FROM witness_write`
)

// insert makes the entries durable in one transaction, as durable as the
// database makes a commit.
func insert(ctx context.Context, db *sql.DB, entries []entry) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a write: %w", err)
	}
	defer tx.Rollback() // after a commit this does nothing
	for _, e := range entries {
		if _, err := tx.ExecContext(ctx, insertWrite, string(e.id), e.epoch, e.instance); err != nil {
			return fmt.Errorf("insert a write: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit a write: %w", err)
	}
	return nil
}

// readTable returns the IDs that the table has.
func readTable(ctx context.Context, db *sql.DB) (map[ID]struct{}, error) {
	rows, err := db.QueryContext(ctx, selectIDs)
	if err != nil {
		return nil, fmt.Errorf("read the table: %w", err)
	}
	defer rows.Close()
	have := map[ID]struct{}{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read the table: %w", err)
		}
		have[ID(id)] = struct{}{}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the table: %w", err)
	}
	return have, nil
}
