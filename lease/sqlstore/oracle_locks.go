package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/lease"
)

// oracleLocks locks accounts of an Oracle database out, as well as that can be done: it makes no level A.
//
// ALTER USER ... ACCOUNT LOCK stops logins that begin later. One that is in the midst of it when the account is
// locked may still become a session after the last look at the list, and nothing in the database shows it
// before. Rights cannot stand in for it as in SQL Server: a node owns its schema, and an owner keeps his rights.
//
// ALTER USER commits by itself, so there is a turn, a lock of DBMS_LOCK, which is taken and given back in one block. Who does not
// get it in a second, and finds the row his own, ends the session that has it.
type oracleLocks struct{ prefix string }

func (o *oracleDB) locks() locks { return oracleLocks{o.prefix} }

// oracleBestEffort is why fencing makes no level A here.
const oracleBestEffort = "a login to Oracle that was under way when its account was locked may still get in"

func (oracleLocks) weakness() string { return oracleBestEffort }

// What a block of ours raises, as numbers that Oracle leaves to others.
const (
	oracleNotHeld = 20901
	oracleNoTurn  = 20902
)

const (
	oracleLeft     = "SELECT TO_CHAR(COUNT(*)) FROM gv$session WHERE username = UPPER(:1)"
	oraclePrepared = "SELECT TO_CHAR(COUNT(*)) FROM dba_2pc_pending WHERE state = 'prepared'"
	// oracleMay lists which of what fencing needs we have, also by a role.
	oracleMay = "SELECT privilege FROM session_privs WHERE privilege IN ('ALTER USER', 'ALTER SYSTEM')" +
		" UNION ALL SELECT table_name FROM all_tab_privs WHERE table_name IN ('DBMS_LOCK', 'GV_$SESSION', 'GV_$LOCK', 'DBA_2PC_PENDING')" +
		" AND (grantee IN (USER, 'PUBLIC') OR grantee IN (SELECT role FROM session_roles))"
	oracleUser = "SELECT USER, TO_CHAR(COUNT(*)) FROM all_users WHERE username = UPPER(:1)"
)

// oracleDisconnect ends the sessions of that query. DISCONNECT ends the server's process too, and is for sessions
// of our own instance; on another one of a cluster there is KILL. 30: it has gone by itself; 31: it is marked already.
func oracleDisconnect(query string) string {
	return "FOR r IN (" + query + ") LOOP BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM ' || r.what || ' IMMEDIATE';" +
		" EXCEPTION WHEN OTHERS THEN IF SQLCODE NOT IN (-30, -31) THEN RAISE; END IF; END; END LOOP;"
}

// guarded is a block that has the turn while it does then for the user u. It takes the lease, holder, nonce, epoch and u.
func (l oracleLocks) guarded(then string) string {
	const session = "CASE WHEN s.inst_id = TO_NUMBER(SYS_CONTEXT('USERENV', 'INSTANCE'))" +
		" THEN 'DISCONNECT SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || ''''" +
		" ELSE 'KILL SESSION ''' || TO_CHAR(s.sid) || ',' || TO_CHAR(s.serial#) || ',@' || TO_CHAR(s.inst_id) || '''' END AS what FROM gv$session s"
	text := "DECLARE l VARCHAR2(1000) := :1; h VARCHAR2(4000) := :2; n VARCHAR2(1000) := :3; e NUMBER := :4; u VARCHAR2(400) := UPPER(:5);" +
		" t INTEGER; got INTEGER; held INTEGER; BEGIN" +
		" t := DBMS_UTILITY.GET_HASH_VALUE('{p}/' || l, 0, 1073741823);" +
		" got := DBMS_LOCK.REQUEST(t, DBMS_LOCK.X_MODE, 1, FALSE);" +
		" SELECT COUNT(*) INTO held FROM {p}lease WHERE name = l AND DECODE(holder, h, 1, 0) = 1 AND DECODE(nonce, n, 1, 0) = 1 AND epoch = e AND released = 0;" +
		" IF held = 0 THEN RAISE_APPLICATION_ERROR(-{held}, 'the lease is not held under this epoch'); END IF;" +
		" IF got NOT IN (0, 4) THEN " + oracleDisconnect("SELECT "+session+" JOIN gv$lock k ON k.sid = s.sid AND k.inst_id = s.inst_id"+
		" WHERE k.type = 'UL' AND k.id1 = t AND k.lmode = 6") +
		" RAISE_APPLICATION_ERROR(-{turn}, 'another session has the turn'); END IF; " +
		strings.ReplaceAll(then, "{disconnect}", oracleDisconnect("SELECT "+session+" WHERE s.username = u")) +
		" got := DBMS_LOCK.RELEASE(t); EXCEPTION WHEN OTHERS THEN got := DBMS_LOCK.RELEASE(t); RAISE; END;"
	return strings.NewReplacer("{p}", l.prefix, "{held}", fmt.Sprint(oracleNotHeld), "{turn}", fmt.Sprint(oracleNoTurn)).Replace(text)
}

func oracleAlter(word string) string {
	return "EXECUTE IMMEDIATE 'ALTER USER ' || DBMS_ASSERT.ENQUOTE_NAME(u, FALSE) || ' ACCOUNT " + word + "';"
}

func (l oracleLocks) locking() string   { return l.guarded(oracleAlter("LOCK")) }
func (l oracleLocks) ending() string    { return l.guarded("{disconnect}") }
func (l oracleLocks) unlocking() string { return l.guarded("{disconnect} " + oracleAlter("UNLOCK")) }

// run sends a block until it has had the turn. After any other error the turn may still be the session's, and ends with it.
func (oracleLocks) run(ctx context.Context, s session, f Fence, block, user string) error {
	own, ok := s.(*oracleSession)
	if !ok {
		return fmt.Errorf("the session is a %T", s)
	}
	for {
		_, err := own.ExecContext(ctx, block, f.Lease, f.Holder, f.Nonce, int64(f.Epoch), user)
		switch oracleCode(err) {
		case oracleNotHeld:
			return lease.ErrChanged
		case oracleNoTurn:
			if ctx.Err() != nil {
				return err
			}
			continue
		}
		if err != nil {
			own.link.cut()
		}
		return err
	}
}

func (l oracleLocks) shut(ctx context.Context, s session, f Fence) (pending string, err error) {
	for _, user := range f.Others {
		if err := l.run(ctx, s, f, l.locking(), user); err != nil {
			return "", err
		}
	}
	return "", nil
}

// end does not see who is coming: see [oracleLocks].
func (l oracleLocks) end(ctx context.Context, s session, f Fence, _ string) (theirs, coming int, err error) {
	for _, user := range f.Others {
		if err := l.run(ctx, s, f, l.ending(), user); err != nil {
			return 0, 0, err
		}
		var left int
		if err := s.QueryRowContext(ctx, oracleLeft, user).Scan(&left); err != nil {
			return 0, 0, err
		}
		theirs += left
	}
	return theirs, 0, nil
}

func (l oracleLocks) open(ctx context.Context, s session, f Fence) (prepared int, err error) {
	if err := l.run(ctx, s, f, l.unlocking(), f.Mine); err != nil {
		return 0, err
	}
	err = s.QueryRowContext(ctx, oraclePrepared).Scan(&prepared)
	return prepared, err
}

// oracleNeeds are what the agents' user needs, by the name under which [oracleMay] lists it.
func oracleNeeds() [][3]string {
	return [][3]string{
		{"ALTER USER", "lock accounts", "ALTER USER"},
		{"ALTER SYSTEM", "end the sessions of others", "ALTER SYSTEM"},
		{"DBMS_LOCK", "take turns", "EXECUTE ON SYS.DBMS_LOCK"},
		{"GV_$SESSION", "see the sessions of others", "SELECT ON SYS.GV_$SESSION"},
		{"GV_$LOCK", "see who has the turn", "SELECT ON SYS.GV_$LOCK"},
		{"DBA_2PC_PENDING", "see prepared transactions", "SELECT ON SYS.DBA_2PC_PENDING"},
	}
}

func (oracleLocks) lacking(ctx context.Context, s session, f Fence) (faults, grants []string, err error) {
	rows, err := s.QueryContext(ctx, oracleMay)
	if err != nil {
		return nil, nil, err
	}
	var have []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, nil, errors.Join(err, rows.Close())
		}
		have = append(have, one)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, nil, err
	}
	var me string
	var missing []string
	for _, user := range append([]string{f.Mine}, f.Others...) {
		var found int
		if err := s.QueryRowContext(ctx, oracleUser, user).Scan(&me, &found); err != nil {
			return nil, nil, err
		}
		switch {
		case strings.EqualFold(me, user):
			missing = append(missing, fmt.Sprintf("the agent itself logs in as %s: it would lock itself out; give it a user of its own (hotcold.database.user)", user))
		case found == 0:
			missing = append(missing, fmt.Sprintf("there is no user %s", strings.ToUpper(user)))
		}
	}
	for _, need := range oracleNeeds() {
		if !slices.Contains(have, need[0]) {
			faults = append(faults, fmt.Sprintf("the user %s may not %s", me, need[1]))
			grants = append(grants, "GRANT "+need[2]+" TO "+me)
		}
	}
	return append(faults, missing...), grants, nil
}

func (oracleLocks) grants(Fence) (all []string) {
	for _, need := range oracleNeeds() {
		all = append(all, "GRANT "+need[2]+" TO &agent")
	}
	return all
}
