// Package noticetest is the conformance suite of the board: what a store has to do with the words of agents, the history
// and the requests of operators ([notice.Instance], [notice.Event], [notice.Request]), as tests.
//
// Call [Run] from a test of the store's package and give it a function that returns a new, empty database each time. What a
// store forgets, and when, is its own affair and not tested here.
//
// # Goroutines
//
// Both boards of a check are called from many goroutines at once.
package noticetest
