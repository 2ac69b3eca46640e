// Package etcdstore keeps leases in etcd, and the board on which agents and
// operators leave word for each other: for services without a database of their
// own.
//
// It decides nothing: who may hold a lease is the business of package lease, what
// the documents of instances, events and requests mean that of the agent.
//
// # What it guarantees
//
// [DB] is a [lease.Store] that passes all of leasetest. A renewal is one
// transaction, sent in one round trip, that compares every member of the key and
// the incarnation; when Swap returns nil a majority of the members has it on disk.
// Reads are etcd's default, linearizable ones. Every error but
// [lease.ErrChanged] means that the outcome is unknown: a deadline, a lost leader,
// "etcdserver: request timed out". ErrChanged is nothing but an answered
// transaction whose comparisons did not hold.
//
// # Not etcd's own leases
//
// etcd's leases, locks and elections are not used. Such a lease ends when the
// server has counted its time, a new leader counts anew, and nothing tells its
// former holder in time that it is over: what is kept by it is two holders as soon
// as one of them was paused or cut off. Here time is counted by those who have to
// obey it, as package lease says.
//
// # Keys
//
//	<prefix>/incarnation                  name of the incarnation
//	<prefix>/lease/<name>                 the row, as JSON
//	<prefix>/mark/<name>                  the row's key: what Swap compares
//	<prefix>/signal/<name>                written with whatever watchers should see
//	<prefix>/instance/<lease>/<id>/<nonce>
//	<prefix>/event/<lease>/<random>
//	<prefix>/request/<lease>/<random>
//
// Row and mark are written by one transaction or not at all; a row whose mark is
// not its own is [ErrDamaged]. The mark is compared, and not the row's revision,
// because an observation may come from another process or have been made from a
// write of our own; and not the row's text, because a newer hotcold may write a
// field more, and an older one's row would never be taken again. What is compared is
// the whole text of the mark, in which version and nonce make every write unique.
// Numbers of events and requests are the revisions that made them.
//
// # Incarnation
//
// Its name begins with the id of the cluster that it was given to, and has a
// random part. A store that finds it missing, or given to another cluster (a restored
// snapshot, whose cluster has a new id), gives a new name before anything else is
// read or written; on each new connection it looks before it writes.
//
// A snapshot that is restored with the cluster token and the addresses of old has
// the *same* id. That is told by etcd's revision, which only grows: a store that
// once saw a greater one gives the cluster a new name. It cannot be told by a
// process that started after the restore while no other one lives, nor once as much
// has been written since as was lost. Restore under a new
// --initial-cluster-token, with the agents stopped.
//
// # Retries
//
// A request is sent once, to a member whose connection is ready, and never again.
// The client (v3.7.3) would send a refused or cancelled one up to a hundred times,
// writes included where the *server* answered that the request was cancelled or timed
// out; the second try of a compare-and-set finds the first one's write and is
// answered with "not changed", which would be a lie. So it has one try, and it
// does not wait for a connection to come back with a request in hand. gRPC itself
// repeats only what no server has begun with (refused streams), which does no
// harm. It waits up to two minutes before it dials again; here it is a second. One error is
// followed by a second try of ours: a token that etcd has forgotten, refused
// before anything was done.
//
// A member that hangs costs the attempt that meets it; the next one asks another.
//
// # Times
//
// etcd has no clock for its clients. Times are by the clock of the machine that
// wrote, ages by that of the one which reads, for people; no decision of the lease
// is made from them. A switchover asks whether the word of the other agent is fresh, so
// clocks should agree to some seconds.
//
// # Errors
//
// Beside [lease.ErrChanged], errors match one of the Err values of this package
// where the kind is known. None holds a password.
//
// # Goroutines and contexts
//
// All methods of DB may be called from any goroutine. Every call ends with its
// context, dialling and login included. Lease, board and watch have connections of
// their own.
//
// # Sources
//
// etcd's documentation: API guarantees (linearizability, durability), disaster
// recovery (snapshot restore), authentication; the client's and gRPC's source for
// what is retried, read at v3.7.3 and v1.83.2.
package etcdstore
