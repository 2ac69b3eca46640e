package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// sqlserverRights is who asks, and whether he may deny, see, end and look up.
const sqlserverRights = "SELECT USER_NAME(), SUSER_SNAME(), CONVERT(bigint, COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CONTROL'), 0))," +
	" CONVERT(bigint, COALESCE(" + sqlserverSees + ", 0)), CONVERT(bigint, COALESCE(" + sqlserverEnds + ", 0)), CONVERT(bigint, COALESCE(" + sqlserverLooksUp + ", 0))"

// sqlserverEscapes lists what a denial would not keep the user @p1 from, or would spoil: a kind and a name. What is not shown to us
// counts as the worse.
func sqlserverEscapes() string {
	var rights []string
	for _, right := range sqlserverDenied() {
		if right != "CONNECT" { // every user has that, and is given it again
			rights = append(rights, sqlserverText(right))
		}
	}
	named := func(kind, name, from string) string {
		return "SELECT N'" + kind + "', CONVERT(nvarchar(300), " + name + ") COLLATE " + sqlserverCollation + " FROM " + from
	}
	const (
		user    = "sys.database_principals AS u WHERE u.name = @p1 AND u.type = 'S'"
		granted = "sys.database_permissions AS g JOIN sys.database_principals AS u ON u.principal_id = g.grantee_principal_id" +
			" WHERE g.state IN ('G', 'W') AND (u.name = @p1 OR u.type = 'R') AND "
		owner = " JOIN sys.database_principals AS u ON u.principal_id = o.principal_id" +
			" WHERE u.name = @p1 OR (u.type = 'R' AND u.is_fixed_role = 0 AND COALESCE(IS_ROLEMEMBER(u.name, @p1), 1) = 1)"
	)
	return strings.Join([]string{
		named("missing", "@p1", "(SELECT COUNT(*) AS n FROM "+user+") AS c WHERE c.n = 0"),
		named("login", "COALESCE(SUSER_SNAME(u.sid), N'')", user+" AND u.authentication_type = 1 AND COALESCE(SUSER_SNAME(u.sid), N'') <> @p1"),
		named("server role", "r.name", "(VALUES (N'sysadmin'), (N'securityadmin')) AS r(name) CROSS JOIN "+user+
			" AND u.authentication_type = 1 AND COALESCE(IS_SRVROLEMEMBER(r.name, @p1), 1) = 1"),
		named("role", "r.name", "(VALUES (N'db_owner'), (N'db_securityadmin'), (N'db_accessadmin')) AS r(name) CROSS JOIN "+user+
			" AND COALESCE(IS_ROLEMEMBER(r.name, @p1), 1) = 1"),
		named("schema", "o.name", "sys.schemas AS o"+owner),
		named("object", "o.name", "sys.objects AS o"+owner),
		named("grant", "g.permission_name", granted+"u.name = @p1 AND g.class = 0 AND g.permission_name IN ("+strings.Join(rights, ", ")+")"),
		named("column", "OBJECT_NAME(g.major_id)", granted+"g.class = 1 AND g.major_id > 0 AND g.minor_id > 0"),
		named("impersonation", "USER_NAME(g.major_id)", granted+"g.class = 4 AND g.permission_name IN (N'IMPERSONATE', N'CONTROL')"),
		named("application role", "u.name", "sys.database_principals AS u WHERE u.type = 'A'"),
	}, "\nUNION ALL ")
}

func (l sqlserverLocks) lacking(ctx context.Context, s session, f Fence) (faults, grants []string, err error) {
	own, ok := s.(*sqlserverSession)
	if !ok {
		return nil, nil, fmt.Errorf("the session is a %T", s)
	}
	r := sqlserverRight{azure: own.link.azure}
	if err := s.QueryRowContext(ctx, sqlserverRights).Scan(&r.user, &r.login, &r.denies, &r.sees, &r.ends, &r.looksUp); err != nil {
		return nil, nil, err
	}
	faults, grants = r.general()
	for _, role := range append([]string{f.Mine}, f.Others...) {
		if role == r.user {
			faults = append(faults, fmt.Sprintf("the agent itself logs in as %s: it would lock itself out; give it a user of its own (hotcold.database.user)", role))
			continue
		}
		rows, err := s.QueryContext(ctx, sqlserverEscapes(), role)
		if err != nil {
			return nil, nil, err
		}
		for rows.Next() {
			var kind, name string
			if err := rows.Scan(&kind, &name); err != nil {
				return nil, nil, errors.Join(err, rows.Close())
			}
			if fault, grant := sqlserverEscape(role, kind, name); !r.azure || kind != "login" && kind != "server role" {
				faults, grants = append(faults, fault), appendNonEmpty(grants, grant)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, nil, err
		}
	}
	return faults, grants, nil
}

func appendNonEmpty(all []string, one string) []string {
	if one == "" {
		return all
	}
	return append(all, one)
}

// sqlserverRight is what the agents' login may do.
type sqlserverRight struct {
	user, login                 string
	denies, sees, ends, looksUp bool
	azure                       bool
}

func (r sqlserverRight) general() (faults, grants []string) {
	lacks := func(fault, grant string) {
		faults = append(faults, fmt.Sprintf("the login %s may not %s", r.login, fault))
		if grants = append(grants, grant); r.azure {
			grants[len(grants)-1] = "GRANT CONTROL TO " + sqlserverName(r.user)
		}
	}
	if !r.denies {
		lacks("deny rights in the database", "GRANT CONTROL TO "+sqlserverName(r.user))
	}
	if !r.sees {
		lacks("see the sessions of others", "GRANT VIEW SERVER STATE TO "+sqlserverName(r.login))
	}
	if !r.ends {
		lacks("end the sessions of others", "GRANT ALTER ANY CONNECTION TO "+sqlserverName(r.login))
	}
	if !r.looksUp {
		lacks("see who is in a role of the server", "GRANT VIEW ANY DEFINITION TO "+sqlserverName(r.login))
	}
	return faults, grants
}

// sqlserverEscape says what one line of [sqlserverEscapes] means.
func sqlserverEscape(role, kind, name string) (fault, grant string) {
	user, what := sqlserverName(role), sqlserverName(name)
	switch kind {
	case "missing":
		return fmt.Sprintf("there is no user %s of a SQL login in the database (its owner and members of sysadmin have none, and nothing can be denied to them)", role),
			"CREATE USER " + user + " FOR LOGIN " + user
	case "login":
		return fmt.Sprintf("the user %s is that of the login %q, want a login of the same name", role, name), "ALTER USER " + user + " WITH LOGIN = " + user
	case "server role":
		return fmt.Sprintf("the login %s is a member of %s, or that is not shown: it could undo every fencing, and nothing is denied to sysadmin", role, name),
			"ALTER SERVER ROLE " + what + " DROP MEMBER " + user
	case "role":
		return fmt.Sprintf("the user %s is a member of %s, or that is not shown: it could undo every fencing", role, name), "ALTER ROLE " + what + " DROP MEMBER " + user
	case "schema":
		return fmt.Sprintf("the user %s, or a role that it is in, owns the schema %s, and to an owner nothing is denied", role, name), "ALTER AUTHORIZATION ON SCHEMA::" + what + " TO dbo"
	case "object":
		return fmt.Sprintf("the user %s, or a role that it is in, owns %s, and to an owner nothing is denied: ALTER AUTHORIZATION ON it TO SCHEMA OWNER", role, name), ""
	case "grant":
		return fmt.Sprintf("%s is granted to the user %s in the database, and fencing would replace that for good: grant it to a role, and the role to the user", name, role), ""
	case "column":
		return fmt.Sprintf("a right on single columns of %s is granted, which goes before every denial: %s might use it; grant it on the table", name, role), ""
	case "impersonation":
		return fmt.Sprintf("somebody may act as the user %s: %s might, and so not be locked out; revoke it", name, role), ""
	}
	return fmt.Sprintf("there is %s %s, as which %s might act and so not be locked out; drop it", kind, name, role), ""
}

// grants are for sqlcmd, whose variable is the name of the agents' login and user. Azure SQL Database wants no more than the first.
func (sqlserverLocks) grants(Fence) []string {
	return []string{
		"GRANT CONTROL TO [$(agent)]", "GO\nUSE master",
		"GRANT ALTER ANY CONNECTION, VIEW SERVER STATE, VIEW ANY DEFINITION TO [$(agent)]",
	}
}
