// Package config turns the node's node.conf and hotcold's hotcold.conf into checked types.
//
// It starts nothing, opens no connection and makes no file: it reads the files that it is pointed at, and those that
// they name (includes, password and key files). It does not check what lies outside of the files: whether the
// database answers, whether the command exists, whether the drive is mounted. Whether the spans of the lease fit each
// other is checked by package lease; Config.Where gives the place in the file for its complaint.
//
// # What it guarantees
//
// A Config that comes from Load is whole: every field has a value that is in its range, every path is absolute, and
// the database is one that this release can keep a lease in. Load reports all faults of a file in one error, sorted
// by position. No error, warning or rendering shows a secret: passwords have the type Secret, and texts that could
// hold one (connection strings) are never quoted.
//
// # Units
//
// Milliseconds live here and nowhere else: a bare number in a file that stands for a span is milliseconds, because
// Corda's own updateInterval and waitInterval are. Everything that leaves this package is a time.Duration. Sizes
// are bytes.
//
// # The table of settings
//
// Settings is the one table of all that stands under "hotcold": path, type, default, range, meaning. The decoder
// takes its defaults from it, unknown keys are held against it, and docs/configuration.md, ManPage and JSONSchema are
// made from it. Tests hold all of them against each other in both directions.
//
// # Errors
//
// Load returns hocon.Errors: each element reads "file:line:col: path: what was read, what would be right". A file
// that cannot be read at all is such an error too.
//
// # Goroutines
//
// Load may be called from any goroutine. A Config is never changed after it was returned.
//
// # Source of its rules
//
// The mutual-exclusion block and the identity (machine name and base directory) are those of Corda Enterprise's
// hot-cold guide; what is assumed of a node is from R3's published documentation and the open-source repository
// corda/corda (release 4.12); the grammar of JDBC addresses is that of pgjdbc 42.5.
package config
