package sqlstore

import "context"

// replication: a file has no replica that anybody could promote.
func (*sqliteDB) replication(context.Context, session) (Replication, error) {
	return Replication{Copies: CopiesNone, Text: "SQLite is a file of this machine, without a replica", NoRoles: true}, nil
}

// locks: a file knows no roles.
func (*sqliteDB) locks() locks { return nil }
