package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// Any service that wants one active instance: whoever has the lease works, all
// others wait. With PostgreSQL only the dialect and the address differ.
func Example() {
	dir, err := os.MkdirTemp("", "lease")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := sqlstore.Open(ctx, sqlstore.Config{Dialect: sqlstore.SQLite, DSN: filepath.Join(dir, "lease.db")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	timing, err := lease.Settings{Update: 200 * time.Millisecond, Wait: 2 * time.Second}.Timing()
	if err != nil {
		fmt.Println(err)
		return
	}
	holder, err := lease.New(lease.Options{
		Name: "reports", Timing: timing, Store: db,
		Self: lease.Identity{Instance: "machine-a:/srv/reports", Nonce: "new with every start", Boot: "of this machine"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx, stop := context.WithCancelCause(ctx)
	end, err := holder.Run(ctx, func(ctx context.Context, term *lease.Term) lease.Ending {
		// Whatever is done here carries the epoch; ctx ends when it has to stop.
		fmt.Println("the only one, under epoch", term.Trust().Epoch)
		stop(errors.New("the work is done"))
		<-ctx.Done()
		return lease.Ending{}
	})
	fmt.Println("released:", end.Released, err)

	row, err := db.Read(context.Background(), "reports")
	fmt.Println(row, err)
	// Output:
	// the only one, under epoch 1
	// released: true <nil>
	// lease "reports" was released by machine-a:/srv/reports at epoch 1, version 2 <nil>
}

// What an administrator runs where agents may not make tables.
func ExampleSchema() {
	script, err := sqlstore.Schema(sqlstore.Postgres, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "GRANT") {
			fmt.Print(line)
		}
	}
	// Output:
	// GRANT SELECT, INSERT, UPDATE ON hotcold_lease TO :"role";
	// GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_instance TO :"role";
	// GRANT SELECT, INSERT, DELETE ON hotcold_event TO :"role";
	// GRANT SELECT, INSERT, UPDATE, DELETE ON hotcold_request TO :"role";
	// GRANT SELECT ON hotcold_meta TO :"role";
}

// How far the promise goes is asked of the database itself.
func ExampleGuaranteeOf() {
	one := sqlstore.Replication{Copies: sqlstore.CopiesNone, Text: "one server without a replica"}
	fmt.Println(sqlstore.GuaranteeOf(one, sqlstore.FencingOff))
	fmt.Println(sqlstore.GuaranteeOf(one, sqlstore.FencingDone))
	// Output:
	// level B: one server without a replica; hotcold.database.fencing makes it A
	// level A: the other machines' nodes are locked out of the database; one server without a replica
}
