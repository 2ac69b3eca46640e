// Package process owns the node's process tree: it starts the node under a
// guard, stops it, kills it, and knows when nothing of it is left.
//
// It does not decide whether a node may run, does not restart one, and does not
// know whether it is ready or well. It reads no configuration.
//
// # Three processes
//
//	agent --- control socket --- guard --- node, and all that it starts
//	  |                            |
//	  +- deadline                  +- the same deadline
//
// The guard is this program once more ([GuardMain]), in a session of its own. It
// is the parent of the node and the subreaper of its tree. Agent and guard
// each hold the [Deadline] and each can end the node without the other:
//
//   - The agent dies: the guard asks the node to end, kills the tree after
//     [Options.LossGrace] or at the deadline, and records that it saw it dead.
//   - The agent is stopped or hangs, so that no [Node.Extend] comes: the guard
//     asks at StopAt and kills at KillAt.
//   - The guard dies: the node's main process dies with it (the kernel sees to
//     that), the rest comes to the agent, which kills it at once.
//   - The guard is stopped or hangs: the agent asks in its place, kills the
//     tree at the same instants, then the guard, and looks by itself.
//   - The node's program hangs before it even runs, on a dead network drive: it
//     hangs in a launcher, which is this program once more and is killed like a
//     node. Neither guard nor agent ever makes a foreign program itself.
//   - Both die at once: the main process dies. What is left of the tree has
//     no keeper until the next agent calls [Clean]; that is why Clean comes before
//     anything else, and why a lease is not released by dying.
//
// What happens to a node is decided by one pure function for both of them:
//
//	           StopAt, Stop, agent lost         KillAt, grace over
//	running ------------------------> stopping ------------------> killing
//	   |                                  |                           |
//	   | main process exits, Kill,        | nothing is left           | nothing is left
//	   | guard lost                       v                           v
//	   +-----------------> killing       gone                        gone
//
// There is no way back. Extend moves a deadline later and only as long as
// StopAt has not come.
//
// # Seen dead
//
// Done is closed when no process of the tree is left, and at no other time:
//
//   - The guard says so when the kernel tells it that it has no children: every
//     process of the tree descends from one of them, or is one. Where there is a
//     cgroup, that has to be empty too.
//   - Without a guard, the agent says so when the cgroup is empty and two looks
//     through /proc in a row found neither a living process of the tree nor
//     one that had died since.
//
// A zombie is dead unless it has threads. A process that cannot be killed, for
// example because it hangs on a dead network drive, keeps Done open: at DeadBy it
// is logged once as an error, with its name, state and kernel function, and
// [Options.LastResort] is run once.
//
// # The last rungs
//
// The guard locks its memory and its program, so that neither a swap nor the disk
// that it came from is needed to kill; where it may not, it says so. From the
// deadline to the first SIGKILL nothing is allocated. With [Options.Watchdog] a
// device resets the machine by DeadBy at the latest, unless the tree was seen dead:
// the guard feeds it only while it would still bite in time. [Options.LastResort]
// is a program, and runs at DeadBy; no pass of killing ever hits it.
//
// # What holds a tree
//
// With a cgroup v2 the node is made inside of it (CLONE_INTO_CGROUP), killed by
// cgroup.kill, which no fork escapes, and seen dead by cgroup.events. Without one,
// processes are found by descent and killed oldest first, pass after pass. Two
// things are weaker then: a program that forks faster than it can be looked at may
// outrun the kill (Done stays open), and after the death of both agent and guard
// Clean finds a process by its environment, its session or its descent only; one
// that has shed all three is not found, and [Proof] does not claim it was.
//
// A process that another service starts on the node's behalf (systemd-run, a
// container engine, cron) is not part of the tree.
//
// # Assumptions
//
//   - Linux 5.3 (pidfd), better 5.7 (CLONE_INTO_CGROUP) or 5.14 (cgroup.kill). /proc
//     is mounted and shows the node's processes.
//   - The node runs as the agent's user, or the agent is root. A process that
//     the agent may not signal counts as alive.
//   - Other programs that the agent starts stay in the agent's session: without
//     a guard, a child of the agent in another session is taken for the node's.
//   - One agent has one node at a time. Several work as well as long as no
//     guard dies.
//   - The node's program has neither set-user-id nor file capabilities: the kernel
//     would not let it die with its guard then.
//   - The runtime directory belongs to one instance on one machine, and no other
//     instance has the same name.
//   - A unit file has KillMode=mixed, so that systemd leaves the end to the agent.
//
// # Times
//
// All instants are readings of CLOCK_BOOTTIME as time.Duration, the same for
// agent and guard. Wall times are for people. A deadline that comes late, or not at
// all, ends the node too early and never too late.
//
// # Output
//
// The node writes to two pipes that the agent reads. Lines reach a [Sink] without
// loss as long as it takes them; a sink that hangs holds the node up for a second
// and then costs lines, which are counted. While the guard ends a node that nobody
// reads from, it empties the pipes itself.
//
// # Errors
//
// [Start] returns ErrNoTime, ErrGuardLives, ErrAlive, an error that matches
// exec.ErrNotFound, fs.ErrPermission or fs.ErrNotExist for a command or directory,
// or what the kernel said. [Clean] returns ErrAlive. [Acquire] returns a
// [LockedError].
//
// # Goroutines
//
// All methods of [Node] may be called from any goroutine. Only Result and Wait
// block. Start makes the calling process a subreaper for good.
//
// Sources: prctl(2), pidfd_open(2), clone(2), waitpid(2), mlock(2), cgroups(7), the
// kernel's cgroup-v2 and watchdog-api documents; measured by the benchmarks of this package.
package process
