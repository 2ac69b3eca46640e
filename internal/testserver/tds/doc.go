// Package tds is a test server that speaks the wire protocol of SQL Server, so
// that the store's real driver can be used, failed and judged in a test.
//
// It is built from Microsoft's published protocol specification [MS-TDS], by its
// behaviour. It speaks what the driver sends for us: PRELOGIN, LOGIN7
// with a SQL login, SQL batches, sp_executesql, the transaction manager's
// requests, attention. The answers come from package ledger, which knows our
// statements by their text and no others.
//
// What tests over it prove: our use of the driver, what we make of the protocol's
// answers and interruptions, and our judging of errors. They do not prove
// that SQL Server understands our T-SQL, nor its locking or its durability.
// For that the same suite runs against a real one, see sqlstore.
//
// A server can refuse a login, take no writes, hold its writes as behind a lock,
// fail a statement with a number, keep an answer to itself, drop its connections and fail over,
// with or without the last writes. Of fencing it knows the turn, the row, and how many sessions a user has. To make it hang, put testserver.Proxy before it.
//
// # Limits
//
// No TLS, no other authentication, no MARS, one packet size. The statements of a
// transaction that the driver began are done at its commit.
//
// All methods of Server may be called from any goroutine. New ends the server and
// waits for its goroutines when the test is over.
package tds
