package config

import "regexp"

// presetKnowledge is what is known of a kind of node and is no setting.
func presetKnowledge(name PresetName) Preset {
	switch name {
	case PresetCorda:
		return cordaPreset()
	case PresetArtemis:
		return artemisPreset()
	}
	return Preset{Name: PresetCommand, ExitCodes: signalExits()}
}

// signalExits are the codes of a JVM or shell that was ended by a signal.
func signalExits() []ExitCode {
	return []ExitCode{
		{130, "ended by SIGINT"},
		{137, "killed by SIGKILL: by hotcold, an administrator, or the kernel for want of memory"},
		{143, "ended by SIGTERM"},
	}
}

func cordaPreset() Preset {
	return Preset{
		Name: PresetCorda,
		PlannedExits: []PlannedExit{{
			Code: 0, Line: regexp.MustCompile(`needs to be started again`),
			Meaning: "flag day: the network has new parameters, and the node wants to be started again",
		}},
		ExitCodes: append([]ExitCode{
			{0, "stopped by request, or flag day"},
			{1, "refused to start or gave up: configuration, certificates, a port in use, the database or its schema, network parameters, the broker; the node's last lines say which"},
			{134, "out of memory: the JVM aborted and left a heap dump"},
		}, signalExits()...),
		Files: []SharedFile{
			{"certificates/", true, "with other keys the back-up is another identity; in devMode it makes new ones without a word"},
			{"network-parameters", true, "the node refuses to start with old ones, so copy it again after each flag day"},
			{"network-parameters-update", false, "an accepted update lives on the hot machine only"},
			{"additional-node-infos/", false, "without a network map it is the only source of peers"},
			{"cordapps/", true, "flows resume only with the same CorDapps"},
			{"drivers/", false, "the database's driver"},
			{"legacy-contracts/", false, "contracts of older transactions"},
			{"ssh/", false, "with another host key the shell's users are warned at each takeover"},
			{"corda.jar", true, "checkpoints resume only under the same version"},
			{"*.jar", false, "what corda.jar is a link to, or is started beside it"},
		},
		OnDrive:  []DriveDir{{"artemis", true}},
		Identity: []string{"certificates/nodekeystore.jks", "certificates/sslkeystore.jks", "certificates/truststore.jks"},
		Loose:    []string{"additional-node-infos/"},
		Signed:   []string{"network-parameters"},
		Traps: []string{
			"`java -jar corda.jar` is two JVMs: killing the first one alone leaves the node running, with its ports, its database pool and its journal lock; hotcold kills the whole tree",
			"draining mode is kept in the shared database: where the hot node dies while draining, the next one starts draining and refuses new flows until `run setFlowsDrainingModeEnabled enabled: false`",
			"the P2P and RPC ports open before the node is ready; a probe of TCP alone sends traffic too early",
			"an accepted network parameters update lives in the hot machine's directory only: after flag day the cold node cannot start until network-parameters has been copied",
			"in devMode a missing keystore is replaced by a new random identity",
			"a second node on the same journal waits for its lock without a word, after it has already touched the database: the broker's lock is no substitute for the lease",
			"Corda Enterprise's own mutual exclusion, switched on in node.conf, is a second lease beside hotcold's: a node that is started within its waitInterval after the other one ended may wait for it and then end by itself; to avoid that, set `on = false` in node.conf and hotcold.mutualExclusion.on = true",
			"an open-source node refuses to start with keys that it does not know, enterpriseConfiguration and hotcold among them: keep them in hotcold.conf, which includes node.conf",
			"p2pAddress and additionalP2PAddresses must be the same on both machines, or every takeover changes the network map",
		},
	}
}

func artemisPreset() Preset {
	return Preset{
		Name: PresetArtemis,
		ExitCodes: append([]ExitCode{
			{0, "stopped by request"},
			{1, "refused to start: etc/broker.xml, a port in use, the journal"},
			{70, "the broker's critical analyser halted it, or an I/O error on the journal"},
		}, signalExits()...),
		Files: []SharedFile{
			{"etc/", true, "the broker's configuration, users and roles"},
			{"lib/", false, "extensions of the broker"},
		},
		OnDrive: []DriveDir{{"data", false}}, // broker.xml may name directories of the drive instead
		Traps: []string{
			"the journal, the bindings, the paging and the large messages all have to be on the shared drive: a directory that stays behind loses messages",
			"the journal's lock is no fencing: a broker that loses it over NFS goes on writing; let hotcold hold the lease, and leave ha-policy out of broker.xml",
			"a broker that finds the journal locked waits without an end; hotcold.node.ready.timeout is what ends it",
			"an acceptor on localhost is not reached by the balancer",
		},
	}
}
