package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/hotcold/hotcold/internal/clock"
)

// writerVar makes this test binary a node that writes to the database it names, as fast as it can.
const writerVar = "HOTCOLD_E2E_WRITER"

// refusals is the file, in the node's directory, that grows by a byte whenever the
// database refuses the writer.
const refusals = "refused"

// writer is a node that does not know when to stop. Its first row says how many rows of
// others it saw: what is more in the end came after its start.
func writer(dsn string) int {
	epoch, err := strconv.Atoi(os.Getenv("HOTCOLD_EPOCH"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx := context.Background()
	for first := true; ; {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil && first {
			_, err = conn.Exec(ctx, `INSERT INTO journal (epoch, others) SELECT $1, count(*) FROM journal WHERE writer <> session_user`, epoch)
			first = err != nil
		}
		for err == nil {
			_, err = conn.Exec(ctx, "INSERT INTO journal (epoch) VALUES ($1)", epoch)
		}
		fmt.Println(err)
		if refused() != nil || clock.Wait(ctx, clock.System(), lookPause) != nil {
			return 1
		}
	}
}

func refused() error {
	f, err := os.OpenFile(refusals, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString("x"); err != nil {
		return err
	}
	return f.Close()
}
