// Package clock is the only place where hotcold reads a clock or waits for one.
//
// It does not decide anything: callers compare readings and arm timers.
//
// # Three times that never mix
//
// A [Reading] is one look at three clocks of this machine.
//
//   - Boot is CLOCK_BOOTTIME: it goes on while the machine sleeps, is never
//     set by a person or by NTP, and is the same for all processes of one
//     boot. Every deadline by which a node has to be dead is a Boot reading,
//     so that the agent and its guard mean the same instant.
//   - Mono is CLOCK_MONOTONIC: it stands still while the machine sleeps. A
//     challenger measures its wait with it, because there an elapsed time
//     that is too short is the safe error.
//   - Wall is for people to read, and for one thing more: when Wall and Boot
//     drift apart by more than slewing explains, the clock was set or the
//     whole machine was paused (see [Reading.Jump]).
//
// Boot is never less than Mono for the same pair of readings, so a holder that
// counts with Boot counts against itself.
//
// # Guarantees
//
// A timer never fires before Now().Boot has reached its instant. How much
// later it fires is up to the scheduler; the lease keeps a slack for that.
// All types are safe for use by several goroutines.
//
// Linux only: timers are timerfd(2) on CLOCK_BOOTTIME, which fires right after
// a resume where a timer on CLOCK_MONOTONIC would be late by the sleep.
package clock
