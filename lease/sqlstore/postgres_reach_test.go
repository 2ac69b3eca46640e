package sqlstore_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// What a person reads at night: one address, one reason, nothing twice.
func TestAFailedConnectionSaysOnceWhereAndWhy(t *testing.T) {
	server := testserver.SharedPostgres(t)
	here := testserver.Addr(t, server.DSN())
	closed := fmt.Sprintf("127.0.0.1:%d", testserver.FreePort(t))
	for name, c := range map[string]struct{ user, addr, query, want string }{
		"nobody listens":    {"postgres", closed, "", `read lease "node": the database does not answer: ` + closed + `: connection refused`},
		"with TLS refused":  {"postgres", here, "?sslmode=require", `read lease "node": the database does not answer: ` + here + `: the server offers no TLS, and the address asks for it (sslmode)`},
		"a wrong password":  {"postgres", here, "", `read lease "node": the database refused the login: ` + here + `: password authentication failed for user "postgres" (SQLSTATE 28P01)`},
		"two hosts, 1 down": {"postgres", closed + "," + here, "", `read lease "node": the database refused the login: ` + closed + `: connection refused; ` + here + `: password authentication failed for user "postgres" (SQLSTATE 28P01)`},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := "postgres://" + url.UserPassword(c.user, "hunter2").String() + "@" + c.addr + "/postgres" + c.query
			db := open(t, sqlstore.Config{Dialect: sqlstore.Postgres, DSN: dsn})
			_, err := db.Read(t.Context(), "node")
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestANameThatDoesNotResolveIsSaidToBeOne(t *testing.T) {
	db := open(t, sqlstore.Config{Dialect: sqlstore.Postgres, DSN: "postgres://u@db.example.invalid/d"})
	_, err := db.Read(t.Context(), "node")
	if err == nil || !strings.Contains(err.Error(), "the database does not answer: the name db.example.invalid cannot be resolved: ") || strings.Count(err.Error(), "invalid") != 1 {
		t.Errorf("the error reads %v", err)
	}
}
