package kernel

import "hash/fnv"

// A connection of ours carries its rule and its epoch in its connection mark, so that what it belongs to is known from
// the kernel's own table, also to the next balancer:
//
//	31      24 23   18 17              0
//	+---------+-------+----------------+
//	| service | rule  | epoch, lowest  |
//	+---------+-------+----------------+
//
// The service's part has its highest bit set and is otherwise drawn from the table's name, so that marks of others,
// which begin at 1 as a rule, are not taken for ours; two of our tables that draw the same are not let in. The epoch wraps after a quarter of a million terms, long after the last
// connection of its namesake is over.
const (
	serviceMask = 0xff << 24
	ruleShift   = 18
	// MaxRules is how many rules one service can have.
	MaxRules = 1 << (24 - ruleShift)
	// deadEpoch stands in the mark of a connection that is ended before its epoch is: no epoch has it.
	deadEpoch = 1<<ruleShift - 1
)

// marks makes the marks of one service.
type marks uint32

func newMarks(table string) marks {
	h := fnv.New32a()
	_, _ = h.Write([]byte(table))
	return marks(0x80|h.Sum32()&0x7f) << 24
}

// of is the mark of a connection of a rule and an epoch.
func (m marks) of(rule uint8, epoch uint64) uint32 {
	return uint32(m) | uint32(rule)<<ruleShift | uint32(epoch%deadEpoch)
}

// dead is the mark of a connection of a rule that is to be reset whatever its epoch was.
func (m marks) dead(rule uint8) uint32 { return uint32(m) | uint32(rule)<<ruleShift | deadEpoch }

// probe marks the packets, not the connections, with which an end is made to speak; see provoke.
func (m marks) probe() uint32 { return uint32(m) | (MaxRules-1)<<ruleShift | deadEpoch }

// mine tells whether a mark is of this service.
func (m marks) mine(mark uint32) bool { return mark&serviceMask == uint32(m) }

func ruleOf(mark uint32) uint8 { return uint8(mark >> ruleShift & (MaxRules - 1)) }

// epochOf is as much of the epoch as the mark holds.
func epochOf(mark uint32) uint64 { return uint64(mark & deadEpoch) }
