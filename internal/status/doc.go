// Package status tells what an agent and a pair are doing: over HTTP to balancers, Prometheus and systemd, and as text
// or JSON to the person at a terminal.
//
// It decides nothing, asks the database nothing and changes nothing. State is told once: [View] is made of one
// agent.Snapshot, and page, JSON and metrics are renderings of it; [Overview] and [History] are made of what the
// database holds, and table and JSON are renderings of those.
//
// # The listener
//
// [Server] answers GET and HEAD on
//
//	/hot      200 while traffic may be sent here, else 503 and why; with ?watch a stream of words
//	/ready    200 while hot and ready, or cold and able to take over
//	/live     200 while the agent's loop turns (see [LiveCheck])
//	/state    the View as JSON
//	/metrics  the View for Prometheus
//	/         a page for people
//
// Whether a machine is hot is computed from the clock when it is asked: /hot turns to 503 at Trust.StopAt, even if the
// agent, the database and the log all hang. No answer waits for a lock that is held across I/O; what Options.Snapshot
// does is up to the caller, who has to hand over a loaded pointer and no more.
//
// GET /hot?watch answers with lines of JSON, each a balancer.Word: one at once, one for every change within
// milliseconds of it ([Bell]), one for every renewal, and a heartbeat a second. "Not hot" is said at Trust.StopAt, even
// if the agent hangs. Each line tells how long the machine stays hot without another renewal, and how long after the
// request it was said, so that a line which was late on its way cannot be believed for too long. A stream ends after
// 30 s, and is asked for again on the same connection; there are 32 at most, and whoever asks for one more gets one
// word. A client that does not read a line within 2 s is cut off.
//
// On an address that is not loopback the listener is only made with TLS and a proof of who asks: a client certificate
// or a key. Where both are configured, both are wanted. Certificate files are read again once a minute. A listener
// without a proof on loopback can be read by every user of the machine; there is no secret in what it tells.
//
// Clients are bounded in number, in the size of a request, and in how long they may take for each part of it.
//
// # The listener for probes
//
// [NewProbe] makes a second listener of the agent, on an address that others reach, for the health probes of clouds, which
// can show neither certificate nor key. It says one bit by its status, 200 or 503 to GET and HEAD of /hot, and 404 to
// everything else. It names no lease, machine, epoch or version, has no text at all, and serves one request for each
// connection. Who reaches the port learns whether this machine is hot, and can take its places, 256 connections of 2 s
// each, from the probe: that makes the balancer see the machine as down. So the port is for the firewall to keep.
//
// A balancer's listener ([NewBalance]) is the same with other pages, all renderings of one [BalanceView]; a second one
// stands on a socket of this machine ([NewBalanceOn]), which `hotcold balance status` asks.
//
// # What a person reads
//
// [Overview] is the pair at one moment, [History] its takeovers and what the agents wrote down. Both are made by
// pure functions and may be marshalled as JSON; the names of their fields are kept from release to release, and
// fields are only ever added. Text from elsewhere (a node's last line, a machine's name) cannot smuggle control
// characters into a terminal.
//
// # Time
//
// /hot and the trust that is left are counted with this machine's boot-time clock, the heartbeat with its monotonic
// clock. Ages in Overview and all times in History are by the database's clock, which is the only one that both
// machines share; "since" in Overview is by the clock of the machine that says it. JSON carries seconds as numbers and
// instants as RFC 3339.
//
// # Errors
//
// [New] tells all that is wrong with the options, by the names of the settings. [Server.Listen] says what to do about
// a port that is taken. [Server.Run] returns nil if it ended because its context did. The writers return the first
// error of the writer they were given.
//
// # Goroutines
//
// Call Listen before Run, from one goroutine. LiveCheck may be used from any. Everything else is a value.
//
// # Source of its rules
//
// The meaning of /hot is the rule of package lease that there is no traffic after Anchor + L - K. Metric names follow
// Prometheus' naming guide and are checked by its linter in the tests. NO_COLOR is no-color.org.
package status
