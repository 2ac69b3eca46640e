package config

// machinesSettings are the rows of the machines, as the others reach them.
func machinesSettings() []Setting {
	const at = "hotcold.machines.*."
	return []Setting{
		{
			Path: at + "address", Type: TypeIP,
			Meaning: "IP address at which the node of this machine is reached; the key is the machine's machineName. Names are not looked up, so that a takeover never waits for DNS.",
			Why:     "Every machine of the pair needs one, where a balancer, a copy of files or a cloud's set-up is wanted.",
		},
		{
			Path: at + "agent", Type: TypeAddress,
			Meaning: "Where the agent of this machine answers (hotcold.listen.address there), as the balancer reaches it.",
			Why:     "The balancer should ask the agent, the only one that knows who is hot.",
		},
		{
			Path: at + "ssh", Type: TypeText, Computed: "the machine's address",
			Meaning: "Where sshd of this machine answers: `[user@]host[:port]`.",
			Why:     "Files are copied as another user, or by another way than the node's traffic.",
		},
	}
}

// balancerSettings are the rows of what stands in front of the pair.
func balancerSettings() []Setting {
	const at = "hotcold.balancer."
	rows := []Setting{
		{
			Path: at + "profile", Type: TypeChoice, Choices: []string{"pair", "azure", "aws-classic"}, Default: "pair",
			Meaning: "Whose manners the balancer has. `pair` looks often and cuts old connections at a takeover. `azure` and `aws-classic` take over defaults, ranges and what becomes of old connections from Azure's Standard load balancer and AWS's Classic Load Balancer, so that one can rehearse them.",
			Why:     "The pair is to be moved to that cloud, or is there and its takeover is to be understood.",
		},
		{
			Path: at + "pool", Type: TypeText, Default: "ha-testing",
			Meaning: "Name of the back-end pool. All machines of hotcold.machines are in it.",
			Why:     "A cloud's pool has that name.",
		},
	}
	rows = append(rows, balancerProbeSettings(at+"probes.*.")...)
	rows = append(rows, balancerRuleSettings(at+"rules.*.")...)
	rows = append(rows, balancerWaySettings(at)...)
	return append(rows, balancerAccessSettings(at)...)
}

func balancerProbeSettings(at string) []Setting {
	return []Setting{
		{
			Path: at + "protocol", Type: TypeChoice, Choices: []string{"TCP", "HTTP", "HTTPS", "agent"},
			Computed: "profile pair with hotcold.machines.*.agent on all machines: `agent`, unless a port is written; else `HTTP` for a probe called web, `TCP` for others",
			Meaning:  "How a machine is looked at: `TCP` connects, `HTTP` and `HTTPS` want the status 200, `agent` asks the machine's agent who is hot. Only an agent's word elects a machine where there is one; the others can take a machine out.",
			Why:      "A node without an agent, or a page that knows more than an open port.",
		},
		{
			Path: at + "port", Type: TypeInt, Min: "1", Max: "65535",
			Computed: "the probes p2p, rpc and web: the port of `p2pAddress`, `rpcSettings.address` and `webAddress`, or of the rule that is made of it; an agent's port stands with its machine",
			Meaning:  "The port that is looked at on each machine.",
			Why:      "The probe is one of your own.",
		},
		{
			Path: at + "path", Type: TypeText, Computed: "`/` for HTTP and HTTPS",
			Meaning: "What HTTP and HTTPS ask for. Other protocols have none.",
			Why:     "The service has a health page.",
		},
		{
			Path: at + "interval", Type: TypeDuration, Min: "50 ms", Max: "1 day", Computed: "profile pair: `1 second`; azure: `15 seconds`, as its API has it (its portal says 5); aws-classic: `30 seconds`",
			Meaning: "Time from one look to the next. Profile azure allows 5 seconds and more, aws-classic 5 to 300 seconds.",
			Why:     "A smaller one finds a failure sooner where no agent is asked.",
		},
		{
			Path: at + "fast", Type: TypeDuration, Min: "50 ms", Max: "1 day", Computed: "profile pair: a tenth of the interval, at least `50 ms`; in the others, which have no such thing, the interval",
			Meaning: "The same while in doubt: after the first look that says something new.",
			Why:     "Doubt should end sooner, or looks are costly.",
		},
		{
			Path: at + "timeout", Type: TypeDuration, Min: "10 ms", Max: "1 day", Computed: "profile pair: the interval, at most `1 second`; azure: the interval, at most `30 seconds`; aws-classic: `5 seconds`",
			Meaning: "Limit of one look. Profile azure has no other than its own, aws-classic allows 2 to 60 seconds, less than the interval.",
			Why:     "A page is slow when it is well.",
		},
		{
			Path: at + "unhealthy", Type: TypeInt, Min: "1", Max: "100", Computed: "profile pair: `3`; azure and aws-classic: `2`",
			Meaning: "How many looks in a row must fail before a machine is unhealthy. Profile aws-classic allows 2 to 10.",
			Why:     "Looks fail now and then although the node is well.",
		},
		{
			Path: at + "healthy", Type: TypeInt, Min: "1", Max: "100", Computed: "profile pair: `2`; azure: as many as unhealthy; aws-classic: `10`",
			Meaning: "How many looks in a row must succeed before a machine is healthy again. Profile azure has one number for both ways, aws-classic allows 2 to 10.",
			Why:     "With aws-classic the default of 10 looks keeps clients waiting for five minutes.",
		},
	}
}

func balancerRuleSettings(at string) []Setting {
	return []Setting{
		{
			Path: at + "frontend", Type: TypeIP, Default: `"0.0.0.0"`,
			Meaning: "IP address at which clients come in, of version 4 or 6; `0.0.0.0` and `::` are all addresses of their version. For both versions write two rules.",
			Why:     "The balancer's machine has several addresses, or one that moves (keepalived).",
		},
		{
			Path: at + "protocol", Type: TypeChoice, Choices: []string{"TCP", "HTTP"}, Default: "TCP",
			Meaning: "Protocol of the rule. All traffic is carried as it comes, byte for byte; `HTTP` is for profile aws-classic only, whose listeners have that word.",
			Why:     "A Classic Load Balancer's listener for the web.",
		},
		{
			Path: at + "port", Type: TypeInt, Min: "1", Max: "65535", Computed: "the rules made of node.conf: the port of `p2pAddress`, `rpcSettings.address` and `webAddress`",
			Meaning: "Port at which clients come in.",
			Why:     "The rule is one of your own.",
		},
		{
			Path: at + "backendPort", Type: TypeInt, Min: "1", Max: "65535", Computed: "the rule's port; for P2P the port of `messagingServerAddress` where that is written",
			Meaning: "Port to which traffic is sent on the hot machine.",
			Why:     "The node listens at another port than its clients know.",
		},
		{
			Path: at + "pool", Type: TypeText, Computed: "`hotcold.balancer.pool`",
			Meaning: "The back-end pool: there is one.",
			Why:     "To say it, as a cloud's rule does.",
		},
		{
			Path: at + "probe", Type: TypeText, Computed: "`p2p`, `rpc` and `web` for the rules made of node.conf; for others the only probe there is",
			Meaning: "Name of the probe that says which machine takes this traffic. All rules move together: a machine that one of the probes finds unhealthy gets none of it.",
			Why:     "The rule is one of your own, and there are several probes.",
		},
		{
			Path: at + "persistence", Type: TypeChoice, Choices: []string{"None", "ClientIP", "ClientIPProtocol"}, Default: "None",
			Meaning: "Session persistence: which machine a client's next connection goes to. Only one machine is hot, so it changes nothing here; it is passed on to Azure.",
			Why:     "A cloud's rule has it.",
		},
		{
			Path: at + "idleTimeout", Type: TypeDuration, Min: "0 s", Max: "30 days", Computed: "profile pair: `0`; azure: `4 minutes`; aws-classic: `60 seconds`",
			Meaning: "Ends a connection that has carried nothing for so long; `0` is never. Profile azure allows 4 to 100 minutes, aws-classic 1 to 4000 seconds.",
			Why:     "Clients leave without a word, and connections are few.",
		},
		{
			Path: at + "resetOnIdle", Type: TypeBool, Computed: "profile pair: `true`; else `false`",
			Meaning: "Whether both ends of such a connection are told with a reset.",
			Why:     "A client must find out at once (Azure's TCP reset).",
		},
		{
			Path: at + "proxyIn", Type: TypeBool, Default: "false",
			Meaning: "Whether clients must begin with a PROXY header, of version 1 or 2. Anybody who may connect can then claim any address.",
			Why:     "Another balancer stands in front of this one.",
		},
		{
			Path: at + "proxyOut", Type: TypeInt, Min: "0", Max: "2", Default: "0",
			Meaning: "Version of the PROXY header that the node gets before a client's bytes; `0` is none. A Corda node understands none.",
			Why:     "The service wants to know its clients' addresses, and reads such a header.",
		},
		{
			Path: at + "maxConnections", Type: TypeInt, Min: "0", Max: "10000000", Default: "0",
			Meaning: "How many connections the rule may have at once; `0` is no bound but the system's.",
			Why:     "One rule must not use up what others need.",
		},
		{
			Path: at + "maxPerSource", Type: TypeInt, Min: "0", Max: "10000000", Default: "0",
			Meaning: "How many of them may come from one client address; `0` is no bound.",
			Why:     "Clients from the open internet.",
		},
		{
			Path: at + "allow", Type: TypeNets, Default: "[]",
			Meaning: "Who may connect: IP addresses and networks, as in `10.0.0.0/8`. An empty list lets in all.",
			Why:     "RPC is for some machines only.",
		},
		{
			Path: at + "deny", Type: TypeNets, Default: "[]",
			Meaning: "Who may not connect; it wins over allow.",
			Why:     "One client misbehaves.",
		},
	}
}

func balancerWaySettings(at string) []Setting {
	return []Setting{
		{
			Path: at + "nobody", Type: TypeChoice, Choices: []string{"park", "refuse"}, Computed: "profile pair: `park`; else `refuse`",
			Meaning: "What becomes of clients while nobody is hot: `park` keeps them waiting, `refuse` turns them away. A Corda peer that is refused comes back up to 60 seconds later; one that waits is there at once.",
			Why:     "Clients that would rather know at once.",
		},
		{
			Path: at + "parkLimit", Type: TypeInt, Min: "1", Max: "1000000", Default: "1024",
			Meaning: "How many clients may wait, over all rules. Each takes a file descriptor.",
			Why:     "There are more clients.",
		},
		{
			Path: at + "parkTime", Type: TypeDuration, Min: "100 ms", Max: "1 hour", Default: "45 seconds",
			Meaning: "How long one client may wait. Corda gives a TLS handshake 60 seconds.",
			Why:     "The node starts faster, or slower.",
		},
		{
			Path: at + "old", Type: TypeChoice, Choices: []string{"cut", "drain", "keep"}, Computed: "profile pair and aws-classic (its connection draining is off by default): `cut`; azure: `keep`",
			Meaning: "What becomes of the connections to a machine that is hot no longer: `cut` ends them at once, `drain` gives them time, `keep` leaves them alone, as the clouds do.",
			Why:     "To rehearse a cloud.",
		},
		{
			Path: at + "drain", Type: TypeDuration, Min: "0 s", Max: "1 hour", Default: "30 seconds",
			Meaning: "How long a drain may take.",
			Why:     "Requests take longer.",
		},
		{
			Path: at + "dataPath", Type: TypeChoice, Choices: []string{"auto", "splice", "kernel"}, Default: "auto",
			Meaning: "What moves the bytes: `splice` in this process, `kernel` by rules of nftables, which is faster and needs CAP_NET_ADMIN and a way back through this machine. `auto` takes `kernel` where that is possible and the rules need nothing that it lacks.",
			Why:     "One must know beforehand which it is.",
		},
		{
			Path: at + "masquerade", Type: TypeBool, Default: "true",
			Meaning: "Whether the kernel path shows its own address to the node instead of the client's, so that answers come back this way. With `false` the node sees its clients, and the machines' way back to them has to lead through the balancer. The splice path always shows its own.",
			Why:     "The node's log should name its clients, and the balancer is the machines' router.",
		},
		{
			Path: at + "user", Type: TypeText,
			Meaning: "Whom the balancer becomes once its listeners are open, when it was started by root.",
			Why:     "It was started by root for a port below 1024, and not by systemd, which can do that better.",
		},
		{
			Path: at + "accessLog", Type: TypePath,
			Meaning: "File that gets a line for each connection that ended; `-` is stdout. It is opened anew on SIGHUP, for logrotate.",
			Why:     "It must be known who was connected, and when.",
		},
	}
}

func balancerAccessSettings(at string) []Setting {
	return []Setting{
		{
			Path: at + "agents.ca", Type: TypePath,
			Meaning: "Authorities, PEM, of which one must have signed the agents' certificates. Without it agents are asked in plain HTTP, which is for loopback only.",
			Why:     "An agent is on another machine.",
		},
		{
			Path: at + "agents.certificate", Type: TypePath,
			Meaning: "The balancer's certificate chain, PEM, that it shows to agents with hotcold.listen.tls.clientCA. Goes with the key.",
			Why:     "The agents know callers by certificates.",
		},
		{
			Path: at + "agents.key", Type: TypePath,
			Meaning: "The private key of that certificate, PEM.",
			Why:     "With the certificate.",
		},
		{
			Path: at + "agents.token", Type: TypeSecret,
			Meaning: "What is shown to agents with hotcold.listen.keyFile. Exclusive with tokenFile.",
			Why:     "The token comes from the environment: `${AGENT_TOKEN}`.",
		},
		{
			Path: at + "agents.tokenFile", Type: TypePath,
			Meaning: "File whose first line is that token. Nobody but its owner may read it.",
			Why:     "Secrets are handed over as files.",
		},
		{
			Path: at + "listen.address", Type: TypeText, Default: `"127.0.0.1:4654"`,
			Meaning: "Where the balancer answers with its page, /ready, /state and /metrics; `off` for nowhere. On an address that is not loopback it wants TLS, and a client CA or a key.",
			Why:     "Prometheus is on another machine.",
		},
		{
			Path: at + "listen.tls.certificate", Type: TypePath,
			Meaning: "The listener's certificate chain, PEM. Goes with the key.",
			Why:     "The listener is not on loopback.",
		},
		{
			Path: at + "listen.tls.key", Type: TypePath,
			Meaning: "The private key of the certificate, PEM.",
			Why:     "The listener is not on loopback.",
		},
		{
			Path: at + "listen.tls.clientCA", Type: TypePath,
			Meaning: "Authorities, PEM; a caller must show a certificate that one of them signed.",
			Why:     "Callers have certificates.",
		},
		{
			Path: at + "listen.keyFile", Type: TypePath,
			Meaning: "File whose first line is the key that a caller must send as `Authorization: Bearer`. At least 16 characters; nobody but its owner may read it.",
			Why:     "Callers have no certificates.",
		},
	}
}
