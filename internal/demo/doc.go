// Package demo shows a pair of machines on one machine: it starts two real
// agents with their node, does harm to them, tells what happens, and audits at
// the end what was promised.
//
// A machine of the demo is a folder, an agent (`hotcold run`, a process of its
// own) and ports on loopback. Both share a lease in a SQLite file and a folder
// as the drive. The node is the witness (package witness), and a client writes
// through whichever node answers, all the time.
//
// It does not look into the agents: what it knows it reads from where anybody
// could, their /state, the records of the witness, and the process table. Its
// measured times come from the client and from the records, not from hotcold.
//
// # Guarantees
//
// When [Run] returns, every process that it started is dead and its folder is
// gone, unless it was asked to keep it. If the demo itself is killed, the
// kernel kills the agents with it (PR_SET_PDEATHSIG) and their guards end the
// nodes; the folder stays then.
//
// While Run runs it is the child subreaper of this process and reaps every
// child that is not its own. So nothing else in this process may start others.
//
// # Times
//
// All times are CLOCK_BOOTTIME, which all processes of a machine share. The
// times that are printed count from the start of the demo.
//
// # Errors
//
// An error says that the demo could not be shown, or was ended by its context.
// A promise that did not hold is no error: it stands in [Report.Faults].
//
// # Goroutines
//
// Run may be called once at a time in a process.
package demo
