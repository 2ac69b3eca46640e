// Package machine looks at what the node's machine is like: the Java that the
// node needs, the limits of its user, the unit that starts the agent, the clock,
// the room on its disks. What it finds are [Finding] values with a next step each.
//
// It changes nothing, and judges apart from looking: the judges are pure functions.
// It does not look at the shared drive, the database or the node's files; packages
// drive, sqlstore and clone do. What cannot be found out is a note and never a fault:
// unknown is not no.
//
// Each look is bounded by a limit of its own. [Look] may be called from any
// goroutine, and starts a program or two (java -version, systemctl show).
package machine
