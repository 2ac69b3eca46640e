package config

// table is the one table of settings. It is a function, because a package has no variables that could be changed.
func table() []Setting {
	var rows []Setting
	rows = append(rows, pairSettings()...)
	rows = append(rows, leaseSettings()...)
	rows = append(rows, databaseSettings()...)
	rows = append(rows, nodeSettings()...)
	rows = append(rows, checkSettings()...)
	rows = append(rows, lifeSettings()...)
	rows = append(rows, cloneSettings()...)
	rows = append(rows, machineSettings()...)
	rows = append(rows, machinesSettings()...)
	rows = append(rows, balancerSettings()...)
	return append(rows, cloudSettings()...)
}

func pairSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.name", Type: TypeText, Computed: "`myLegalName`, with its parts in one order and spacing",
			Meaning: "Name of the pair, and key of its lease. Both machines must have the same one; two pairs in one database must not.",
			Why:     "The node has no legal name (presets artemis and command: then it has to be set), or two networks with the same legal name share a database.",
		},
		{
			Path: "hotcold.preset", Type: TypeChoice, Choices: []string{"corda", "artemis", "command"},
			Computed: "`corda` where `myLegalName` or `p2pAddress` is written, `command` where `hotcold.node.command` is",
			Meaning:  "Kind of node: it gives the command, the readiness, the stop behaviour and the files to copy their defaults.",
			Why:      "The node is an Artemis broker.",
		},
		{
			Path: "hotcold.nodeConf", Type: TypePath, Computed: "the file is read through `include`",
			Meaning: "The node's own node.conf, where hotcold.conf does not include it. Relative to the directory of hotcold.conf.",
			Why:     "The file must not be included, because it is made anew by a tool.",
		},
		{
			Path: "hotcold.baseDirectory", Type: TypePath,
			Computed: "`baseDirectory` of node.conf, else the directory of the file that holds `myLegalName`, else the directory of hotcold.conf",
			Meaning:  "The node's base directory. Relative paths of all other settings start here. Together with the machine's name it is the identity of this agent.",
			Why:      "hotcold.conf stands apart from the node, in /etc for example.",
		},
		{
			Path: "hotcold.runtimeDir", Type: TypePath,
			Computed: "`/run/hotcold/<hash of the base directory>` for root, else the same below `$XDG_RUNTIME_DIR/hotcold`, else `.hotcold` in the base directory",
			Meaning:  "Where the agent keeps its lock, its socket and its guard's files. It must be on a local disk.",
			Why:      "The base directory is on a network drive and there is no $XDG_RUNTIME_DIR.",
		},
	}
}

func leaseSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.mutualExclusion.on", Type: TypeBool, Default: "true", Computed: "`on` of node.conf, where it is written",
			Meaning: "Whether the node runs only under the lease. With `false` nothing keeps a second node from running, and the agent says so at every start.",
			Why:     "A single machine, or a repair by hand with the other machine switched off.",
		},
		{
			Path: "hotcold.mutualExclusion.machineName", Type: TypeText, Computed: "`machineName` of node.conf, else the host name",
			Meaning: "Unique name of this machine. With the base directory it is the identity of this agent in the lease: `machineName:baseDirectory`.",
			Why:     "Both machines have one host name, or one that changes.",
		},
		{
			Path: "hotcold.mutualExclusion.updateInterval", Type: TypeDuration, Default: "2 seconds", Min: "50 ms", Max: "1 day",
			Computed: "`updateInterval` of node.conf, where it is written",
			Meaning:  "How often the holder renews the lease (U).",
			Why:      "A smaller one, with a smaller waitInterval, takes over sooner; a larger one asks the database less often.",
		},
		{
			Path: "hotcold.mutualExclusion.waitInterval", Type: TypeDuration, Default: "10 seconds", Min: "100 ms", Max: "1 day",
			Computed: "`waitInterval` of node.conf, where it is written",
			Meaning:  "How long the lease must have stood still before the other machine may take it (W). It has to leave room for updateInterval, one attempt and fenceTimeout; the agent checks that and refuses to start otherwise. Both machines must have the same.",
			Why:      "A smaller one takes over sooner after the loss of a machine; a larger one rides out longer pauses of the database.",
		},
		{
			Path: "hotcold.mutualExclusion.fenceTimeout", Type: TypeDuration, Min: "10 ms", Max: "1 day", Computed: "30 % of waitInterval",
			Meaning: "Time set aside at the end of trust to stop the node, kill it, and see it dead (K).",
			Why:     "The node needs longer to die, on a slow drive for example.",
		},
		{
			Path: "hotcold.mutualExclusion.attemptTimeout", Type: TypeDuration, Min: "10 ms", Max: "1 day",
			Computed: "what leaves room for three attempts, at most 5 seconds",
			Meaning:  "Limit of one attempt at the database: connect, execute and commit (T).",
			Why:      "Commits are slow, with a far synchronous replica for example.",
		},
		{
			Path: "hotcold.mutualExclusion.standby", Type: TypeChoice, Choices: []string{"wait", "exit"}, Default: "wait",
			Meaning: "What a cold agent does while the other holds the lease: `wait` stays up and takes over, `exit` says who holds it and ends, as Corda Enterprise's node does.",
			Why:     "Another tool starts the back-up.",
		},
		{
			Path: "hotcold.mutualExclusion.onDatabaseLoss", Type: TypeChoice, Choices: []string{"keepTrying", "exit"}, Default: "keepTrying",
			Meaning: "What a holder does when a renewal fails: `keepTrying` goes on until the node must be stopped, `exit` stops it at the first failure.",
			Why:     "The node cannot work without the database anyway, and an early end is wanted.",
		},
		{
			Path: "hotcold.mutualExclusion.lastResort", Type: TypeCommand,
			Meaning: "Command that is run when the node cannot be killed, because it hangs in the kernel on a dead drive for example. It should take the machine down.",
			Why:     "`[\"/usr/sbin/reboot\", \"-ff\"]` on a machine that does nothing else.",
		},
		{
			Path: "hotcold.mutualExclusion.watchdog", Type: TypePath,
			Meaning: "Watchdog device, such as `/dev/watchdog`, that resets the machine by the end of trust if the node was not seen dead by then, even if guard, agent and kernel hang. The guard feeds it while the node runs, so a guard that is killed takes the machine down, too. Needs a fenceTimeout of 2 s or more and a device that nobody else feeds (RuntimeWatchdogSec in systemd).",
			Why:     "The machine does nothing else, and has a watchdog: then the promise no longer needs software that works.",
		},
	}
}

func databaseSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.database.url", Type: TypeURL, Computed: "`dataSourceProperties.dataSource.url` of node.conf",
			Meaning: "Where the lease is kept: `postgres://host:port/database`, `mysql://host:port/database`, `mariadb://...`, `sqlserver://host:port?database=name`, `oracle://host:port/service`, the JDBC addresses of these, `etcd://host:2379,host:2379/prefix` (`etcds://` and the parameters `ca`, `cert` and `key` encrypt, see etcd.md), or `sqlite:path`. A SQLite file serves two agents on one machine only, and must not be on a network drive: its locks do not hold there.",
			Why:     "The node has no database, or one of another kind.",
		},
		{
			Path: "hotcold.database.user", Type: TypeText, Computed: "the user in the URL; with the URL of node.conf `dataSourceProperties.dataSource.user`",
			Meaning: "Who logs in to the database.",
			Why:     "The lease has a role of its own, one for each machine.",
		},
		{
			Path: "hotcold.database.password", Type: TypeSecret, Computed: "the password in the URL; with the URL and user of node.conf `dataSourceProperties.dataSource.password`",
			Meaning: "The user's password. Exclusive with passwordFile.",
			Why:     "The password comes from the environment: `${DB_PASSWORD}`.",
		},
		{
			Path: "hotcold.database.passwordFile", Type: TypePath,
			Meaning: "File whose first line is the password. Nobody but its owner may read it.",
			Why:     "Secrets are handed over as files.",
		},
		{
			Path: "hotcold.database.tablePrefix", Type: TypeText, Default: `"hotcold_"`,
			Meaning: "Begins the names of hotcold's tables. Lower-case letters, digits and underscores, at most 30.",
			Why:     "House rules for names. Both machines must have the same.",
		},
		{
			Path: "hotcold.database.replication", Type: TypeChoice, Choices: []string{"auto", "synchronous", "asynchronous", "none"}, Default: "auto",
			Meaning: "How the database is replicated, which decides how far the promise goes (levels A, B and C). `auto` asks the database itself, once a minute; the other words are asserted by you, and shown as asserted. `none` is one server without a replica.",
			Why:     "A managed service replicates below SQL, where nothing of it is to be seen: Azure Database with zone redundancy, Amazon RDS Multi-AZ.",
		},
		{
			Path: "hotcold.database.fencing.on", Type: TypeBool, Default: "false",
			Meaning: "Whether the new holder locks the nodes of the other machines out of the database before it starts its own: they lose their login, their sessions are ended, and none is left. This covers a virtual machine that is paused as a whole. PostgreSQL, MySQL, MariaDB and SQL Server, and Oracle as well as that can be done there (it stays level B); see docs/operations.md, docs/mysql.md, docs/sqlserver.md and docs/oracle.md for the roles and rights that it needs.",
			Why:     "A late write of a node on a machine that was paused must not reach the database.",
		},
		{
			Path: "hotcold.database.fencing.roles", Type: TypeEnv,
			Meaning: "The role under which the node of each machine logs in to the database, by the machine's name (machineName): `{ machine-a = node_a, machine-b = node_b }`. A name with a dot stands in quotes. All machines, each with a role of its own, and none of them the agent's.",
			Why:     "fencing.on is set.",
		},
	}
}

func nodeSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.node.command", Type: TypeCommand,
			Presets: map[PresetName]string{PresetCorda: `["java", "-jar", "corda.jar", "-n"]`, PresetArtemis: `["bin/artemis", "run"]`},
			Meaning: "What is run as the node: a list of program and arguments, or one text, which is given to `/bin/sh -c`. A program with a slash is relative to hotcold.node.dir. It must stay in the foreground.",
			Why:     "Another program, other arguments, another Java.",
		},
		{
			Path: "hotcold.node.dir", Type: TypePath, Computed: "the base directory",
			Meaning: "The node's working directory.",
			Why:     "The program wants to be started elsewhere.",
		},
		{
			Path: "hotcold.node.env", Type: TypeEnv, Computed: "preset corda: `CAPSULE_CACHE_DIR` is `.capsule` in the base directory, unless it is set in the environment",
			Meaning: "Added to the agent's own environment. `HOTCOLD_EPOCH` is always added.",
			Why:     "JAVA_HOME, heap sizes, secrets.",
		},
		{
			Path: "hotcold.node.cgroup", Type: TypeText, Default: "auto",
			Meaning: "How the node's processes are kept together: `auto` uses a cgroup v2 where one can be had, `off` a process group and a child subreaper, a path uses that cgroup.",
			Why:     "An administrator has made a cgroup with limits for the node.",
		},
		{
			Path: "hotcold.node.output.file", Type: TypePath,
			Meaning: "File that gets a copy of the node's output.",
			Why:     "There is no journal on the machine.",
		},
		{
			Path: "hotcold.node.output.maxSize", Type: TypeSize, Default: "10 MiB", Min: "4 KiB", Max: "1 TiB",
			Meaning: "Size at which that file is rotated.",
			Why:     "More history, or a small disk.",
		},
		{
			Path: "hotcold.node.output.keep", Type: TypeInt, Default: "5", Min: "0", Max: "1000",
			Meaning: "How many rotated files stay.",
			Why:     "More history, or a small disk.",
		},
		{
			Path: "hotcold.node.output.passThrough", Type: TypeBool, Default: "true",
			Meaning: "Whether the node's output also goes to the agent's stdout.",
			Why:     "The node writes a log of its own, and the journal should not have it twice.",
		},
	}
}

func lifeSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.node.stop.signal", Type: TypeChoice, Choices: []string{"TERM", "INT", "QUIT", "HUP", "USR1", "USR2"}, Default: "TERM",
			Meaning: "Signal of a planned stop.",
			Why:     "The program stops cleanly on another one.",
		},
		{
			Path: "hotcold.node.stop.command", Type: TypeCommand,
			Meaning: "Command that is run for a planned stop instead of the signal.",
			Why:     "The program has a stop command.",
		},
		{
			Path: "hotcold.node.stop.timeout", Type: TypeDuration, Default: "30 seconds", Min: "0 s", Max: "1 day",
			Presets: map[PresetName]string{PresetCorda: "60 seconds", PresetArtemis: "60 seconds"},
			Meaning: "How long a planned stop may take before the node is killed. The lease is renewed meanwhile, so it has no bearing on safety; when trust runs out, fenceTimeout holds instead.",
			Why:     "The node needs longer to bring its work to an end.",
		},
		{
			Path: "hotcold.node.restart.attempts", Type: TypeInt, Default: "2", Min: "0", Max: "1000",
			Meaning: "How often a failed node is started again here before the other machine gets its chance. 0 hands over at once.",
			Why:     "Start and hand-over differ in cost.",
		},
		{
			Path: "hotcold.node.restart.backoff", Type: TypeDuration, Default: "1 second", Min: "0 s", Max: "1 hour",
			Meaning: "Wait before the first new start. It doubles with each further one.",
			Why:     "What the node left behind, a lock on a drive for example, needs time to go.",
		},
		{
			Path: "hotcold.node.restart.maxBackoff", Type: TypeDuration, Default: "30 seconds", Min: "0 s", Max: "1 day",
			Meaning: "The longest wait before a new start.",
			Why:     "Many attempts are allowed.",
		},
		{
			Path: "hotcold.node.restart.resetAfter", Type: TypeDuration, Default: "10 minutes", Min: "1 s", Max: "30 days",
			Meaning: "How long the node must have been well until earlier failures are forgotten.",
			Why:     "The node fails late after its start.",
		},
		{
			Path: "hotcold.node.failover.budget", Type: TypeInt, Default: "4", Min: "1", Max: "1000",
			Meaning: "How many hand-overs because of a failing node the pair allows itself within the window. After that it stays `failed` until a person has looked.",
			Why:     "How much ping-pong is bearable.",
		},
		{
			Path: "hotcold.node.failover.window", Type: TypeDuration, Default: "1 hour", Min: "1 s", Max: "30 days",
			Meaning: "The time in which hand-overs are counted.",
			Why:     "With the budget.",
		},
	}
}

func machineSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.drive.path", Type: TypePath,
			Meaning: "Mount point of the drive that both machines share.",
			Why:     "There is one: a Corda node's `artemis` directory, a broker's journal.",
		},
		{
			Path: "hotcold.drive.epochFile", Type: TypePath, Computed: "`hotcold.epoch` on the drive; none without a drive",
			Meaning: "File that keeps the greatest epoch ever seen, so that epochs grow even if the database loses its last writes.",
			Why:     "The drive's root is not writable for the agent.",
		},
		{
			Path: "hotcold.drive.type", Type: TypeChoice, Choices: []string{"any", "nfs", "smb", "glusterfs"}, Default: "any",
			Meaning: "What has to serve the drive: `nfs` (EFS is one), `smb` (Azure Files is one), `glusterfs`, or `any`. With a type, an empty mount point is told from the drive, and a machine without it does not become ready.",
			Why:     "Always, where the drive is mounted from a server; `any` is for a folder that stands in for it, in a trial.",
		},
		{
			Path: "hotcold.drive.source", Type: TypeText,
			Meaning: "What has to be mounted, as the mount says it: `fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com:/`, `//account.file.core.windows.net/share`. Not with amazon-efs-utils, which shows 127.0.0.1.",
			Why:     "The machine has several drives of one type.",
		},
		{
			Path: "hotcold.drive.hangLimit", Type: TypeDuration, Default: "30 seconds", Min: "2 s", Max: "1 day",
			Meaning: "How long the drive may take no write while the node is hot. After that the node is killed, and the lease is released once it is dead, so that a machine whose drive works can take over. The default outlasts a reconnect and a short fail-over of the server, which the other machine would not escape either.",
			Why:     "A server that takes longer to fail over wants more; a node that must not stand still for half a minute wants less.",
		},
		{
			Path: "hotcold.listen.address", Type: TypeText, Default: `"127.0.0.1:4653"`,
			Meaning: "Where the agent answers /hot, /ready, /live, /state and /metrics; `off` for nowhere. On an address that is not loopback it wants TLS, and a client CA or a key. 4653 is HOLD on a telephone's keys: below the range that systems give away by themselves, and used by neither Corda nor Artemis.",
			Why:     "A balancer on another machine asks the agent, or two agents live on one machine.",
		},
		{
			Path: "hotcold.listen.tls.certificate", Type: TypePath,
			Meaning: "The listener's certificate chain, PEM. Goes with the key.",
			Why:     "The listener is not on loopback.",
		},
		{
			Path: "hotcold.listen.tls.key", Type: TypePath,
			Meaning: "The private key of the certificate, PEM.",
			Why:     "The listener is not on loopback.",
		},
		{
			Path: "hotcold.listen.tls.clientCA", Type: TypePath,
			Meaning: "Authorities, PEM; a caller must show a certificate that one of them signed.",
			Why:     "Callers have certificates.",
		},
		{
			Path: "hotcold.listen.keyFile", Type: TypePath,
			Meaning: "File whose first line is the key that a caller must send as `Authorization: Bearer`. At least 16 characters; nobody but its owner may read it.",
			Why:     "Callers have no certificates.",
		},
		{
			Path: "hotcold.listen.probe", Type: TypeText, Default: "off",
			Meaning: "Where the agent answers a cloud's health probe, host:port: `GET /hot` in plain HTTP with 200 while traffic may be sent here and 503 otherwise, without a word of text, and 404 to everything else. It asks for no proof, since no cloud's probe has one, so let the firewall admit the probe only, as `hotcold render` does. `off` for nowhere.",
			Why:     "A cloud's balancer stands in front of the pair: it then asks who holds the lease, rather than which port is open.",
		},
		{
			Path: "hotcold.log.level", Type: TypeChoice, Choices: []string{"debug", "info", "warn", "error"}, Default: "info",
			Meaning: "The least of what the agent writes of itself. A steady system is silent at info.",
			Why:     "Looking for a fault.",
		},
		{
			Path: "hotcold.log.format", Type: TypeChoice, Choices: []string{"auto", "text", "json"}, Default: "auto",
			Meaning: "`auto` is text, without time stamps in the journal, which has its own.",
			Why:     "A log collector reads JSON more surely.",
		},
	}
}
