// Package lease decides when an agent may believe that it alone may run a node.
//
// # What it is
//
// A lease is one row in a database that all agents of a service reach. Its
// holder renews it; an agent that has seen the row stand still for long enough
// takes it. [Holder.Run] claims the lease, calls a [Work] that starts the node,
// waits until the work has returned, which says that the node has been seen
// dead, and only then gives the lease back.
//
// The protocol is two values with pure methods: [Challenge] is what an agent
// knows that wants the lease, [Tenure] what one knows that has it. Facts go in,
// decisions come out; no clock is read there, nothing is sent and nothing is
// logged. [Holder] is the thin loop around them. A [Store] keeps the row.
//
//	                  refused, or outcome unknown
//	               +-------------------------------+
//	               v                               |
//	start --> [ looking ] -- still for W, -----> [ claiming ]
//	           ^   |         or quick (1)          |
//	           |   | living holder (2)             | acknowledged:
//	           |   v                               | anchor = before it was sent
//	           |  error                            v
//	           |                     +-------> [ holding ] ---------+
//	           |        acknowledged |             |                |
//	           |        write, sent  |             | refused, or    | caller ends:
//	           |        since        |             | clock jumped   | work is asked
//	           |                     +------- [ in doubt ]          | to stop, renewals
//	           |                                   |                | go on meanwhile
//	           |       row is not ours, or now >= anchor + L - K    |
//	           |                                   v                |
//	           |                              [ ending ] node dead  |
//	           |                                   |     by         |
//	           |                      work returns |     anchor + L |
//	Run again  |                                   v                |
//	           +-------------------------- [ releasing ] <----------+
//	                                                    work returns
//
// (1) Quick: the row was released, for everybody or for us; or it is our own and
// its work has returned; or it is of an earlier agent of ours whose node is
// proven gone. Only a row written in the very database that answers counts.
// (2) A holder seen to live ends the run with a [*DisagreementError] if it has
// other numbers, with a [*TwinError] if it has our name, and with a [*HeldError]
// where that is asked for. Otherwise we go on looking.
//
// From holding, too, the term ends once the row is not ours or stopping has to
// begin. A renewal of unknown outcome leaves the holder where it is, with the
// anchor that it had: it reads the row, and writes again. When the caller ends
// while a claim is undecided, a claim that was written is given back.
//
// # What it guarantees
//
// No two works run trusted at once: from [Term.Trust] a node has to be dead by
// DeadBy, and nobody else's claim is acknowledged before that has passed on the
// slowest allowed clock. Every acknowledged claim has a greater epoch than any
// that the database, this challenger or [Options.Floor] knows of. This holds if
//
//   - the node is dead by DeadBy, whatever becomes of this process: a second
//     process (the guard) has to hold the same deadline on the same clock, and
//     the delay of what kills is at most [Timing.Slack];
//   - Work returns only when the node has been seen dead down to its last
//     process, and starts nothing once its context has ended or DeadBy has passed;
//   - the boot-time clocks of the machines run with an error of at most
//     [ClockRateError]; what they show, and the time of day, do not matter;
//   - the Store is linearizable within one incarnation of the database: a write
//     that was acknowledged is compared with by all later ones, until the
//     incarnation changes; and one that was acknowledged after another server
//     took over does not exist (synchronous replication, or one server). A
//     database that splits and has both halves acknowledge can make two
//     holders; so can one that gets a former incarnation back within a wait;
//   - all agents have the same [Timing], which each of them checks in the row;
//   - a [Identity.Nonce] is used by one process, and by one Holder at a time; and
//     [Options.ProvenEpoch] is true of every node that any agent of the instance
//     started on this boot under that epoch or an earlier one.
//
// A machine that is paused as a whole (a virtual machine's snapshot or
// migration) keeps its clock from running, and its node wakes up alive after
// its time. No lease can see that; only fencing in the database can, with the
// epoch that the term carries. [Term.MayServe] ends traffic as soon as the time
// of day shows the jump.
//
// # What gives trust, and what does not
//
// Only an acknowledged compare-and-set moves the anchor, to the clock reading
// taken before it was sent. An attempt that was not answered in time may still
// be written, at any later time; it is never counted. The row is read to learn
// which version to name next, and written once more. That the row was read back
// is no proof: a server that lost its peers shows its own writes, which nobody
// else will ever see.
//
// A refused write (no row changed) ends traffic at once and the row is read once
// more before the lease is called lost, because the refusal may be our own
// earlier write that came late, or a database that failed over with our row.
// Trust does not grow by that: the node is dead by the same instant either way.
//
// A row written under another incarnation of the database is owed a full wait,
// also if it says released, because that database may have lost the claim of
// somebody who is alive. For the same reason such a row is not released: an
// earlier try of the release may have been what that claim believed.
//
// A row whose holder has other numbers is refused only while its holder is seen
// alive: two writes of one holder while we watch. Otherwise the greater of both
// waits is kept. A missing row is waited for like one that is held, because a
// database that was restored may have lost it.
//
// # What it does not do
//
// It starts, stops and kills nothing, knows no SQL, reads no configuration and
// writes no log: [Options.Report] gets an [Event] for everything that happens.
// It does not keep the epoch file; [Options.Floor] reads it, and the work has
// to raise it before the node starts.
//
// # Time
//
// All instants in [Trust] are readings of this machine's boot-time clock
// (CLOCK_BOOTTIME); a challenger measures its wait with CLOCK_MONOTONIC, which
// stands still in sleep. They mean nothing on another machine. The database's
// clock appears in [Observation] for people only. Spans in the row are whole
// microseconds.
//
// # Timing
//
// With U the update, W the wait, T an attempt, K the fence, L the trust, rho the
// error of the clocks' rates, delta the slack and m the failed attempts that a
// holder survives, [Settings.Timing] derives what is not set and demands
//
//	W >= (1+rho)/(1-rho) * L + (1+rho) * delta
//	L >= max(U,T) + (m+1)*T + K,  m >= 0
//
// and [Timing.Explain] writes that down with its numbers. The failed attempts
// are survived if the database then answers a read and a write within one T.
//
// # Errors
//
// [ErrUnsafe] from New and Settings.Timing. From Run: the cause of its context,
// [*HeldError], [*DisagreementError], [*TwinError]. As the cause of the work's
// context: [ErrLost], [ErrTrustEnded], [ErrDatabaseLost], or the cause of Run's.
// A Store answers [ErrChanged] where nothing was written; every other error is an
// unknown outcome, which is not a no.
//
// # Goroutines
//
// Challenge, Tenure and Timing are values and safe to copy. One goroutine, that
// of Run, owns all changing state of a Holder; a second Run meanwhile is an
// error. The methods of [Term] may be called from anywhere. Each call to the
// store runs in a goroutine of its own, so that no deadline waits for it; a call
// that hangs is left behind, and their number is bounded. Report, Admit and the
// callback of Watch must not block.
//
// # Sources
//
// The rules follow from first principles and from what is published: C. Gray and
// D. Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed
// File Cache Consistency" (1989), for trust counted from before the request and
// clocks that drift; the fencing token of M. Burrows, "The Chubby Lock Service"
// (2006), there called sequencer; updateInterval and waitInterval of Corda
// Enterprise's hot-cold guide, whose defaults are 20 s and 40 s; adjtimex(2) for
// the rate of a clock; PostgreSQL's documentation of synchronous replication for
// writes that are visible and not replicated.
package lease
