// Package kernel is the data path that never sees a byte: it has the kernel translate addresses (nftables, programmed by
// netlink) and only says where to. It implements balancer.Path; package balancer decides, as for every path.
//
// What it cannot do, because it never has the bytes in its hands: PROXY headers in either direction, clients that come
// to a loopback address, machines of the other family of addresses. [Supports] says so before anything is changed, and
// [Available] whether this process can have a path at all, so that `auto` can take package splice instead.
//
// # The way of a packet
//
//	client                       the balancer's kernel                             machine
//
//	SYN ---> guard --------> route: which rule? --> rule-N: denied? -> reset
//	         (is it of a     (frontend, port)           |   no target? -> park-N: drop, or reset
//	          connection                                v
//	          that lives?)                          take-N: over a bound? -> reset
//	                                                    |   mark := service, rule, epoch
//	                                                    v   destination := the target's address, backend port
//	                                                 forward --> source: masquerade? ----> SYN
//
//	ACK ---> guard: mark in live? ------- bytes-N: count, translate, forward ------------> ACK
//	ACK <------------------------------ bytes-N: count, translate <------ guard: in live? <-- ACK
//
//	ACK ---> guard: a mark of ours that does not live -> reset to who sent it (both ways)
//	ACK ---> guard: to a frontend, of no known connection -> reset
//
// Everything stands in one table of family inet named hotcold-SERVICE; nothing of any other table is read or changed.
// Clients on the balancer's own machine take the same way from the hooks route-local and guard-local.
//
// # What is guaranteed
//
//   - One step. Steer is one transaction of nftables: all rules of the group have the new target, and the old
//     connections are dead, with the same change of the kernel's generation. A connection takes its address and its
//     epoch from one look into one map, so none has the address of one target and the epoch of another.
//   - The order that matters. It is not the entries of the connections that have to be removed in time, but their
//     marks that stop being in the map live, in that transaction. A SYN that looked up the former machine just before
//     may still arrive there; its connection has the former mark, so no answer to it passes, in either direction. What
//     is removed from the kernel's table of connections afterwards is only tidied up, and looked for until none is left.
//   - A cut is felt. Every packet of a cut connection is answered with a reset, whichever end sends it. Idle ends are
//     made to speak first (see mouth), so that both learn it within the time of a way there and back: by measurement
//     below a millisecond in one network, and some 30 µs of processor time for each end. Connections that were still being opened are not reset: their next SYN
//     goes to the new machine.
//   - Nobody is nobody. Before the first Steer, and with nobody hot, a SYN gets no answer (park) or a reset (refuse);
//     connections that are there go on.
//   - Nothing is left behind. The table is owned by our netlink socket (NFT_TABLE_F_OWNER): the kernel removes it when
//     that closes, even by SIGKILL, and lets nobody else change it meanwhile. Traffic does not outlive its balancer on
//     purpose: nobody would take it away from a machine that is no longer hot. Run, when its context ends, resets the
//     connections that are left first.
//   - Connections that an earlier balancer of the same service left (they go on while another table keeps the kernel
//     translating, or where nobody sends until the next one is there) are known by their marks. The first Steer says
//     what becomes of them. Those whose client has gone meanwhile are found out, and are over for their machine too.
//
// # Parking
//
// A parked client is one whose SYNs are dropped: its own kernel sends them again, after about 1, 3, 7, 15, 31 and 63 s,
// so that a client waits on for as long again as it has waited already, at worst. That is the queue, and it keeps no
// order. ParkLimit and ParkTime hold as they do elsewhere: who comes when it is full is reset, and so is the first SYN
// after the time. A client that gives up keeps its place until its time is over.
//
// # Limits
//
//   - How many connections there can be is said by net.netfilter.nf_conntrack_max; beyond it the kernel drops SYNs.
//   - Connection marks of our connections are ours as a whole (mark.go); policy routing by connection mark does not
//     mix with it. At most 64 rules.
//   - MaxConnections and MaxPerSource count from the last change of the rule in question. IdleTimeout is at least 5 s
//     and late by at most an eighth of itself or 15 s.
//   - Bytes of a cut connection are known where net.netfilter.nf_conntrack_acct is 1, its age where
//     net.netfilter.nf_conntrack_timestamp is 1; otherwise the bytes are 0 and the age is since it was first seen.
//   - Accepted counts clients that were sent on; whether the machine answered is not known, so Failed stays 0. Ended is
//     what was accepted and is neither open nor cut nor idle. The counters of the lists and bounds count SYNs.
//   - With net.netfilter.nf_conntrack_tcp_loose = 0 the ends of a connection that the kernel has forgotten run into
//     their own timeouts instead of a reset.
//   - Without Masquerade the machines' way back to the clients has to lead through the balancer, and a client on a
//     machine cannot come back to that same machine.
//
// # Needs
//
// Linux 5.12, the right CAP_NET_ADMIN (no other, and no root), and net.ipv4.ip_forward = 1 or
// net.ipv6.conf.all.forwarding = 1 for the families that the rules have; Apply says which is missing. A firewall on the
// machine has to let the connections through its chain of forwarded packets: no table can overrule another's drop. All
// is of the network namespace of the calling threads.
//
// # Goroutines
//
// All methods may be called from any goroutine. Run is called once; what it owns (sweeper) no other touches. Who wants
// to change the table takes the turn, and waits for it no longer than its context lasts; the sweeper reads connections
// without the turn, so that Steer does not wait for it. What it knows of the rules is an immutable view.
//
// # Errors
//
// Apply and Steer did all that they should, or nothing. Where it is not known which, because the kernel's answers were
// lost, the table is given up, so that nobody gets traffic, and the next call makes it anew. Steer refuses a lower epoch
// with balancer.ErrOldEpoch.
//
// Sources: RFC 9293 (resets, 3.10.7), RFC 5961 (a reset has to fit exactly), the kernel's nf_tables and nf_conntrack
// (Linux 6.18), and measurements of November 2026 which bench_test.go repeats.
package kernel
