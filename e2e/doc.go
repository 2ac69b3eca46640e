// Package e2e tests the built program as an operator has it: real agents as
// child processes, a real PostgreSQL, a real Artemis broker, real signals.
//
// It holds tests only and imports nothing of what it tests but the clock and the
// JSON that the program prints.
//
// # How a pair is made
//
// Two machines are two base directories, runtime directories, names and ports on
// one host; their agents are processes in sessions of their own. All that a test
// starts works below a directory whose keeper kills what is left and removes
// it, also when the test binary dies (package testserver).
//
// # Who says that two nodes never ran at once
//
// An observer of the test's own. It looks through /proc every few milliseconds for
// processes with the command line of a node, follows each by a file descriptor of
// the process, and keeps between which readings of CLOCK_BOOTTIME it was
// certainly alive. It knows nothing of agents, leases and epochs. Tests of the
// observer show that it sees an overlap.
//
// # Environment
//
//	HOTCOLD_E2E_ROUNDS   how often each harm is done to the pair (default 2)
//	HOTCOLD_E2E_RACE     1: build the program under test with the race detector
//	HOTCOLD_E2E_CLOCK    1: also set the clock of this machine (root only), and back
package e2e
