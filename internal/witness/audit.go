package witness

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/hotcold/hotcold/internal/clock"
)

// Evidence is what an audit looks at.
type Evidence struct {
	// Records is the directory of the records, Journal the file, DB where the
	// table is.
	Records string
	Journal string
	DB      *sql.DB
	// Acked are the writes that a client was told are there.
	Acked []ID
	// Clock tells until when a run lives that is still alive.
	Clock clock.Clock
}

// Audit reads all that the witnesses left and says what it means. An error
// says that the evidence could not be read: then nothing is known. What was
// found wrong is in the report.
func Audit(ctx context.Context, e Evidence) (Report, error) {
	lives, err := ReadLives(e.Records)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	// One that is frozen beats no more and lives on nevertheless.
	now := e.Clock.Now().Boot
	for i := range lives {
		if lives[i].Alive {
			lives[i].Last = max(lives[i].Last, now)
		}
	}
	l := newLedger()
	t, err := readJournal(e.Journal, l.add)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	table, err := readTable(ctx, e.DB)
	if err != nil {
		return Report{}, fmt.Errorf("audit: %w", err)
	}
	r := judge(lives, l, table, e.Acked)
	r.Torn = t.torn
	return r, nil
}
