// Package yard gives a test a network of its own: four real network namespaces of this kernel, joined by veth pairs.
//
//	client --- balancer --- machine A
//	               |
//	               +------- machine B
//
// A yard has IPv4 and IPv6, several addresses for each place, and troubles that can be switched on: a link that is cut,
// a machine that swallows every packet. It imitates nothing: what is sent goes through the kernel's own TCP, its routing
// and its packet filter.
//
// # Where a test runs
//
// [Within] runs a test once more, as a child process that has a network namespace of its own from its first instruction
// on. That namespace is the balancer's, so the code under test needs to know nothing of namespaces: its listeners, its
// connections and its packet filter are there by themselves. [Main] does the same for all tests of a binary. [New] then
// makes the other three. A socket stays in the namespace in which it was made, whichever thread uses it later, so a test
// makes sockets with [Place.Listen], [Place.Dial] or [Place.Do] and uses them from any goroutine.
//
// # What a test may rely on
//
//   - Nothing is left behind, and nothing outside is touched. No namespace has a name; each lives as long as the test
//     process, which the kernel kills together with the process that started it.
//   - Root is not needed where the kernel lets users make namespaces. Where it does not, or where the command ip is not
//     there, the test is skipped with the reason, and in the build it fails.
//   - Congestion control is reno everywhere, whatever this machine prefers.
//
// # Goroutines
//
// All functions may be called from any goroutine; those that change the yard wait for one another.
package yard
