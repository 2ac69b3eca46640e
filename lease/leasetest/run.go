package leasetest

import (
	"context"
	"testing"
)

// check is one behaviour. It returns what is wrong, so that the suite itself
// can be tested with stores that are.
type check struct {
	name string
	// needs says why the check cannot be made with this fixture, or nothing.
	needs func(Fixture) string
	run   func(context.Context, Fixture) error
}

// Run runs every check as a subtest, each with a fixture of its own.
func Run(t *testing.T, fresh func(t *testing.T) Fixture) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			f := fresh(t)
			if c.needs != nil {
				if reason := c.needs(f); reason != "" {
					t.Skip(reason)
				}
			}
			ctx, cancel := context.WithTimeout(context.Background(), 4*f.patience())
			defer cancel()
			if err := c.run(ctx, f); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func checks() []check {
	return []check{
		{name: "AMissingRowIsReadAsMissing", run: missingRow},
		{name: "AMissingRowIsClaimedByExactlyOneOfManyChallengers", run: oneFirstClaim},
		{name: "ARowIsTakenByExactlyOneOfManyChallengers", run: oneTakeover},
		{name: "OneOfARenewalAndAClaimWins", run: renewAgainstClaim},
		{name: "EveryMemberOfTheKeyIsCompared", run: everyMember},
		{name: "AMissingRowAndAnExistingOneAreTold", run: existence},
		{name: "EveryFieldComesBackAsWritten", run: fields},
		{name: "EpochAndVersionKeepSixtyThreeBits", run: greatNumbers},
		{name: "AMemoThatIsTooLongIsRefused", run: longMemo},
		{name: "AReleasedRowIsTakenAtOnce", run: quickClaim},
		{name: "TwoLeasesDoNotTouchEachOther", run: twoLeases},
		{name: "ARowOfAnotherIncarnationComesBackWithIt", run: foreignRow},
		{name: "AChangedDatabaseRefusesTheOldKey", needs: needsChange, run: changedDatabase},
		{name: "AnEndedContextIsNoAnswer", run: endedContext},
		{name: "AnInterruptedSwapNeverLies", run: interruptedSwap},
		{name: "AHungDatabaseHoldsNobodyUp", needs: needsHang, run: hungDatabase},
		{name: "ADatabaseThatHungIsUsedAgain", needs: needsHang, run: usedAgain},
		{name: "WatchWakesOnRelease", run: watchWakes},
		{name: "WatchEndsWithItsContext", run: watchEnds},
		{name: "AgeGrowsByTheDatabasesClock", run: ageGrows},
	}
}

func needsHang(f Fixture) string {
	if f.Hang == nil || f.Restore == nil {
		return "this database cannot be made to hang"
	}
	return ""
}

func needsChange(f Fixture) string {
	if f.ChangeIncarnation == nil {
		return "the incarnation of this database cannot be changed by a test"
	}
	return ""
}
