// Package pathtest is the conformance suite of [balancer.Path]: what a data path has to do so that no client ever
// reaches a machine that is hot no longer, and so that bytes arrive as they were sent, as tests.
//
// It does not test who is elected, nor what is told to people. Every check runs in a [yard.Yard]: clients, the balancer
// and two machines in network namespaces of their own, with the kernel's own TCP between them.
//
// Call [Run] from a test and give it a function that returns a new path each time. What a path cannot do by its nature
// is named in [Fixture.Lacks] with the reason, and the checks that need it are skipped with that reason; what it can do,
// it does as all others do.
//
// # How a client knows where it is
//
// Each machine greets whoever connects with the address that was reached, before a byte was sent to it. Machine A has
// the odd epochs and machine B the even ones, and each epoch of eight in a row has an address of its own, so a greeting
// tells the epoch in whose term it was sent.
//
// # Times
//
// The suite waits for events, each with a limit of [Fixture.Patience]. What must not happen is watched for a moment.
// The one promise with a time in it, that old connections are cut within a second, is measured.
//
// At the end of every check the path's Run is ended, and goroutines, descriptors and whatever else the fixture can
// count have to be as they were.
package pathtest
