// Package witness is a small node that stands for any service which must run
// exactly once, and the audit that tells whether it did.
//
// A witness does what such a service does: it appends to a journal on the
// shared drive, writes into a table, serves a P2P, an RPC and a web port, and
// acknowledges a write only when the journal and the table both have it. It
// takes no lock and asks nobody: two witnesses started at once run at once. If
// hotcold ever lets that happen, it has to show.
//
// It is for the demo, for tests and for rehearsals. It is no database and
// takes no load worth measuring.
//
// # What it records
//
// Each run keeps one page of a file, mapped into memory, in a directory that
// nothing of hotcold reads or writes: who it is, when it began, when it was
// last alive. A goroutine renews the last beat every 2 milliseconds; each
// write does so before and after. The page outlives SIGKILL, since it belongs
// to the kernel, but not a loss of power. All times are CLOCK_BOOTTIME, which
// the processes of one machine share; records of different boots are never
// compared.
//
// Two independent things show an overlap of two runs:
//
//   - Their intervals from start to last beat have time in common. The start
//     is read before the run touches anything. The last beat errs early by
//     the distance of two beats; the widest one is kept in the record.
//   - Each run holds a flock(2) on its own record, which the kernel drops when
//     the process is dead and not before, and a new run looks at its start
//     whose locks are still held. Two runs overlap if and only if the earlier
//     one is alive at the start of the later one, so this finds every overlap,
//     be it a microsecond, and also with a node that is frozen and beats no
//     more. The lock stops nobody; it is only looked at.
//
// A child that outlives its witness (see harm) belongs to the same family:
// it overlaps with its parent rightly and with anyone else wrongly.
//
// # The line protocols
//
// One request a line, one answer a line, both in ASCII. On the P2P port:
//
//	who            ->  witness INSTANCE EPOCH
//	write ID       ->  ok ID            journal and table have it for good
//	                   err ID REASON    nothing is promised; ask again
//	read ID        ->  found ID | missing ID, in the journal
//	list           ->  one "id ID" for each, then "end COUNT"
//
// A write of an ID that is already there is acknowledged and changes nothing,
// so that a client may ask again after a lost answer. On the RPC port:
//
//	status         ->  ok instance=A epoch=3 pid=71 state=ready writes=12
//	harm ...       ->  ok | err REASON; only where harm is allowed:
//	  exit N           ends at once with this code
//	  kill             ends at once by SIGKILL
//	  hang             answers nothing on any port from now on
//	  ignore-term      no longer ends when told to
//	  slow-stop D      takes D to end when told to
//	  orphan           starts a child that holds on to life and standard output
//	  orphan session   the same in a session of its own
//
// On the web port, GET / answers 200.
//
// # The journal
//
// A line is "EPOCH INSTANCE PID ID CHECKSUM". A line cut short by a crash is
// left where it is, closed with a line end, and counted as torn. A witness
// refuses to start with a lower epoch than the greatest in the journal
// ([StaleEpochError]): that is what fencing by epoch means at the resource.
//
// # Goroutines
//
// [Run], [Client.Run] and [Audit] return when all that they started is over.
// [Client] may be asked from any goroutine.
package witness
