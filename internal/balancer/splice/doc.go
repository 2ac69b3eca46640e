// Package splice is the data path in user space: it accepts clients, connects to the machine that is hot, and moves the
// bytes between the two. It implements [balancer.Path].
//
// It elects nobody and looks at nobody's health. It ends no TLS, and sends a client not one byte of its own.
//
// # Who owns what
//
// A loop is one goroutine with an epoll instance of its own, parked in the runtime's network poller while nothing
// happens. All that belongs to a connection is owned by one loop at a time, so there are no locks on the way of the
// bytes. The first loop is the door: it owns listeners, admission, and clients that wait. Clients that come one by one it
// connects itself. Of those that come at once each loop is entrusted with its part, since one loop alone would get no more
// than its share of the processors; what it cannot connect it gives back. A connection that carries much may be handed from
// the door to another loop, which then owns it.
//
//	           +--> header --+            +--> backoff --+
//	accepted --+             +--> dialling <--+          |
//	           +-------------+      |     ^   +----------+
//	                         |      |     |
//	                         +--> parked -+      leaving --> closed
//	                                |               ^
//	                                v               |  turned away: FIN, no byte
//	                  open --> closed               +-- parked, backoff, dialling, refused
//
// Whoever calls Apply, Steer or Connections sends a function to the loops and waits until they have run it. Steer goes to
// the door first: once the door has run it, every connect of its own to an earlier target has been given up, and no
// connection is opened with an old stamp, since that is compared with the target in force. Then the other loops give up
// theirs, and judge what they own; Steer returns once all have.
//
// # Guarantees
//
//   - Once Steer has returned, no new connection goes anywhere but to its target. Connections of an earlier epoch are cut
//     by the loop that owns them, a few hundred at a time between other work: thousands take milliseconds.
//   - Clients that wait are connected in the order in which they came. Nothing is read from them: what they have sent
//     stays in the kernel until their machine is there.
//   - A client that is turned away sees a FIN, not a reset, as long as at most [Limits].Leaving of them are leaving.
//     A connection that is cut because of its epoch sees a reset on both sides, because bytes of it may be lost.
//   - A connection that carries nothing holds two descriptors and no buffer. One direction holds at most 64 KiB in a
//     buffer or 1 MiB in a pipe, and only while its reader does not keep up; there are at most [Limits].Pipes pipes.
//   - Half of a connection may end before the other: FIN is passed on as FIN, a reset as a reset.
//   - A listener that stays in the configuration is never closed, and rules change all at once or not at all.
//
// # Handing listeners over
//
// Files gives the listeners to another process, which makes a Path with them in [Options].Listeners; the queue of clients
// is one and the same. Once that process has steered its own Path, Retire closes ours, and what is open or waits goes on
// until Run ends. Listeners do not share their port by SO_REUSEPORT: closing one of those resets the clients in its queue.
// So a rule cannot move between overlapping frontends (0.0.0.0 and 127.0.0.1 at one port) in one Apply: the new one is
// opened before the old one is closed, and is refused.
//
// # Why loops over epoll
//
// A pair of goroutines for each connection is less code, but costs 12 KB for an idle one and half as much again in
// processor time for each connection as HAProxy. Here an idle connection costs 0.6 KB and two descriptors; processor time
// is 0.95 of HAProxy's for a connection, 1.0 to 1.3 for a request of 100 bytes, and 0.16 for a gigabyte through one
// connection (HAProxy 2.6 with two threads and its defaults, three network namespaces on two busy processors, 2026-11).
// A blocking epoll_wait is no way out: the runtime takes the processor away from a thread that blocks in the kernel, and
// pays for it with every wait. So the epoll instance itself stands in the runtime's poller.
//
// # Times
//
// All instants are readings of the boot clock. A deadline is looked at when the clock has reached it, never before.
//
// All methods of [Path] may be called from any goroutine. The hooks in [Options] are called by the goroutines that move
// bytes: they must neither block nor call the Path.
//
// # Errors
//
// Steer fails with [balancer.ErrOldEpoch], Apply with what is wrong with the rules or with a frontend that cannot be
// opened, and both once Run is over. What goes wrong with one connection is counted and told to Closed, and is no error.
//
// Linux only: epoll(7), splice(2), accept4(2).
package splice
