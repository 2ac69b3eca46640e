package pathtest

import (
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/testserver/yard"
)

// DefaultPatience is the limit of every wait where the fixture names none: a loaded machine has to be slow, not wrong.
const DefaultPatience = 20 * time.Second

// Ability is something that not every path can do by its nature.
type Ability string

// The abilities.
const (
	// Epochs: an epoch lower than one that was obeyed is refused.
	Epochs Ability = "epochs"
	// OneStep: all rules of a group move at one instant.
	OneStep Ability = "moving in one step"
	// Groups: rules of one group move and those of another stay.
	Groups Ability = "groups of rules"
	// Parking: clients who come while nobody is hot are served once somebody is.
	Parking Ability = "parking"
	// ParkingOrder: those who waited are served in the order in which they came.
	ParkingOrder Ability = "parking in order"
	// ParkingBounds: they are bounded in number and in time.
	ParkingBounds Ability = "bounds of the park"
	// ParkingLeave: one that leaves makes room at once.
	ParkingLeave Ability = "noticing that a parked client left"
	// Staying: connections go on while nobody is hot.
	Staying Ability = "connections that outlive their machine's term until there is another"
	// Drain and Keep: old connections may go on, for a time or for ever.
	Drain Ability = "draining"
	Keep  Ability = "keeping old connections"
	// CutSilent: a client who sends nothing learns that it was cut.
	CutSilent Ability = "telling silent clients that they were cut"
	// Retry: a machine that refuses is asked again, and the client waits.
	Retry Ability = "asking a machine again"
	// Resets: a reset of one end reaches the other as a reset.
	Resets Ability = "passing resets on"
	// Idle: a connection that carries nothing ends after its time; IdleReset: with a reset to both ends.
	Idle      Ability = "idle timeouts"
	IdleReset Ability = "resets on idle"
	// ProxyHeaders are read from clients and sent to machines.
	ProxyHeaders Ability = "PROXY headers"
	// ProxyPieces: a header may come in pieces; ProxyStrict: what is not a header by every letter of it is refused.
	ProxyPieces Ability = "PROXY headers in pieces"
	ProxyStrict Ability = "refusing malformed PROXY headers"
	// Bounds and SourceBounds limit connections of a rule and of an address.
	Bounds       Ability = "a bound on connections"
	SourceBounds Ability = "a bound on connections of one address"
	// Lists say who may connect.
	Lists Ability = "lists of who may connect"
	// Families: a client of IPv6 reaches a machine of IPv4.
	Families Ability = "joining IPv6 and IPv4"
	// Sockets: a rule's port is a socket of the path, so one that somebody has is an error.
	Sockets Ability = "listening at ports"
	// Live: rules come and go and the others do not notice.
	Live Ability = "changing rules live"
	// Counts: Flows counts connections and bytes as they are.
	Counts Ability = "counting"
	// CountsPayload: bytes are those that the ends sent, without the kernel's own headers.
	CountsPayload Ability = "counting payload alone"
)

// Fixture is one path to be tested.
type Fixture struct {
	// Path is new. The suite calls its Run, once.
	Path balancer.Path
	// Lacks says of abilities that the path does not have why.
	Lacks map[Ability]string
	// Left names what there is of the path outside this process's own goroutines and descriptors, such as rules of the
	// kernel. It is asked when Run is over, and has to name nothing. It is nil where there can be nothing.
	Left func() ([]string, error)
	// Settled, where it is set, replaces the count of goroutines and descriptors.
	Settled func() error
	// IdleTime is the shortest idle timeout that the path can have; zero is a second.
	IdleTime time.Duration
	// Patience limits every wait for something that has to happen; zero is [DefaultPatience].
	Patience time.Duration
}

func (f Fixture) patience() time.Duration {
	if f.Patience > 0 {
		return f.Patience
	}
	return DefaultPatience
}

func (f Fixture) idleTime() time.Duration {
	if f.IdleTime > 0 {
		return f.IdleTime
	}
	return time.Second
}

// check is one behaviour.
type check struct {
	name  string
	needs []Ability
	run   func(*stage)
}

// Run runs every check as a subtest of t, which must be inside yard.Within, each with a yard and a path of its own.
func Run(t *testing.T, o yard.Options, fresh func(*testing.T, *yard.Yard) Fixture) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			y := yard.New(t, o)
			f := fresh(t, y)
			for _, a := range c.needs {
				if why := f.Lacks[a]; why != "" {
					t.Skipf("%s: %s", a, why)
				}
			}
			c.run(begin(t, y, f))
		})
	}
}

func checks() []check {
	return []check{
		{"NothingIsReachedBeforeAnybodyIsHot", nil, nobodyYet},
		{"ClientsReachTheHotMachineByEveryRule", nil, reachHot},
		{"AfterSteerNobodyReachesTheFormerMachine", nil, movesOver},
		{"ALowerEpochIsRefusedAndNothingMoves", []Ability{Epochs}, lowerRefused},
		{"TheSameEpochAgainAfterNobodyIsObeyed", []Ability{Epochs}, sameAgain},
		{"AnEpochIsRememberedWhileNobodyIsHot", []Ability{Epochs}, rememberedOverNobody},
		{"NoConnectionIsEverOlderThanTheEpochInForce", []Ability{Epochs, OneStep}, hammer},
		{"RulesOfAnotherGroupStayWhereTheyAre", []Ability{Groups, Epochs}, groupsApart},

		{"ClientsWaitWhileNobodyIsHotAndAreServedThen", []Ability{Parking}, parked},
		{"ParkedClientsAreServedInOrder", []Ability{Parking, ParkingOrder}, parkedInOrder},
		{"WhatAParkedClientSentIsNotLost", []Ability{Parking}, parkedTalkers},
		{"TheParkIsBoundedInNumber", []Ability{Parking, ParkingBounds}, parkFull},
		{"TheParkIsBoundedInTime", []Ability{Parking, ParkingBounds}, parkExpires},
		{"AParkedClientThatLeavesMakesRoom", []Ability{Parking, ParkingBounds, ParkingLeave}, parkLeft},
		{"ClientsAreRefusedWhileNobodyIsHot", nil, refused},

		{"OldConnectionsAreCutWithinASecond", []Ability{Epochs}, cutTalking},
		{"OldConnectionsThatAreSilentAreCutWithinASecond", []Ability{CutSilent}, cutSilent},
		{"NobodyLeavesConnectionsAlone", []Ability{Staying}, staying},
		{"OldConnectionsAreCutThoughNobodyWasHotBetween", []Ability{Staying, Epochs, CutSilent}, cutAfterNobody},
		{"OldConnectionsMayDrain", []Ability{Drain}, drains},
		{"OldConnectionsMayBeKept", []Ability{Keep}, keeps},
		{"AMuteOldMachineDoesNotHoldUpTheCut", []Ability{Epochs}, cutFromMute},

		{"AHalfClosedConnectionGoesOnTheOtherWay", nil, halfClosed},
		{"AResetReachesTheOtherEnd", nil, resetEnds},
		{"AResetIsNotMadeAnOrderlyEnd", []Ability{Resets}, resetIsReset},
		{"BytesArriveAsTheyWereSentBothWays", nil, exactBytes},
		{"ManyStreamsDoNotMix", nil, manyStreams},
		{"ASlowReaderLosesNothing", nil, slowReader},
		{"OneWayTrafficIsNotIdle", []Ability{Idle}, oneWay},
		{"AnIdleConnectionEnds", []Ability{Idle}, idleEnds},
		{"AnIdleConnectionIsResetWhereAsked", []Ability{Idle, IdleReset}, idleResets},

		{"ClientsOfIPv6ReachAMachineOfIPv6", nil, six},
		{"ClientsOfIPv6ReachAMachineOfIPv4", []Ability{Families}, sixToFour},
		{"DenyWinsOverAllow", []Ability{Lists}, lists},
		{"ARuleHasAtMostSoManyConnections", []Ability{Bounds}, bounded},
		{"AnAddressHasAtMostSoManyConnections", []Ability{SourceBounds}, sourceBounded},
		{"AProxyHeaderTellsTheMachineWhoTheClientIs", []Ability{ProxyHeaders}, proxyOut},
		{"AProxyHeaderOfAClientIsReadAndPassedOn", []Ability{ProxyHeaders}, proxyIn},
		{"AMalformedProxyHeaderReachesNobody", []Ability{ProxyHeaders, ProxyStrict}, proxyMalformed},

		{"RulesComeAndGoAndOthersDoNotNotice", []Ability{Live}, applyLive},
		{"ConnectionsOfARuleThatIsGoneEnd", []Ability{Live, CutSilent}, applyEnds},
		{"AnApplyThatFailsLeavesEverything", []Ability{Live}, applyFails},
		{"APortThatSomebodyHasIsAnError", []Ability{Live, Sockets}, applyTaken},
		{"AChangeOfBackendPortHoldsForNewConnections", []Ability{Live}, applyBackend},

		{"AMachineThatRefusesIsAskedAgainAndNoOtherIs", []Ability{Retry}, retried},
		{"AMachineThatRefusesIsNotReplacedByTheOther", nil, notReplaced},
		{"AMachineThatAcceptsAndIsSilentHoldsUpNobodyElse", nil, silentMachine},
		{"ThousandsOfConnectionsComeAndGo", nil, flood},
		{"ThousandsOfIdleConnectionsCostNoMoreThanTheirDescriptors", []Ability{Sockets}, idleCrowd},
		{"CountersSayWhatHappened", []Ability{Counts}, counters},
		{"WhatRunOpenedIsClosedWhenItEnds", nil, runEnds},
	}
}
