// Package agent is the life of the process that stands beside a node: it
// starts the node when package lease says that the lease is ours, and makes
// certain that the node is dead before the lease is anybody else's.
//
//	           +--------- lease free, machine fit ---------+
//	           |                                            v
//	cold / paused / failed                              claiming
//	           ^                                            |
//	           |                                            v
//	           +--- released <--- stopping/fencing <--- starting <--> hot
//
// The lease decides when to believe ([lease.Holder] with its pure parts); this
// package decides what becomes of the node (the pure functions of decide.go) and
// does it. It reads no files of configuration and renders nothing: what it knows
// is published as an immutable [Snapshot].
//
// # Guarantees
//
// [Agent.Run] returns only after the node has been seen dead. The node is
// started only after a claim was acknowledged and the epoch was written to the
// shared drive. Every renewal is passed on to the node's guard, which holds the
// same deadline in a process of its own; if this process hangs, is stopped or
// dies, the guard ends the node.
//
// Nothing on the way of a deadline waits for the database or the drive: the
// board (announcements, history, requests) has a goroutine of its own, and a
// look at a drive that hangs is left behind.
//
// Traffic ends with the node's main process, or with trust, whichever is first;
// the lease is kept until nothing of the node's tree is left.
//
// # Requests
//
// Agents and persons meet in the database. A pause is in force from the moment
// of asking until a resume, and is asked for once more right before each claim. A
// resume stays accepted until somebody has the lease, so that every agent hears of
// it. A switchover is granted by the hot agent, answered by whoever is hot next,
// and refused where nobody is: each comes to an end, also if the agent that
// accepted it is gone.
//
// # Goroutines
//
// Run is called once. Snapshot may be called from any goroutine at any time and
// never blocks on I/O.
package agent
