package lease

import "time"

// The breaches of what is around the lease's code: the store, the guard, the
// agent. They stand in the simulated ones.
const (
	waitAboveUpdate    = breachesHere + iota // 5
	killTimeLeftOut                          // 5
	slackLeftOut                             // 5
	ratesLeftOut                             // 5
	noGuard                                  // 2
	sleepLeftOut                             // 2
	blindWrite                               // 3
	incarnationIgnored                       // 7
	startBeforeLockOut                       // 9
	childIgnored                             // 11
	waitsTooLong                             // 15
)

// timing breaks what the inequality demands.
func (b breach) timing(t Timing) Timing {
	t.breach = b
	switch b {
	case waitAboveUpdate:
		t.Wait = t.Update + t.Update/20
	case killTimeLeftOut:
		t.Trust += t.Fence
	case slackLeftOut:
		t.Trust += t.Slack
	case ratesLeftOut:
		t.Trust = t.Wait - t.Slack
	case waitsTooLong:
		t.Wait += t.Wait / 4
	}
	return t
}

// The sentences, by how their breaking is told.
const (
	oneNode    = "two nodes alive"
	oneTraffic = "traffic for"
	newEpochs  = "an epoch"
)

// brokenRule is a breach, the sentence that has to be broken by it, and the
// first seed that does.
type brokenRule struct {
	rule   int
	breach breach
	name   string
	want   string
	may    assumption
}

func (b brokenRule) setting() setting {
	s := usual()
	s.want, s.may = b.want, b.may
	if b.breach == ratesLeftOut {
		// Two thousandths are seen only by who looks often.
		s.worst, s.harms = true, harmsNamed("an agent is cut off")
		s.timing = &Settings{Update: 50 * ms, Wait: 20 * time.Second, Attempt: 40 * ms}
	}
	return s
}

// breaches has at least one breach for every rule that is about the lease.
func breaches() []brokenRule {
	return []brokenRule{
		{1, anchorAtAnswer, "trust counts from the answer", oneNode, ""},
		{2, deadlineWaits, "what watches the deadline waits for the database", "", ""},
		{2, noGuard, "no second process holds the deadline", oneNode, ""},
		{2, sleepLeftOut, "deadlines on a clock that stands still in sleep", oneNode, ""},
		{3, blindWrite, "a write that compares nothing", oneNode, ""},
		{3, unknownIsYes, "no answer counts as a renewal", oneNode, ""},
		{3, refusalIgnored, "a refused write does not end traffic", oneTraffic, ""},
		{3, readGivesTrust, "a row that was read back counts as a renewal", oneNode, ""},
		{3, claimReadBack, "a claim that was read back begins a term", oneNode, ""},
		{4, waitFromQuestion, "the wait counts from the question", oneNode, ""},
		{4, databaseClockDecides, "the age that the database tells is the wait", oneNode, ""},
		{4, wallClockWait, "the time of day measures the wait", oneNode, ""},
		{5, waitAboveUpdate, "waitInterval just above updateInterval", oneNode, ""},
		{5, killTimeLeftOut, "the time to kill (K) left out", oneNode, ""},
		{5, slackLeftOut, "the slack (delta) left out", oneNode, ""},
		{5, ratesLeftOut, "the clocks' rates (rho) left out", oneNode, ""},
		{6, otherTimingAccepted, "other numbers in the row are not looked at", oneNode, ""},
		{7, quickElsewhere, "a release is believed in whichever database it is read", oneNode, ""},
		{7, incarnationIgnored, "nobody knows of incarnations", oneNode, ""},
		{7, epochFromRow, "the next epoch comes from the row alone", newEpochs, ""},
		{8, releasedAlive, "released while the node is being stopped", oneNode, ""},
		{8, releasedElsewhere, "a row of another database is released", oneNode, ""},
		{9, startBeforeLockOut, "the node starts before the others are locked out", "a write of", pausedUnseen},
		{10, firstFailureEnds, "the first failed renewal ends the term", "", ""},
		{11, childIgnored, "a child that outlives the node is not waited for", oneNode, ""},
		{12, startWithoutTrust, "a node is started however little trust is left", "", ""},
		{13, restartBelieved, "a restart is proof that the old node is gone", oneNode, ""},
		{14, jumpIgnored, "nobody looks at the time of day", oneTraffic, pausedAndSeen},
		{15, waitsTooLong, "the bound of a takeover leaves a wait out", "nobody has", ""},
	}
}
