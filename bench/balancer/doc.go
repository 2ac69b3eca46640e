// Package balancer compares hotcold's two data paths with HAProxy and nginx, side by side in one run, on this machine.
// It has no code of its own and is never linked into the program; run it with
//
//	make bench-balancer
//
// Client, balancer and back-end are processes of their own in three network namespaces, joined by veth pairs; they share
// the machine's processors. In every round each contender is started for each row, measured and ended, one right after
// the other and in an order that is shuffled anew, so that a ratio compares two measurements that are seconds apart. What
// is printed are medians over the rounds, and medians of the ratios within the rounds.
//
// The contenders: HAProxy as Debian's package has it, with its own defaults; the same with splicing and pipes of 1 MiB;
// nginx's stream module; package splice; package kernel, with masquerade; and no balancer at all, where the balancer's
// machine only forwards packets: the physical limit.
//
// # Settings
//
//	ROUNDS=5               how many rounds
//	ROWS=                  a pattern: only rows whose name it matches
//	CONTENDERS=            a pattern: only contenders whose name it matches
//	MEASURE=800ms          how long one row of one contender is measured
//	BENCH_JSON=FILE        also write all numbers of all rounds there
//
// With the defaults it takes seven minutes on an idle machine of two processors. HAProxy, nginx with its module stream,
// and iproute2 have to be there; root is needed for the rows of nobody.
//
// # What a number means
//
//   - bulk: bytes that the client sent, with 1 and with 32 connections. "nobody, 200 idle" has the balancer run as the user
//     nobody, with 200 idle connections beside: the kernel lets such a user have few pipes.
//   - connects: 32 clients that connect, send a byte, read a byte and close.
//   - paced: 4,000 requests of 128 bytes a second over 64 connections; a latency counts from when a request was sent.
//   - flat out: the same as fast as they can; ping-pong: one connection.
//   - idle: memory (PSS) and descriptors of the balancer for each of 9,500 connections that carried a byte each way. The
//     number is lower where the limit of descriptors is.
//   - CPU: of the balancer's processes (schedstat). The kernel path's work is done by nobody's process; "machine" is all
//     time of all processors that was not idle, the client's and back-end's too.
package balancer
