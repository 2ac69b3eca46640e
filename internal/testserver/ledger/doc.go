// Package ledger is the memory behind the test servers for databases that cannot
// be had in a test: it answers the lease's own statements, and no others.
//
// It understands no SQL. A file of named statements says which texts it takes; a
// name stands for an act written in Go, as "renew" for the compare-and-set of a
// lease's row. A statement whose text is not in the file, to the letter, is an
// error, so that nobody changes a statement without looking at the file.
//
// What a test over it proves: that a store sends the statement that it means to,
// with its arguments in order, reads the answer's columns in order, and does the
// right thing with every answer and failure. What it does not prove: that
// a real server understands the statement, or does with it what the act here does.
//
// Every act runs under one mutex and is whole or not at all.
//
// All methods may be called from any goroutine. Times are this machine's.
package ledger
