// Package balancer gives the pair one address: it sends P2P, RPC and web traffic to the machine that is hot, and to no
// other. It decides who that is; a [Path] moves the bytes.
//
// It does not make a machine hot or cold, ends no node, and keeps no state that another balancer would need: two of
// them in front of one pair decide the same. It ends no TLS and says no byte of its own to a client.
//
// # Who is heard
//
// In the profile of a pair, where a rule's probe is of the kind agent, the agents are asked, and only they elect:
//
//   - A stream (GET /hot?watch) is kept open to each agent. Each line is a [Word]: hot or not, the epoch, and for how
//     long the machine stays hot without another renewal of its lease.
//   - The greatest epoch ever heard of, be it from a cold agent, wins. A lower one is never obeyed, whoever says it, and
//     one in which a machine was obeyed is that machine's for ever.
//   - A word is believed until the trust that it named is over, and no longer. A stream that breaks takes nothing back:
//     the machine may be hot, and to know less is no reason to do otherwise.
//   - A word must be of the pair's lease and of the machine that was asked. Between machines an agent proves itself by
//     its certificate, and we by ours or by a key; plain HTTP is for loopback.
//   - Probes by TCP, HTTP and HTTPS veto: with one of them ill, the hot machine gets no traffic, and nor does the other.
//     A veto is the whole service's, since its rules move in one step. A rule whose port may be down while the others
//     serve should have the probe of the agent. What a probe saw before the machine was hot does not count: it looks
//     anew, at once, and does not veto until it has made up its mind.
//
// Where no agent is asked, the looks choose. In the profile of a pair a machine has to be well by all probes, and of two
// that are, the one that was stays; with none that was, nobody is chosen. In the profile of a cloud each probe chooses
// for its own rules, as there, so that one can see P2P go to one machine and RPC to the other; where the cloud would
// spread new connections over both machines, this balancer stays with one and says so. Two that look healthy are an
// alarm in every profile. An agent's probe is in a cloud what a cloud can do: GET /hot, where 200 is healthy.
//
// # How one decides
//
// One pure function, decide, goes from all that is known to a target for each group of rules:
//
//	                  nothing heard yet
//	                         |
//	                         v
//	   word of B       +-----------+       word of A
//	hot, epoch e  +----|  nobody   |----+  hot, epoch e
//	              |    +-----------+    |
//	              v      ^       ^      v
//	           +-----+   |       |   +-----+
//	           |  B  |---+       +---|  A  |     A -> nobody: A says not hot; A's word is over;
//	           +-----+               +-----+        a greater epoch was heard of; a probe vetoes
//	              |  ^               |  ^
//	              |  +---------------+  |        A -> B: B says hot with a greater epoch than A
//	              +---------------------+
//
// e is never below the greatest epoch ever heard of. Each step is one [Path.Steer] for all rules of the group. Without
// agents "hot" reads "well", and the balancer counts its own epochs: one more with each change of machine.
//
// What becomes of connections with a lower epoch is the configuration's to say: cut, drained or kept. A drain is for a
// machine that leaves in order (its agent says stopping, cold or paused); those of one that was fenced, failed or fell
// silent are cut, because it has nothing to finish.
//
// # Guarantees
//
//   - Of one group of rules, never two machines at once.
//   - Nothing is routed before something was heard.
//   - An epoch lower than one that was obeyed is never obeyed again by this balancer, over reloads too, and not by one
//     that takes its place with its [Past]. A balancer that is started anew knows nothing of the past; what it then
//     hears is bounded by the trust that each word names.
//   - Once an agent's word is over, its machine gets no new connection, give or take what the clocks of two machines
//     drift apart in 30 s and what the data path needs for a Steer. A path that does not obey is told again every
//     100 ms, and that is an alarm.
//
// They rest on the promise of package lease: no two agents are hot at one instant.
//
// # Time
//
// All instants are readings of this machine's boot-time clock, and no wall clock of another machine decides anything.
// A word says for how long it holds (trustMs), and how long after its request the agent said it (heldMs). It cannot
// have been said before the request was sent plus heldMs, so its trust is counted from there, even if it was in a
// buffer for an hour, and never from later than its arrival. Each request pins the two clocks together anew; a stream
// lives for 30 s. Spans are rounded down. After a sleep of this machine all words are over.
//
// # Speed
//
// A change of mind of an agent is a line on an open stream, a decision and one Steer: 0.1 ms at the median and 0.8 ms
// at the 99th percentile from the agent's publication to the data path, over loopback, on two busy cores
// (BenchmarkTakeover, November 2026). A machine whose power fails says nothing: its word is over when its trust is, and
// the other one's word comes when the lease lets it. [WorstDetection] says how long a probe may take.
//
// # Clouds
//
// The thresholds, the first success that counts at once, and Azure's time-outs (TCP: until the next look; HTTP: the
// interval, 30 s at most) are those of Azure's documents on probes and of its API (probeThreshold both ways) and of the
// user guide of AWS' Classic Load Balancer; defaults and ranges are package config's. HTTP is healthy on 200 only, in
// every profile. Not rehearsed are Azure's longer wait for a machine that flaps, which is not documented, and that an
// AWS balancer is several, each with an opinion of its own.
//
// # Errors
//
// [New] and [Balancer.Reload] report every fault of their options by the names of the settings; a reload that is refused
// changes nothing. [Balancer.Run] returns why the data path ended, or refused its rules at the start. [ErrOldEpoch] is
// what a path says to an epoch of the past.
//
// # Goroutines
//
// Run is called once and blocks until all that it started is over. Reload and Snapshot may be called from any goroutine
// at any time. One goroutine knows, decides, steers and publishes; watchers (a stream or a look each) tell it news and
// wait while it steers, which makes no word older than it says it is.
//
// A balancer that is steady is silent at Info. It logs changes: "agent's word", "agent is heard", "agent is not heard",
// "probe changed its mind", "traffic goes to a machine", "traffic goes to nobody", "alarm" and "alarm is over".
package balancer
