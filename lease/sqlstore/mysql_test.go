package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease/leasetest"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// The database changes by the promotion of a real replica, to which the address
// then leads, as a name does that is moved.
func TestMySQLKeepsThePromisesOfALease(t *testing.T) {
	onEachMySQL(t, func(t *testing.T, my myKind) {
		pair := my.pair(t, true)
		relayed := testserver.Proxy(t, pair.Primary.Addr())
		through := testserver.Via(t, pair.Primary.DSN(), relayed.Addr())
		fixtures := 0
		leasetest.Run(t, func(t *testing.T) leasetest.Fixture {
			fixtures++
			c := sqlstore.Config{Dialect: my.dialect, DSN: through, TablePrefix: fmt.Sprintf("fixture%d_", fixtures)}
			return leasetest.Fixture{
				A: open(t, c), B: open(t, c),
				Hang: relayed.Hang, Restore: func() { relayed.Restore(t) },
				ChangeIncarnation: func() {
					pair.Promote(t)
					relayed.Redirect(pair.Primary.Addr())
					pair.Rejoin(t)
				},
				WatchWithin: 2 * time.Second,
			}
		})
	})
}
