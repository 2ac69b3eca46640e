// Package corda knows a Corda node's node.conf: its fields, how the node puts its configuration together, and what
// goes wrong with it on two machines.
//
// It starts no node, reads no environment of its own and decides nothing about the lease. What it is not told (files,
// environment, system properties) it does not look for.
//
// # What it guarantees
//
// Load lays the sources over each other in the order in which an open-source node of release 4.12 does, and resolves
// them once: baseDirectory, command line, system properties, environment, node.conf, defaults. Lint tells every fault
// that it finds, sorted by place, each with what was read and what would be right. No finding and no rendering shows a
// secret; the only way to one is Reveal of package hocon.
//
// The table of fields is complete for the open-source node, as far as its documentation goes. Corda Enterprise has more
// fields than are documented, so an unknown key is a fault for the open-source edition alone, and a warning otherwise.
//
// # Units
//
// Each field says its own; a field without a unit has none.
//
// # Errors
//
// Load returns hocon.Errors where the files cannot be read or resolved. What Lint finds is data, not an error.
//
// # Goroutines
//
// All functions may be called from any goroutine; what they return is never changed afterwards.
//
// # Source of its rules
//
// R3's published documentation of Corda 3.2 to 4.14, and the open-source repository corda/corda, release 4.12.
package corda
