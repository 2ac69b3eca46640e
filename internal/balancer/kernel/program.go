package kernel

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The names of chains, sets and counters. Those of a rule have its number at their end.
const (
	chainRaw, chainGuard, chainGuardOut         = "quiet", "guard", "guard-local"
	chainRoute, chainRouteOut, chainSource      = "route", "route-local", "source"
	chainStale, chainStranger, chainStrangerOne = "stale", "stranger", "stranger-one"
	chainRule, chainTake, chainBytes, chainPark = "rule-", "take-", "bytes-", "park-"

	setTo4, setTo6, setLive, setParked, setWaited = "to4", "to6", "live", "parked", "waited"
	setAllow, setDeny, setSources                 = "allow-", "deny-", "sources-"

	countAccepted, countDenied, countLimited = "accepted-", "denied-", "limited-"
	countOverflowed, countExpired            = "overflowed-", "expired-"
	countIn, countOut                        = "in-", "out-"

	objectIdle = "idle-"
)

// maxSources bounds the clients that are counted one by one for MaxPerSource. A client beyond it is let in uncounted:
// the bound of the whole rule still holds.
const maxSources = 65535

// synLife is longer than any client's kernel goes on sending SYNs for one connection: 127 s by Linux's default.
const synLife = 130 * time.Second

func named(name string, id uint8) string { return name + strconv.Itoa(int(id)) }

// ruleCounters are the names of all counters of a rule, without its number.
func ruleCounters() []string {
	return []string{countAccepted, countDenied, countLimited, countOverflowed, countExpired, countIn, countOut}
}

// skeleton makes what does not depend on the rules.
func (t *table) skeleton(m marks, o Options, parkLimit int, parkTime time.Duration) error {
	for _, s := range t.sets(parkLimit, parkTime) {
		if err := t.c.AddSet(s, nil); err != nil {
			return err
		}
	}
	t.hook(chainRaw, nftables.ChainTypeFilter, nftables.ChainHookOutput, *nftables.ChainPriorityRaw)
	t.rule(chainRaw, &expr.Meta{Key: expr.MetaKeyMARK, Register: reg0}, equal(reg0, native(m.probe())), &expr.Notrack{})

	// What is ours and does not live: a reset answers it. A reset itself passes, our own answers among them. A SYN, whose
	// sender knows of no connection yet, is left to come again: by then the entry that it fell on is gone, and it finds
	// its way.
	t.chain(chainStale)
	t.rule(chainStale, flags(tcpRST, tcpRST), accept())
	t.rule(chainStale, flags(tcpSYN|tcpACK, tcpSYN), drop())
	t.rule(chainStale, reset())
	t.chain(chainStranger)
	t.chain(chainStrangerOne)
	// A packet of no known connection that is no SYN: it belonged to one that is over. A reset answers it; a reset is
	// never answered; and what the kernel calls invalid may be a stray of a connection that is well.
	t.rule(chainStrangerOne, flags(tcpFIN|tcpSYN|tcpRST|tcpACK, tcpSYN), accept())
	t.rule(chainStrangerOne, stateIs(expr.CtStateBitINVALID), drop())
	t.rule(chainStrangerOne, flags(tcpRST, tcpRST), drop())
	t.rule(chainStrangerOne, reset())

	for name, hook := range map[string]*nftables.ChainHook{chainGuard: nftables.ChainHookPrerouting, chainGuardOut: nftables.ChainHookOutput} {
		t.hook(name, nftables.ChainTypeFilter, hook, *nftables.ChainPriorityMangle)
		t.rule(name, isTCP(), &expr.Ct{Key: expr.CtKeyMARK, Register: reg0},
			&expr.Lookup{SourceRegister: reg0, IsDestRegSet: true, SetName: setLive})
		t.rule(name, isTCP(), markIs(uint32(m), serviceMask), jump(chainStale))
		t.rule(name, isTCP(), stateIs(expr.CtStateBitNEW|expr.CtStateBitINVALID), jump(chainStranger))
	}
	t.hook(chainRoute, nftables.ChainTypeNAT, nftables.ChainHookPrerouting, *nftables.ChainPriorityNATDest)
	t.hook(chainRouteOut, nftables.ChainTypeNAT, nftables.ChainHookOutput, *nftables.ChainPriorityNATDest)
	t.hook(chainSource, nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource)
	if o.Masquerade {
		t.rule(chainSource, isTCP(), markIs(uint32(m), serviceMask), &expr.Masq{})
	}
	return nil
}

// sets are those of the whole service.
func (t *table) sets(parkLimit int, parkTime time.Duration) []*nftables.Set {
	native := binaryutil.NativeEndian
	client := nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeInetService)
	return []*nftables.Set{
		// Rule to address and mark: one look gives both, so that no connection has the address of one target and
		// the epoch of another.
		{Table: t.t, Name: setTo4, IsMap: true, KeyType: nftables.TypeMark, KeyByteOrder: native, DataType: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeMark)},
		{Table: t.t, Name: setTo6, IsMap: true, KeyType: nftables.TypeMark, KeyByteOrder: native, DataType: nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeMark)},
		// Mark to where its bytes are counted: what is not in it does not live.
		{Table: t.t, Name: setLive, IsMap: true, KeyType: nftables.TypeMark, KeyByteOrder: native, DataType: nftables.TypeVerdict},
		// Who waits for a machine, and who has begun to within the life of a SYN.
		{Table: t.t, Name: setParked, Dynamic: true, HasTimeout: true, Timeout: max(parkTime, time.Second), Size: uint32(max(parkLimit, 1)), KeyType: client, Concatenation: true},
		{Table: t.t, Name: setWaited, Dynamic: true, HasTimeout: true, Timeout: parkTime + synLife, Size: uint32(max(parkLimit, 1) * 8), KeyType: client, Concatenation: true},
	}
}

// dispatch sends packets to the chains of the rules; a rule that is gone keeps what answers strangers.
func (t *table) dispatch(rules []*rule) {
	for _, name := range []string{chainStranger, chainRoute, chainRouteOut} {
		t.c.FlushChain(&nftables.Chain{Name: name, Table: t.t})
	}
	for _, r := range rules {
		t.rule(chainStranger, cameTo(r.Rule), goTo(chainStrangerOne))
		if !r.gone {
			t.rule(chainRoute, isTCP(), cameTo(r.Rule), goTo(named(chainRule, r.id)))
			t.rule(chainRouteOut, isTCP(), cameTo(r.Rule), goTo(named(chainRule, r.id)))
		}
	}
}

// program makes what is of one rule. Where changed, it was there before and is made anew.
func (t *table) program(r *rule, park, changed bool) error {
	rule, take, bytes, parked := named(chainRule, r.id), named(chainTake, r.id), named(chainBytes, r.id), named(chainPark, r.id)
	if !changed {
		for _, name := range ruleCounters() {
			t.c.AddObj(t.counter(named(name, r.id)))
		}
	}
	for _, name := range []string{rule, take, bytes, parked} {
		t.chain(name)
	}
	t.rule(bytes, &expr.Ct{Key: expr.CtKeyDIRECTION, Register: reg0}, equal(reg0, []byte{0}), count(named(countIn, r.id)), accept())
	t.rule(bytes, count(named(countOut, r.id)), accept())

	if err := t.lists(r, changed); err != nil {
		return err
	}
	f := familyOf(r.Frontend.Addr())
	t.rule(rule, toTarget(r), goTo(take))
	if park {
		t.rule(rule, goTo(parked))
		t.parkRules(parked, r)
	} else {
		t.rule(rule, reset())
	}
	if err := t.limits(take, r, changed); err != nil {
		return err
	}
	t.idle(take, r, changed)
	t.rule(take, toTarget(r),
		&expr.Ct{Key: expr.CtKeyMARK, Register: f.markReg, SourceRegister: true},
		&expr.Immediate{Register: reg5, Data: big(r.BackendPort)},
		count(named(countAccepted, r.id)),
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(f.proto), RegAddrMin: reg0, RegProtoMin: reg5})
	t.rule(take, drop()) // the target went since rule looked; the next SYN finds out
	return nil
}

// toTarget looks up where the rule's traffic goes; a rule with it in it ends here when there is nobody.
func toTarget(r *rule) []expr.Any {
	set := setTo6
	if r.Frontend.Addr().Unmap().Is4() {
		set = setTo4
	}
	return []expr.Any{
		&expr.Immediate{Register: reg0, Data: native(uint32(r.id))},
		&expr.Lookup{SourceRegister: reg0, DestRegister: reg0, IsDestRegSet: true, SetName: set},
	}
}

// lists lets in and keeps out by address.
func (t *table) lists(r *rule, changed bool) error {
	f := familyOf(r.Frontend.Addr())
	chain := named(chainRule, r.id)
	for _, l := range []struct {
		name     string
		prefixes []netip.Prefix
		outside  bool // refuse who is not in the list
	}{{setDeny, r.Deny, false}, {setAllow, r.Allow, true}} {
		s := &nftables.Set{Table: t.t, Name: named(l.name, r.id), Interval: true, KeyType: addressType(r.Frontend.Addr())}
		if changed && len(r.before(l.name)) > 0 {
			t.c.DelSet(s)
		}
		if len(l.prefixes) == 0 {
			continue
		}
		if err := t.c.AddSet(s, intervals(l.prefixes, f.length == 4)); err != nil {
			return err
		}
		t.rule(chain, network(f.sourceAt, f.length, reg0), &expr.Lookup{SourceRegister: reg0, SetName: s.Name, Invert: l.outside},
			count(named(countDenied, r.id)), reset())
	}
	return nil
}

func addressType(a netip.Addr) nftables.SetDatatype {
	if a.Unmap().Is4() {
		return nftables.TypeIPAddr
	}
	return nftables.TypeIP6Addr
}

// intervals are the prefixes of one family as the kernel wants them: none within another, each from its first address
// to the one behind its last. An end behind the last address of all is left out.
func intervals(prefixes []netip.Prefix, four bool) []nftables.SetElement {
	var kept []netip.Prefix
	for _, p := range widestFirst(prefixes) {
		if p.Addr().Is4() == four && !slices.ContainsFunc(kept, func(k netip.Prefix) bool { return k.Contains(p.Addr()) }) {
			kept = append(kept, p)
		}
	}
	var elements []nftables.SetElement
	for _, p := range kept {
		elements = append(elements, nftables.SetElement{Key: p.Addr().AsSlice()})
		if end := behind(p); end.IsValid() {
			elements = append(elements, nftables.SetElement{Key: end.AsSlice(), IntervalEnd: true})
		}
	}
	return elements
}

func widestFirst(prefixes []netip.Prefix) []netip.Prefix {
	var sorted []netip.Prefix
	for _, p := range prefixes {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		sorted = append(sorted, p.Masked())
	}
	slices.SortFunc(sorted, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	return sorted
}

// behind is the first address after a prefix, none where there is none.
func behind(p netip.Prefix) netip.Addr {
	last := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(last)
	return a.Next()
}

// limits refuses connections beyond the bounds. The kernel counts those of its own table that came by here.
func (t *table) limits(chain string, r *rule, changed bool) error {
	f := familyOf(r.Frontend.Addr())
	if r.MaxConnections > 0 {
		t.rule(chain, &expr.Connlimit{Count: uint32(r.MaxConnections), Flags: expr.NFT_CONNLIMIT_F_INV}, count(named(countLimited, r.id)), reset())
	}
	s := &nftables.Set{Table: t.t, Name: named(setSources, r.id), Dynamic: true, Size: maxSources, KeyType: addressType(r.Frontend.Addr())}
	if changed && r.was.MaxPerSource > 0 {
		t.c.DelSet(s)
	}
	if r.MaxPerSource == 0 {
		return nil
	}
	if err := t.c.AddSet(s, nil); err != nil {
		return err
	}
	t.rule(chain, network(f.sourceAt, f.length, reg0),
		&expr.Dynset{SrcRegKey: reg0, SetName: s.Name, SetID: s.ID, Operation: unix.NFT_DYNSET_OP_ADD,
			Exprs: []expr.Any{&expr.Connlimit{Count: uint32(r.MaxPerSource), Flags: expr.NFT_CONNLIMIT_F_INV}}},
		count(named(countLimited, r.id)), reset())
	return nil
}

// overSeconds is how long the kernel remembers a connection that is over, for packets that come late. Its own 120 s
// would have every look for silent connections go through two minutes of those that are not there any more.
const overSeconds = 10

// idle gives new connections the rule's own times.
func (t *table) idle(chain string, r *rule, changed bool) {
	o := &nftables.NamedObj{Table: t.t, Name: named(objectIdle, r.id), Type: nftables.ObjTypeCtTimeout}
	if changed && r.was.IdleTimeout > 0 {
		t.c.DeleteObject(o)
	}
	if r.IdleTimeout == 0 {
		return
	}
	seconds := uint32((r.IdleTimeout + idleGrace(r.IdleTimeout)) / time.Second)
	o.Obj = &expr.CtTimeout{L3Proto: uint16(familyOf(r.Frontend.Addr()).proto), L4Proto: unix.IPPROTO_TCP, Policy: expr.CtStatePolicyTimeout{
		expr.CtStateTCPESTABLISHED: seconds, expr.CtStateTCPUNACK: min(seconds, 300), expr.CtStateTCPRETRANS: min(seconds, 300),
		expr.CtStateTCPTIMEWAIT: overSeconds,
	}}
	t.c.AddObj(o)
	t.rule(chain, &expr.Objref{Type: unix.NFT_OBJECT_CT_TIMEOUT, Name: o.Name})
}

// parkRules leave a client's SYN unanswered, so that its own kernel sends it again, until its time is over.
func (t *table) parkRules(chain string, r *rule) {
	f := familyOf(r.Frontend.Addr())
	client := []expr.Any{
		&expr.Immediate{Register: reg0, Data: make([]byte, 16)},
		network(f.sourceAt, f.length, reg0),
		transport(sourcePortAt, 2, reg4),
	}
	t.rule(chain, client, &expr.Lookup{SourceRegister: reg0, SetName: setParked}, drop())
	t.rule(chain, client, &expr.Lookup{SourceRegister: reg0, SetName: setWaited},
		&expr.Dynset{SrcRegKey: reg0, SetName: setWaited, Operation: dynsetDelete}, count(named(countExpired, r.id)), reset())
	t.rule(chain, client,
		&expr.Dynset{SrcRegKey: reg0, SetName: setParked, Operation: unix.NFT_DYNSET_OP_ADD},
		&expr.Dynset{SrcRegKey: reg0, SetName: setWaited, Operation: unix.NFT_DYNSET_OP_ADD}, drop())
	t.rule(chain, count(named(countOverflowed, r.id)), reset())
}

// dynsetDelete is NFT_DYNSET_OP_DELETE, which package unix lacks.
const dynsetDelete = 2

// erase removes what program made.
func (t *table) erase(r *rule) {
	for _, name := range []string{chainRule, chainTake, chainBytes, chainPark} {
		t.c.FlushChain(&nftables.Chain{Name: named(name, r.id), Table: t.t})
	}
	for _, name := range []string{chainRule, chainTake, chainBytes, chainPark} {
		t.removeChain(named(name, r.id))
	}
	for name, there := range map[string]bool{setDeny: len(r.Deny) > 0, setAllow: len(r.Allow) > 0, setSources: r.MaxPerSource > 0} {
		if there {
			t.c.DelSet(&nftables.Set{Table: t.t, Name: named(name, r.id)})
		}
	}
	if r.IdleTimeout > 0 {
		t.c.DeleteObject(&nftables.NamedObj{Table: t.t, Name: named(objectIdle, r.id), Type: nftables.ObjTypeCtTimeout})
	}
	for _, name := range ruleCounters() {
		t.c.DeleteObject(t.counter(named(name, r.id)))
	}
}

// toElement is a rule's element of the map that steers.
func toElement(id uint8, address netip.Addr, mark uint32) nftables.SetElement {
	e := nftables.SetElement{Key: native(uint32(id))}
	if address.IsValid() {
		e.Val = append(address.AsSlice(), native(mark)...)
	}
	return e
}

func (t *table) to(four bool) *nftables.Set {
	if four {
		return &nftables.Set{Table: t.t, Name: setTo4, IsMap: true}
	}
	return &nftables.Set{Table: t.t, Name: setTo6, IsMap: true}
}

// liveElement lets the packets of a mark pass.
func liveElement(mark uint32) nftables.SetElement {
	return nftables.SetElement{
		Key:         native(mark),
		VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: named(chainBytes, ruleOf(mark))},
	}
}

func (t *table) live() *nftables.Set { return &nftables.Set{Table: t.t, Name: setLive, IsMap: true} }
