// Package clone makes the back-up a twin of the primary and tells whether it
// still is one: it lists what two machines must have alike ([Manifest]), finds
// what differs ([Compare]), decides what is to be done ([Decide]) and does it
// ([Copy]), to a directory or by SSH ([DialSSH]).
//
// It does not know which of two machines is right: whoever calls it does. It
// writes nothing but what a [Selection] names, and never what belongs to one
// machine or to the shared drive: artemis/, brokers/, logs/, process-id, files of
// H2, hotcold's own.
//
// # Guarantees
//
// A file appears under its name whole, with its digest read back from where it
// was written, or not at all: it is written beside its place, made durable, read
// again, and renamed. What an interruption leaves is a part whose name holds the
// digest of the whole, so that the next run goes on with it; it never has the
// name of a file of the node. Nothing is deleted unless asked for.
//
// Links are listed and never followed. One that leads out of the base directory,
// or to something that is not listed itself, is left out and told. Nothing is
// written through a directory that is a link on the other side.
//
// Permissions and times are kept; a secret is open to its owner only, whatever
// it was before. A user of all rights gives what it writes to the owner of the
// base directory.
//
// Over SSH the host's key has to be known; there is no way around that. The
// durability of a rename cannot be asked for over SFTP: after a power loss, run it again,
// and it says so if anything is missing.
//
// # Limits
//
// A manifest has at most [MaxEntries] entries, [MaxDepth] directories deep and
// [MaxBytes] in all: what is larger was named by mistake. Reading is paced where
// asked, so that a watch does not take a disk from its node.
//
// # Secrets
//
// A manifest holds digests, fingerprints of certificates and of public keys, and
// nothing of a file's content. Whoever can read it could try guesses of a short
// file against its digest, so files that hold a password as text, node.conf above all,
// have no place in it.
//
// # Goroutines
//
// A Side belongs to one goroutine at a time. All else may be called from any.
package clone
