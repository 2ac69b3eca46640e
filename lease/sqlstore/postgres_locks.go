package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hotcold/hotcold/lease"
)

// postgresLocks locks roles of a PostgreSQL cluster out, in all of its databases.
type postgresLocks struct{ prefix string }

func (p *postgresDB) locks() locks { return postgresLocks{p.prefix} }

// notHeld is the SQLSTATE, of a class that PostgreSQL leaves to others, with which
// a statement says that the lease's row is not as the fence says.
const notHeld = "HC001"

// guarded is one statement that does then if the lease's row is as f says, and
// holds the row meanwhile, so that no claim comes between. It is one message: a
// machine that freezes in the middle leaves no lock on the row.
func (p postgresLocks) guarded(f Fence, then ...string) string {
	body := fmt.Sprintf("BEGIN\nPERFORM 1 FROM %s;\n"+
		"IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = 'the lease is not held under this epoch'; END IF;\n%s\nEND",
		p.row(f), notHeld, strings.Join(then, "\n"))
	return "DO " + literal(body)
}

// row is the lease's row if it is as f says, to be held until the transaction ends.
func (p postgresLocks) row(f Fence) string {
	return fmt.Sprintf("%slease WHERE name = %s AND holder = %s AND nonce = %s AND epoch = %d AND NOT released FOR UPDATE",
		p.prefix, literal(f.Lease), literal(f.Holder), literal(f.Nonce), f.Epoch)
}

func (p postgresLocks) exec(ctx context.Context, s session, statement string) error {
	_, err := s.write(ctx, "", statement)
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == notHeld {
		return lease.ErrChanged
	}
	return err
}

// login changes whether a role may log in, where that is not so already, and says
// why in its comment, which an administrator sees in \du+.
func login(role string, may bool, comment string) string {
	word, now := "LOGIN", "NOT rolcanlogin"
	if !may {
		word, now = "NOLOGIN", "rolcanlogin"
	}
	return fmt.Sprintf("IF EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s AND %s) THEN ALTER ROLE %s %s; END IF;\nCOMMENT ON ROLE %[3]s IS %[5]s;",
		literal(role), now, identifier(role), word, literal(comment))
}

func (p postgresLocks) shut(ctx context.Context, s session, f Fence) (pending string, err error) {
	var then []string
	for _, role := range f.Others {
		then = append(then, login(role, false, fmt.Sprintf("hotcold: locked out at epoch %d of lease %q, held by %s", f.Epoch, f.Lease, f.Holder)))
	}
	if err := p.exec(ctx, s, p.guarded(f, then...)); err != nil {
		return "", err
	}
	err = s.QueryRowContext(ctx, postgresUnderWay).Scan(&pending)
	return pending, err
}

// A server process checks the login within a transaction, before pg_stat_activity tells whose it is;
// the lock on the transaction's own number shows it meanwhile. So the transactions that are under way once the
// roles have no login are all that a login of before can hide in.
const (
	postgresUnderWay = `
SELECT COALESCE(array_agg(virtualxid), '{}')::text FROM pg_locks WHERE locktype = 'virtualxid' AND pid <> pg_backend_pid()`

	postgresStillUnderWay = `
SELECT COALESCE(array_agg(pid), '{}')::text FROM pg_locks
WHERE locktype = 'virtualxid' AND virtualxid = ANY($1::text::text[]) AND pid IS NOT NULL`

	// Up to version 17 a process that logs in is not in pg_stat_activity at all,
	// from 18 on its state is "starting".
	postgresEnd = `
SELECT EXISTS (SELECT 1 FROM held),
	CASE WHEN EXISTS (SELECT 1 FROM held) THEN (SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a WHERE a.usename = ANY($1)) ELSE 0 END,
	(SELECT count(*) FROM unnest($2::text::int[]) c(pid) WHERE NOT EXISTS
		(SELECT 1 FROM pg_stat_activity a WHERE a.pid = c.pid AND a.state IS DISTINCT FROM 'starting'))`
)

// end looks at the transactions first: one that is over by then has become a
// session that the second look sees, or was refused. It holds the row while it ends sessions:
// a holder that was frozen since shut would end those of its successor's node. CASE
// looks at no session before the row is ours.
func (p postgresLocks) end(ctx context.Context, s session, f Fence, pending string) (theirs, coming int, err error) {
	var still string // numbers of processes, an array in PostgreSQL's own words
	if err := s.QueryRowContext(ctx, postgresStillUnderWay, pending).Scan(&still); err != nil {
		return 0, 0, err
	}
	var held bool
	err = s.QueryRowContext(ctx, "WITH held AS (SELECT 1 FROM "+p.row(f)+")"+postgresEnd, f.Others, still).Scan(&held, &theirs, &coming)
	if err = errors.Join(err, forgetWarning(s)); err == nil && !held {
		err = lease.ErrChanged
	}
	return theirs, coming, err
}

// forgetWarning: the server warns of a session that ended by itself before it could be ended. That is
// no commit in doubt.
func forgetWarning(s session) error {
	own, ok := s.(*postgresSession)
	if !ok {
		return fmt.Errorf("the session is a %T", s)
	}
	return own.Raw(func(conn any) error {
		if c, ok := conn.(*stdlib.Conn); ok {
			takeDoubt(c.Conn())
		}
		return nil
	})
}

// open also ends sessions of our own role: no node of ours is alive, and what is left of the
// last one holds locks until the server notices that its client has gone.
func (p postgresLocks) open(ctx context.Context, s session, f Fence) (prepared int, err error) {
	// Only while sessions are ended are warnings kept back: those of the commit have to be heard.
	err = p.exec(ctx, s, p.guarded(f,
		"PERFORM pg_catalog.set_config('client_min_messages', 'error', true);",
		"PERFORM pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = "+literal(f.Mine)+";",
		"PERFORM pg_catalog.set_config('client_min_messages', 'notice', true);",
		login(f.Mine, true, fmt.Sprintf("hotcold: let in at epoch %d of lease %q, held by %s", f.Epoch, f.Lease, f.Holder))))
	if err != nil {
		return 0, err
	}
	err = s.QueryRowContext(ctx, "SELECT count(*) FROM pg_prepared_xacts WHERE owner = ANY($1)", f.Others).Scan(&prepared)
	return prepared, err
}

// postgresRights asks for each role what stands in the way.
const postgresRights = `
SELECT r.name, p.oid IS NOT NULL, COALESCE(p.rolsuper, false), r.name = session_user,
	me.rolsuper OR me.rolcreaterole,
	me.rolsuper OR current_setting('server_version_num')::int < 160000
		OR COALESCE(pg_has_role(current_user, p.oid, 'MEMBER WITH ADMIN OPTION'), false),
	me.rolsuper OR pg_has_role(current_user, 'pg_signal_backend', 'USAGE'),
	me.rolsuper OR pg_has_role(current_user, 'pg_monitor', 'USAGE'), current_user
FROM unnest($1::text[]) WITH ORDINALITY r(name, n) LEFT JOIN pg_roles p ON p.rolname = r.name
CROSS JOIN (SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user) me ORDER BY r.n`

func (p postgresLocks) lacking(ctx context.Context, s session, f Fence) (faults, grants []string, err error) {
	rows, err := s.QueryContext(ctx, postgresRights, append([]string{f.Mine}, f.Others...))
	if err != nil {
		return nil, nil, err
	}
	for first := true; rows.Next(); first = false {
		var r postgresRight
		if err := rows.Scan(&r.role, &r.exists, &r.super, &r.self, &r.createRole, &r.admin, &r.signal, &r.monitor, &r.me); err != nil {
			return nil, nil, errors.Join(err, rows.Close())
		}
		if first {
			faults, grants = r.general(faults, grants)
		}
		faults, grants = r.special(faults, grants)
	}
	return faults, grants, errors.Join(rows.Err(), rows.Close())
}

// postgresRight is what stands between the agents' role and one node's role.
type postgresRight struct {
	role, me                           string
	exists, super, self                bool
	createRole, admin, signal, monitor bool
}

// general is what the agents' role lacks whatever the node's role is.
func (r postgresRight) general(faults, grants []string) (f, g []string) {
	if !r.createRole {
		faults = append(faults, fmt.Sprintf("the role %s may not alter roles", r.me))
		grants = append(grants, "ALTER ROLE "+identifier(r.me)+" CREATEROLE")
	}
	if !r.signal {
		faults = append(faults, fmt.Sprintf("the role %s may not end the sessions of others", r.me))
		grants = append(grants, "GRANT pg_signal_backend TO "+identifier(r.me))
	}
	if !r.monitor {
		faults = append(faults, fmt.Sprintf("the role %s may not see the sessions of others", r.me))
		grants = append(grants, "GRANT pg_monitor TO "+identifier(r.me))
	}
	return faults, grants
}

// special is what is wrong with one node's role.
func (r postgresRight) special(faults, grants []string) (f, g []string) {
	switch {
	case r.self:
		faults = append(faults, fmt.Sprintf("the agent itself logs in as %s: it would lock itself out; give it a role of its own (hotcold.database.user)", r.role))
	case !r.exists:
		faults = append(faults, fmt.Sprintf("there is no role %s", r.role))
		grants = append(grants, "CREATE ROLE "+identifier(r.role)+" LOGIN")
	case r.super:
		faults = append(faults, fmt.Sprintf("the role %s is a superuser, who could undo every fencing", r.role))
		grants = append(grants, "ALTER ROLE "+identifier(r.role)+" NOSUPERUSER")
	}
	if !r.admin && !r.self {
		faults = append(faults, fmt.Sprintf("the role %s may not alter the role %s", r.me, r.role))
		grants = append(grants, "GRANT "+identifier(r.role)+" TO "+identifier(r.me)+" WITH ADMIN OPTION")
	}
	return faults, grants
}

// grants: from version 16 on a role alters those of which it has ADMIN OPTION,
// before that every one that is no superuser.
func (postgresLocks) grants(f Fence) []string {
	all := []string{`ALTER ROLE :"role" CREATEROLE`, `GRANT pg_signal_backend, pg_monitor TO :"role"`}
	for _, role := range append([]string{f.Mine}, f.Others...) {
		all = append(all, "GRANT "+identifier(role)+` TO :"role" WITH ADMIN OPTION`)
	}
	return all
}

// identifier quotes the name of a role.
func identifier(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal quotes a text, whatever standard_conforming_strings says.
func literal(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), "'", "''")
	if strings.Contains(text, `\`) {
		return ` E'` + strings.ReplaceAll(text, `\`, `\\`) + "'"
	}
	return "'" + text + "'"
}
