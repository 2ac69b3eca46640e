package config

// checkSettings are the rows of readiness and health.
func checkSettings() []Setting {
	return append(readySettings(), healthSettings()...)
}

// readyLines are what the presets' nodes print once they serve. Corda's TCP ports open before the node is ready, so
// its line is waited for (and its Jolokia status, where there is a port).
const (
	cordaReadyLine   = `"started up and registered in"`
	artemisReadyLine = `"AMQ221007"`
)

func readySettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.node.ready.tcp", Type: TypeAddrs, Default: "[]", Computed: "preset artemis: the first acceptor in etc/broker.xml",
			Meaning: "Addresses that must accept a connection.",
			Why:     "The program opens its port when it is ready; a Corda node opens its ports earlier.",
		},
		{
			Path: "hotcold.node.ready.http", Type: TypeURL,
			Meaning: "URL that must answer with a status of 200 to 299. It is shown in logs, so it must hold no secret.",
			Why:     "The program has a health page.",
		},
		{
			Path: "hotcold.node.ready.httpBody", Type: TypeRegexp,
			Meaning: "Must match the answer of ready.http.",
			Why:     "The page answers 200 whatever the state.",
		},
		{
			Path: "hotcold.node.ready.jolokia", Type: TypeAddress, Computed: "preset corda: `jmxMonitoringHttpPort` of node.conf on loopback",
			Meaning: "Where Jolokia answers; the status of the Corda node must be STARTED.",
			Why:     "Jolokia was bound to another address.",
		},
		{
			Path: "hotcold.node.ready.log", Type: TypeRegexp,
			Presets: map[PresetName]string{PresetCorda: cordaReadyLine, PresetArtemis: artemisReadyLine},
			Meaning: "Must match a line of the node's output.",
			Why:     "The program says when it is ready.",
		},
		{
			Path: "hotcold.node.ready.command", Type: TypeCommand,
			Meaning: "Command that must exit with 0.",
			Why:     "Nothing simpler tells.",
		},
		{
			Path: "hotcold.node.ready.timeout", Type: TypeDuration, Default: "1 minute", Min: "100 ms", Max: "1 day",
			Presets: map[PresetName]string{PresetCorda: "10 minutes", PresetArtemis: "2 minutes"},
			Meaning: "How long a start may take before it counts as failed. Without any check the node is ready once it runs.",
			Why:     "The node takes long to start: many checkpoints, a large journal, or a drive that gives up a dead machine's lock late.",
		},
	}
}

func healthSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.node.health.tcp", Type: TypeAddrs, Default: "[]",
			Computed: "preset corda without Jolokia: the RPC address; preset artemis: the first acceptor in etc/broker.xml",
			Meaning:  "Addresses that must accept a connection.",
			Why:      "The P2P port is to be watched too, although Corda before 4.8 logs a warning for each such look.",
		},
		{
			Path: "hotcold.node.health.http", Type: TypeURL,
			Meaning: "URL that must answer with a status of 200 to 299. It is shown in logs, so it must hold no secret.",
			Why:     "The program has a health page.",
		},
		{
			Path: "hotcold.node.health.httpBody", Type: TypeRegexp,
			Meaning: "Must match the answer of health.http.",
			Why:     "The page answers 200 whatever the state.",
		},
		{
			Path: "hotcold.node.health.jolokia", Type: TypeAddress, Computed: "preset corda: `jmxMonitoringHttpPort` of node.conf on loopback",
			Meaning: "Where Jolokia answers; the status of the Corda node must be STARTED.",
			Why:     "Jolokia was bound to another address.",
		},
		{
			Path: "hotcold.node.health.command", Type: TypeCommand,
			Meaning: "Command that must exit with 0.",
			Why:     "Nothing simpler tells.",
		},
		{
			Path: "hotcold.node.health.interval", Type: TypeDuration, Default: "5 seconds", Min: "10 ms", Max: "1 day",
			Meaning: "Time from one look to the next.",
			Why:     "A failure is to be seen sooner.",
		},
		{
			Path: "hotcold.node.health.timeout", Type: TypeDuration, Default: "3 seconds", Min: "10 ms", Max: "1 hour",
			Meaning: "Limit of one look.",
			Why:     "A slow page, or long pauses of a JVM.",
		},
		{
			Path: "hotcold.node.health.threshold", Type: TypeInt, Default: "3", Min: "1", Max: "1000",
			Meaning: "How many looks in a row must fail before the node counts as failed.",
			Why:     "More patience, or less.",
		},
		{
			Path: "hotcold.node.health.startPeriod", Type: TypeDuration, Default: "0 s", Min: "0 s", Max: "1 day",
			Presets: map[PresetName]string{PresetCorda: "30 seconds", PresetArtemis: "10 seconds"},
			Meaning: "Time after ready in which failed looks do not count.",
			Why:     "The node is slow in its first minutes.",
		},
	}
}
