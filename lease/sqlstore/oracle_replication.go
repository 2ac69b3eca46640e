package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

const (
	// oracleProtection is how the database is protected, and how far it is so now.
	oracleProtection = "SELECT d.protection_mode, d.protection_level, SYS_CONTEXT('USERENV', 'SESSION_USER') FROM v$database d"
	// oracleStandbys counts the databases to which this one sends its redo, and those of them that have all of it.
	oracleStandbys = "SELECT TO_CHAR(COUNT(*)), TO_CHAR(COALESCE(SUM(CASE WHEN a.synchronized = 'YES' THEN 1 ELSE 0 END), 0))" +
		" FROM v$archive_dest_status a WHERE a.type NOT IN ('LOCAL', 'CROSS-INSTANCE') AND a.status <> 'INACTIVE'"
	oracleMe = "SELECT SYS_CONTEXT('USERENV', 'SESSION_USER') FROM dual"
)

// oracleCopies is what an Oracle database says of its replication.
type oracleCopies struct {
	mode, level string // PROTECTION_MODE is what is asked for, PROTECTION_LEVEL what there is
	user        string // who asks
	hidden      bool   // the views are not shown to this user
	standbys    int
	inSync      int
}

func (*oracleDB) replication(ctx context.Context, s session) (Replication, error) {
	var c oracleCopies
	var standbys, inSync string
	err := s.QueryRowContext(ctx, oracleProtection).Scan(&c.mode, &c.level, &c.user)
	if err == nil {
		err = s.QueryRowContext(ctx, oracleStandbys).Scan(&standbys, &inSync)
	}
	switch oracleCode(err) {
	case 942, 1031, 41900: // this user may not read them
		c.hidden = true
		err = s.QueryRowContext(ctx, oracleMe).Scan(&c.user)
		return c.judge(), err
	}
	if err != nil {
		return Replication{}, err
	}
	var err2 error
	c.standbys, err = strconv.Atoi(standbys)
	c.inSync, err2 = strconv.Atoi(inSync)
	return c.judge(), errors.Join(err, err2)
}

// judge says what the facts mean. Where they leave a doubt it says the worse. A
// cluster (RAC) is one database, and no replication.
func (c oracleCopies) judge() Replication {
	r := Replication{Copies: CopiesUnknown}
	const protect = "ALTER DATABASE SET STANDBY DATABASE TO MAXIMIZE PROTECTION"
	switch {
	case c.hidden:
		r.Text = fmt.Sprintf("the user %s may not see how the database is replicated", c.user)
		r.Raise = "GRANT SELECT ON SYS.V_$DATABASE TO " + c.user + "; GRANT SELECT ON SYS.V_$ARCHIVE_DEST_STATUS TO " + c.user
	case c.mode == "MAXIMUM PROTECTION" && c.level == c.mode && c.inSync > 0:
		r.Copies, r.Text = CopiesSynchronous, fmt.Sprintf("replication is synchronous: %s, %d of %d standbys have all", c.mode, c.inSync, c.standbys)
	case c.mode == "MAXIMUM PROTECTION" || c.mode == "MAXIMUM AVAILABILITY" && c.level != c.mode:
		r.Copies, r.Text = CopiesDegraded, fmt.Sprintf("the database is to run in %s, and its protection_level is %s; %d of %d standbys have all", c.mode, c.level, c.inSync, c.standbys)
		r.Raise = "bring a synchronous standby back"
	case c.mode == "MAXIMUM AVAILABILITY":
		r.Copies, r.Text = CopiesAsynchronous, fmt.Sprintf("%d of %d standbys have all, and a database that has lost them goes on alone (%s)", c.inSync, c.standbys, c.mode)
		r.Raise = protect
	case c.mode == "MAXIMUM PERFORMANCE" && c.standbys == 0:
		r.Copies, r.Text = CopiesNone, "one database without a standby"
	case c.mode == "MAXIMUM PERFORMANCE":
		r.Copies, r.Text = CopiesAsynchronous, fmt.Sprintf("replication is asynchronous: %d standbys, and the mode is %s", c.standbys, c.mode)
		r.Raise = protect
	default:
		r.Text = fmt.Sprintf("the database runs in the mode %q, which hotcold does not know", c.mode)
		r.Raise = "say what it is in hotcold.database.replication"
	}
	return r
}
