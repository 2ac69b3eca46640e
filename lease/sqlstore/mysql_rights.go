package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// lacking tries what can be tried without changing anything, and reads the rest from SHOW GRANTS.
func (l mysqlLocks) lacking(ctx context.Context, s session, f Fence) (faults, grants []string, err error) {
	var me, version string
	if err := s.QueryRowContext(ctx, "SELECT CURRENT_USER(), VERSION()").Scan(&me, &version); err != nil {
		return nil, nil, err
	}
	held, err := mysqlGlobal(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	lacks := func(fault, grant string) {
		faults = append(faults, fmt.Sprintf("the account %s may not %s", me, fault))
		grants = append(grants, "GRANT "+grant+" TO "+mysqlAccountOf(me))
	}
	if !granted(held, "CREATE USER") {
		lacks("lock accounts", "CREATE USER ON *.*")
	}
	if ender := mysqlEnder(version); !granted(held, ender, "SUPER") {
		lacks("end the sessions of others", ender+" ON *.*")
	}
	for _, t := range []struct{ statement, fault, grant string }{
		{mysqlProcess, "see the sessions of others", "PROCESS ON *.*"},
		{"XA RECOVER", "see prepared transactions", "XA_RECOVER_ADMIN ON *.*"},
		{"SELECT User, Host FROM mysql.user WHERE 1 = 0", "see which accounts there are", "SELECT (User, Host) ON mysql.user"},
	} {
		switch err := mysqlTried(ctx, s, t.statement); {
		case mysqlRights(err):
			lacks(t.fault, t.grant)
		case err != nil:
			return nil, nil, err
		}
	}
	accounts, err := l.accounts(ctx, s)
	if mysqlRights(err) {
		return faults, grants, nil // said above
	}
	if err != nil {
		return nil, nil, err
	}
	return append(faults, mysqlAccountFaults(accounts, me, append([]string{f.Mine}, f.Others...))...), grants, nil
}

// mysqlAccountFaults is what is wrong with the accounts themselves.
func mysqlAccountFaults(all []mysqlAccount, me string, names []string) (faults []string) {
	for _, name := range names {
		switch {
		case strings.HasPrefix(me, name+"@"):
			faults = append(faults, fmt.Sprintf("the agent itself logs in as %s: it would lock itself out; give it an account of its own (hotcold.database.user)", name))
		case !slices.ContainsFunc(all, func(a mysqlAccount) bool { return a.user == name }):
			faults = append(faults, "there is no account of the name "+name)
		}
	}
	for _, a := range all {
		if a.user == "" {
			faults = append(faults, fmt.Sprintf("there is an anonymous account, %s, as which a node that is locked out might get in: drop it", a))
		}
	}
	return faults
}

// mysqlTried runs a query and throws its answer away.
func mysqlTried(ctx context.Context, s session, query string) error {
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	for rows.Next() { // the answer is read to its end
	}
	return errors.Join(rows.Err(), rows.Close())
}

// mysqlGlobal are the rights on all databases that SHOW GRANTS names for us and for the roles that we have on.
func mysqlGlobal(ctx context.Context, s session) (all []string, err error) {
	rows, err := s.QueryContext(ctx, "SHOW GRANTS")
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		rights, _, global := strings.Cut(strings.TrimPrefix(line, "GRANT "), " ON *.* TO ")
		if !global {
			continue
		}
		for right := range strings.SplitSeq(rights, ",") { // MySQL writes its dynamic ones without blanks between
			all = append(all, strings.TrimSpace(right))
		}
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

func granted(held []string, one ...string) bool {
	return slices.ContainsFunc(append(one, "ALL PRIVILEGES"), func(right string) bool { return slices.Contains(held, right) })
}

// mysqlEnder is the right to end the sessions of others.
func mysqlEnder(version string) string {
	if strings.Contains(version, "MariaDB") {
		return "CONNECTION ADMIN"
	}
	return "CONNECTION_ADMIN"
}

// grants are those of both: MariaDB reads what stands after /*M!, MySQL what stands after /*!80017.
func (mysqlLocks) grants(Fence) []string {
	granting := func(what string) []string {
		return []string{"SET @statement = CONCAT('GRANT ', " + what + ", ' TO ', @agent)", "PREPARE hotcold FROM @statement", "EXECUTE hotcold"}
	}
	return append(granting("'CREATE USER, PROCESS, ' /*M! 'CONNECTION ADMIN' */ /*!80017 'CONNECTION_ADMIN, XA_RECOVER_ADMIN' */ ' ON *.*'"),
		granting("'SELECT (User, Host) ON mysql.user'")...)
}
