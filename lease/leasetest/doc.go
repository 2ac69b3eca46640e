// Package leasetest is the conformance suite of [lease.Store]: what a store has
// to do for the lease to be safe, as tests.
//
// It does not test the protocol of the lease, only the promises of the row:
// compare-and-set on every member of the key, one winner of a race, fields that
// come back as they were written, answers that never lie, and calls that end.
//
// Call [Run] from a test of the store's package and give it a function that
// returns a new, empty database each time. A store that fails one check is not
// safe; the failure says what was done, what was expected and what came.
//
// # Times
//
// The suite waits for events, each with a limit of [Fixture.Patience]; only the
// checks of a hung database and of the age of a row let real time pass.
//
// # Goroutines
//
// A fixture belongs to one check. Both of its stores are called from many
// goroutines at once.
package leasetest
