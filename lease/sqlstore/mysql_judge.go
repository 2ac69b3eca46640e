package sqlstore

import (
	"context"
	"errors"

	"github.com/go-sql-driver/mysql"
)

// Numbers of errors that are looked for by themselves.
const (
	duplicateKey = 1062 // ER_DUP_ENTRY
	noSuchTable  = 1146 // ER_NO_SUCH_TABLE
	noSuchThread = 1094 // ER_NO_SUCH_THREAD
	syntaxError  = 1064 // ER_PARSE_ERROR
)

// mysqlKind is the kind of a server's error, nil where it has none.
func mysqlKind(number uint16) error {
	if number == 0 {
		return nil
	}
	return mysqlKinds()[number]
}

// mysqlKinds maps the servers' error numbers to kinds of errors (MySQL's manual,
// server error message reference; MariaDB's, error codes: numbers from 1900
// on differ between the two and none below stands for two things).
func mysqlKinds() map[uint16]error {
	kinds := map[uint16]error{}
	for kind, numbers := range map[error][]uint16{
		ErrLogin: {
			1044, 1045, 1698, // access denied
			1049,       // unknown database
			1130,       // this host may not connect
			1251, 1524, // authentication method
			1820, 1862, // the password has expired
			3118, 4151, // the account is locked
			3159, // TLS is demanded
		},
		ErrRights: {
			1095, 1142, 1143, 1227, 1370,
			1401, // XA RECOVER, in MySQL, without XA_RECOVER_ADMIN
		},
		ErrReadOnly: {1290, 1836, 1792},
		ErrDiskFull: {1021, 1114},
		ErrBusy: {
			1205,       // lock wait timeout
			1213,       // deadlock
			1020,       // the record changed meanwhile
			1317,       // the query was killed
			1969, 3024, // a limit on statements of somebody else's
		},
		ErrUnreachable: {
			1040, 1203, 1226, // out of connections
			1053, 3032, // shutting down, offline
			1077, 1079, 1080, // the session was closed
			1129,                   // blocked after many errors
			1152, 1184, 1927, 4031, // the connection was aborted, killed, or idle for too long
			1158, 1159, 1160, 1161, // the network
		},
		ErrDamaged: {1034, 1035, 1194, 1195, 1712, 1877},
	} {
		for _, n := range numbers {
			kinds[n] = kind
		}
	}
	return kinds
}

func (m *mysqlDB) judge(ctx context.Context, err error) error {
	n := mysqlNumber(err)
	kind := mysqlKind(n)
	switch {
	case errors.Is(err, ErrReadOnly) || errors.Is(err, ErrUnsuited):
		return err
	case n == noSuchTable: // it was dropped meanwhile
		m.ready.Store(false)
		return &SchemaError{Err: err}
	case kind != nil:
		if errors.Is(kind, ErrRights) {
			m.ready.Store(false) // the next call says exactly what is missing
		}
		return of(kind, err)
	case n != 0:
		return err
	}
	var connecting *reachError
	if err != nil && (lost(ctx, err) || errors.Is(err, mysql.ErrInvalidConn) || errors.As(err, &connecting)) {
		return unreachable(ctx, err)
	}
	return err
}
