package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcold/hotcold/lease"
)

// mysqlLocks locks accounts of a MySQL or MariaDB server out, with all of their hosts.
//
// ALTER USER commits before and after itself, so no transaction can hold the lease's
// row over it. In its place stands a turn: a named lock of the server, which only sessions that
// fence for this lease take, and which ends with its session. Whoever has the
// turn looks at the row and then alters; whoever finds the turn taken, and the row his own, waits for a second
// and then ends the session that has it. So:
//
//   - What a holder of before does without the turn is nothing.
//   - What it does with the turn it began when the row was still its own. It may come after the row
//     has changed, but its successor gets the turn only when that statement is over and that session has ended
//     or let go, and then sets all accounts anew.
//   - Once a successor has had the turn, the row is another one for every look that comes later.
//
// So the last word on every account is the last holder's, and no node is let in before. What
// remains is that a late holder ends the session in which its successor is fencing, between its look at the row and
// the change of the row: that fence fails, and is tried again.
type mysqlLocks struct{ prefix string }

func (m *mysqlDB) locks() locks { return mysqlLocks{m.prefix} }

const (
	// mysqlTurnName has 64 characters, as many as such a name may have. Its arguments are the prefix and the lease.
	mysqlTurnName = "CONCAT('hotcold/', SHA2(CONCAT_WS('/', DATABASE(), ?, ?), 224))"
	// mysqlTurn is how long the turn is waited for before it is taken away. One who is alive has
	// it for milliseconds.
	mysqlTurn = time.Second
	// mysqlLetGo limits giving the turn back.
	mysqlLetGo = time.Second
)

// guarded does then while it has the turn and the lease's row is as f says.
func (l mysqlLocks) guarded(ctx context.Context, s session, f Fence, then func() error) error {
	own, ok := s.(*mysqlSession)
	if !ok {
		return fmt.Errorf("the session is a %T", s)
	}
	defer l.letGo(ctx, own, f)
	for {
		var got bool
		err := s.QueryRowContext(ctx, "SELECT COALESCE(GET_LOCK("+mysqlTurnName+", ?), 0)", l.prefix, f.Lease, int(mysqlTurn.Seconds())).Scan(&got)
		if err != nil {
			return err
		}
		if err := l.held(ctx, s, f); err != nil {
			return err
		}
		if got {
			return then()
		}
		if err := l.takeAway(ctx, s, f); err != nil {
			return err
		}
	}
}

// letGo gives the turn back, or throws the session away: the turn ends with it.
func (l mysqlLocks) letGo(ctx context.Context, s *mysqlSession, f Fence) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mysqlLetGo)
	defer cancel()
	if _, err := s.ExecContext(ctx, "DO RELEASE_LOCK("+mysqlTurnName+")", l.prefix, f.Lease); err != nil {
		_ = s.Raw(func(any) error { return driver.ErrBadConn }) // the order to throw it away
	}
}

// held looks whether the lease's row is as f says.
func (l mysqlLocks) held(ctx context.Context, s session, f Fence) error {
	var held int
	err := s.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+l.prefix+"lease WHERE name = ? AND holder = ? AND nonce = ? AND epoch = ? AND NOT released",
		f.Lease, f.Holder, f.Nonce, f.Epoch).Scan(&held)
	if err == nil && held == 0 {
		err = lease.ErrChanged
	}
	return err
}

// takeAway ends the session that has the turn: its client froze, or was cut off.
func (l mysqlLocks) takeAway(ctx context.Context, s session, f Fence) error {
	var id uint64
	if err := s.QueryRowContext(ctx, "SELECT COALESCE(IS_USED_LOCK("+mysqlTurnName+"), 0)", l.prefix, f.Lease).Scan(&id); err != nil || id == 0 {
		return err
	}
	return l.kill(ctx, s, id)
}

func (mysqlLocks) kill(ctx context.Context, s session, id uint64) error {
	_, err := s.write(ctx, "", fmt.Sprintf("KILL CONNECTION %d", id))
	if mysqlNumber(err) == noSuchThread {
		return nil
	}
	return err
}

// mysqlAccount is a name and the host from which it may log in.
type mysqlAccount struct{ user, host string }

func (a mysqlAccount) String() string { return mysqlName(a.user) + "@" + mysqlName(a.host) }

// mysqlName quotes a name whatever sql_mode says.
func mysqlName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// accounts are all that there are, roles of MariaDB left out: those have no host.
func (mysqlLocks) accounts(ctx context.Context, s session) ([]mysqlAccount, error) {
	rows, err := s.QueryContext(ctx, "SELECT User, Host FROM mysql.user WHERE Host <> ''")
	if err != nil {
		return nil, err
	}
	var all []mysqlAccount
	for rows.Next() {
		var a mysqlAccount
		if err := rows.Scan(&a.user, &a.host); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, a)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

// alter locks or unlocks every account of these names, in one statement.
func (l mysqlLocks) alter(ctx context.Context, s session, word string, names ...string) error {
	accounts, err := l.accounts(ctx, s)
	if err != nil {
		return err
	}
	var some []string
	for _, name := range names {
		before := len(some)
		for _, a := range accounts {
			if a.user == name {
				some = append(some, a.String())
			}
		}
		if len(some) == before {
			return fmt.Errorf("there is no account of the name %s", name)
		}
	}
	_, err = s.write(ctx, "", "ALTER USER "+strings.Join(some, ", ")+" ACCOUNT "+word)
	return err
}

// unauthenticated is what the list of sessions says of one who is logging in.
const unauthenticated = "unauthenticated user"

// sessions are the users by the number of the session. Without the right to see those of
// others there would be none, so that comes first.
func (mysqlLocks) sessions(ctx context.Context, s session) (map[uint64]string, error) {
	if err := seesSessions(ctx, s); err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, "SELECT ID, USER FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()")
	if err != nil {
		return nil, err
	}
	all := map[uint64]string{}
	for rows.Next() {
		var id uint64
		var user string
		if err := rows.Scan(&id, &user); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all[id] = user
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

// shut also returns who is logging in: whether an account is locked is looked up in the
// midst of that, before the list of sessions need say whose it is.
func (l mysqlLocks) shut(ctx context.Context, s session, f Fence) (pending string, err error) {
	err = l.guarded(ctx, s, f, func() error {
		if err := l.alter(ctx, s, "LOCK", f.Others...); err != nil {
			return err
		}
		all, err := l.sessions(ctx, s)
		var logins []string
		for id, user := range all {
			if user == unauthenticated {
				logins = append(logins, strconv.FormatUint(id, 10))
			}
		}
		pending = strings.Join(logins, ",")
		return err
	})
	return pending, err
}

// end counts a login that has become a session as one: the list has one line for both.
func (l mysqlLocks) end(ctx context.Context, s session, f Fence, pending string) (theirs, coming int, err error) {
	err = l.guarded(ctx, s, f, func() error {
		all, err := l.sessions(ctx, s)
		if err != nil {
			return err
		}
		logins := strings.Split(pending, ",")
		for id, user := range all {
			switch {
			case user == unauthenticated && slices.Contains(logins, strconv.FormatUint(id, 10)):
				coming++
			case slices.Contains(f.Others, user):
				theirs++
				if err := l.kill(ctx, s, id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return theirs, coming, err
}

// open counts every transaction that is prepared: the servers do not say whose it is.
func (l mysqlLocks) open(ctx context.Context, s session, f Fence) (prepared int, err error) {
	err = l.guarded(ctx, s, f, func() error {
		rows, err := s.QueryContext(ctx, "XA RECOVER")
		if err != nil {
			return err
		}
		for rows.Next() {
			prepared++
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		all, err := l.sessions(ctx, s)
		if err != nil {
			return err
		}
		for id, user := range all {
			if user != f.Mine {
				continue
			}
			if err := l.kill(ctx, s, id); err != nil {
				return err
			}
		}
		return l.alter(ctx, s, "UNLOCK", f.Mine)
	})
	return prepared, err
}
