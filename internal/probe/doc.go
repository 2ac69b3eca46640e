// Package probe looks at a node once and says whether it is well; a [Watch]
// keeps on looking and tells when that changes.
//
// It does not decide what follows from an ill node, it starts and stops
// nothing but its own probe commands, and it never logs.
//
// # One look
//
// A [Probe] answers nil for "well" or an error whose text is the reason, one
// line for a person. [OutcomeOf] sorts the reasons for code:
//
//   - Refused: somebody was reached and nobody listens there.
//   - TimedOut: no answer, or not all of it, before the deadline.
//   - Wrong: an answer came and is not the one wanted; also a command that
//     ended with another code than 0, and a log line that did not come yet.
//   - Unreachable: the question could not be put: no route, unknown name,
//     no such program.
//   - GivenUp: the asker went away. This says nothing about the node and is
//     never counted against it.
//
// Every look ends soon after its context does. The one exception that nobody
// can help, a probe command stuck inside the kernel, is left behind after a
// second; the same [Command] then starts no other one until it is gone.
//
// # Thresholds
//
// [Threshold] is a pure function from what was seen to what is believed: so
// many failures in a row make a node unwell, so many successes make it well.
// Where nothing is believed yet, the first success does.
//
// # Time
//
// [Watch] measures on the boot clock of the machine. A look that comes back
// well after its deadline counts as timed out. Intervals run from the start of
// a look to the start of the next; looks never overlap and are never made up
// for in a burst.
//
// # Goroutines
//
// All probes may be used by several goroutines at once. [Watch.Run] calls
// back on its own goroutine, one call at a time, and returns when all that it
// started is over.
//
// A probe command's children that outlive it are killed with its process group
// before the look ends; one that left the group is out of reach. When the agent
// is killed in the middle of a look, the kernel kills the command, and what the
// command started is out of reach too. Where this process is a child subreaper it also has to
// reap them; package probe reaps only what it started.
package probe
