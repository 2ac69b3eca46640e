package machine

import (
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's words for a clock that nobody keeps right (adjtimex(2)).
const (
	timeError  = 5    // TIME_ERROR
	staUnsync  = 0x40 // STA_UNSYNC
	maxWrongBy = time.Second
)

// lookClock asks the kernel whether somebody keeps its clock right.
func lookClock() Finding {
	var t unix.Timex // no modes: it only reads
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return finding(Note, "clock", "", "whether the clock is kept right cannot be found out: %v", err)
	}
	return JudgeClock(state, int(t.Status), time.Duration(t.Maxerror)*time.Microsecond)
}

// JudgeClock judges what the kernel says of its clock: its state, its flags, and by how much it may be wrong.
func JudgeClock(state, status int, wrongBy time.Duration) Finding {
	const next = "start chrony or systemd-timesyncd"
	switch {
	case state == timeError || status&staUnsync != 0:
		return finding(Warning, "clock", next, "nobody keeps the clock right; the lease does not need that, but time windows of transactions and the times in the history do")
	case wrongBy > maxWrongBy:
		return finding(Warning, "clock", next, "the clock may be wrong by %v", wrongBy.Round(time.Millisecond))
	}
	return finding(OK, "clock", "", "the clock is kept right, within %v", wrongBy.Round(time.Millisecond))
}
