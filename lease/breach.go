package lease

// breach is a rule of the protocol that is broken on purpose, so that the
// simulation can be seen to notice. It is zero and stays so: nothing but the
// tests of this package can set it, and [New] refuses a Timing that has one.
type breach uint8

// The breaches that are in this code; docs/design/lease.md has the whole list,
// with what each leads to. The number is the rule's.
const (
	unbroken             breach = iota
	anchorAtAnswer              // 1: trust counts from the answer
	deadlineWaits               // 2: what watches the deadline waits for the database
	unknownIsYes                // 3: no answer counts as a renewal
	refusalIgnored              // 3: a refused write does not end traffic
	readGivesTrust              // 3: a row that was read back counts as a renewal
	claimReadBack               // 3: a claim that was read back begins a term
	waitFromQuestion            // 4: the wait counts from before the row was seen
	databaseClockDecides        // 4: the wait is the age that the database tells
	wallClockWait               // 4: the wait is measured with the time of day
	otherTimingAccepted         // 6: nobody looks at the numbers in the row
	quickElsewhere              // 7: a release is believed in whichever database it is read
	epochFromRow                // 7: nobody remembers an epoch that the database lost
	releasedElsewhere           // 7: a row of another database is released
	releasedAlive               // 8: the lease is released while the node is being stopped
	firstFailureEnds            // 10: a failed renewal ends the term
	startWithoutTrust           // 12: a node is started however little trust is left
	restartBelieved             // 13: a restart is proof that the old node is gone
	jumpIgnored                 // 14: nobody looks at the time of day
	breachesHere                // how many there are
)

// breaks tells whether a rule is broken on purpose.
func (t Timing) breaks(b breach) bool { return t.breach == b }
