package sqlstore

import "context"

// replication says what is certain: nothing, unless a person vouches for it.
func (*oracleDB) replication(context.Context, session) (Replication, error) {
	return Replication{
		Copies: CopiesUnknown,
		Text:   "how Oracle is replicated is not looked at",
		Raise:  "say it in hotcold.database.replication",
	}, nil
}

func (*oracleDB) locks() locks { return nil }
