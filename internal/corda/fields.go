package corda

// fields is the table. It is a function, because a package has no variables that could be changed.
func fields() []Field {
	var rows []Field
	rows = append(rows, identityFields()...)
	rows = append(rows, addressFields()...)
	rows = append(rows, accessFields()...)
	rows = append(rows, databaseFields()...)
	rows = append(rows, exclusionFields()...)
	rows = append(rows, networkFields()...)
	rows = append(rows, watchFields()...)
	return append(rows, otherFields()...)
}

func identityFields() []Field {
	return []Field{
		{Path: "myLegalName", Kind: Text, Required: true, Knows: everywhere,
			Meaning: "The node's X.500 name, as in its certificates.",
			Pair:    "The same on both machines; it must match the key store, or the start fails."},
		{Path: "emailAddress", Kind: Text, Default: `"company@example.com"`, Knows: everywhere,
			Meaning: "Who administers the node, for the operator of the network."},
		{Path: "keyStorePassword", Kind: Text, Secret: true, Default: "cordacadevpass", Knows: everywhere,
			Meaning: "Opens the key stores in certificates/, and the keys in them.",
			Pair:    "The same on both machines, because the key stores are copies."},
		{Path: "trustStorePassword", Kind: Text, Secret: true, Default: "trustpass", Knows: everywhere,
			Meaning: "Opens certificates/truststore.jks.",
			Pair:    "The same on both machines, because the trust store is a copy."},
		{Path: "baseDirectory", Kind: Path, Computed: "the working directory, or --base-directory", PerMachine: true, Knows: everywhere,
			Meaning: "Where the node's files are. The command line always wins over what is written.",
			Pair:    "The same path on both machines is convenient, not necessary. It is part of the identity in the lease."},
		{Path: "networkParametersPath", Kind: Path, Computed: "baseDirectory", PerMachine: true, Knows: since4,
			Meaning: "Directory of the signed network parameters.",
			Pair:    "The file in it must be the same on both machines; an accepted update lives on the hot machine only."},
		{Path: "devMode", Kind: Bool, Default: "false", Knows: everywhere,
			Meaning: "Development mode: development certificates, extra checks.",
			Pair:    "Must be off: where a key store is missing it makes a new random identity without a word."},
		{Path: "devModeOptions.allowCompatibilityZone", Kind: Bool, Computed: "false", Knows: everywhere,
			Meaning: "Lets a node in devMode join a network."},
		{Path: "devModeOptions.disableCheckpointChecker", Kind: Bool, Computed: "false", Knows: everywhere,
			Meaning: "Leaves out devMode's check of each checkpoint."},
		{Path: "devModeOptions.autoCreateDevelopmentKeys", Kind: Bool, Computed: "true", Knows: Enterprise4,
			Meaning: "Whether devMode makes keys that are missing."},
	}
}

func addressFields() []Field {
	return []Field{
		{Path: "p2pAddress", Kind: Address, Required: true, Knows: everywhere,
			Meaning: "The address that the network is told. The broker listens on its port, on all interfaces, unless messagingServerAddress says otherwise.",
			Pair:    "The balancer's address, the same on both machines. 0.0.0.0 is refused at start."},
		{Path: "additionalP2PAddresses", Kind: Addrs, Default: "[]", Knows: everywhere,
			Meaning: "Further addresses that the network is told, after p2pAddress.",
			Pair:    "The same in the same order on both machines, or each takeover changes the network map. From minimum platform version 4 on they can take the balancer's place: p2pAddress the primary, this the back-up."},
		{Path: "messagingServerAddress", Kind: Address, PerMachine: true, Knows: everywhere,
			Meaning: "Where the broker is: it listens there, and the node connects there.",
			Pair:    "The machine's own address. It must be one that can be dialled, so not 0.0.0.0."},
		{Path: "messagingServerExternal", Kind: Bool, Computed: "true where messagingServerAddress is set, else false", Knows: everywhere,
			Meaning: "Whether the broker is a program of its own, so that the node starts none.",
			Pair:    "With messagingServerAddress and the node's own broker, write false: the default is true then."},
		{Path: "detectPublicIp", Kind: Bool, Default: "false", Knows: everywhere,
			Meaning: "Looks for a public address at start and tells the network that one.",
			Pair:    "Keep it false: it would tell the network the machine's own address instead of the balancer's. It was on by default in 3.x, so write it there."},
		{Path: "rpcSettings.address", Kind: Address, Required: true, PerMachine: true, Knows: everywhere,
			Meaning: "Where RPC clients connect.",
			Pair:    "The machine's own address; the balancer forwards to it."},
		{Path: "rpcSettings.adminAddress", Kind: Address, Required: true, PerMachine: true, Knows: everywhere,
			Meaning: "Where the node itself administers the RPC broker.",
			Pair:    "The machine's own address: the node dials it."},
		{Path: "rpcSettings.standAloneBroker", Kind: Bool, Default: "false", Knows: everywhere,
			Meaning: "Whether the RPC broker is a program of its own."},
		{Path: "rpcSettings.useSsl", Kind: Bool, Default: "false", Knows: everywhere,
			Meaning: "TLS for RPC clients. Wants rpcSettings.ssl."},
		{Path: "rpcSettings.ssl.keyStorePath", Kind: Path, PerMachine: true, Knows: everywhere,
			Meaning: "Key store for the RPC broker.",
			Pair:    "The same store on both machines, so that clients trust both; the path may differ."},
		{Path: "rpcSettings.ssl.keyStorePassword", Kind: Text, Secret: true, Knows: everywhere,
			Meaning: "Opens that key store."},
		{Path: "rpcAddress", Kind: Address, PerMachine: true, Knows: everywhere, Deprecated: "rpcSettings.address",
			Meaning: "Where RPC clients connect, in the old place."},
		{Path: "sshd.port", Kind: Port, Knows: everywhere,
			Meaning: "Port of the shell by SSH. From 4.9 on it wants the shell's jar in drivers/.",
			Pair:    "Copy ssh/ to the back-up, or the shell's users are warned of another host key at each takeover."},
		{Path: "h2Settings.address", Kind: Address, PerMachine: true, Knows: everywhere,
			Meaning: "Where the H2 database inside the node listens.",
			Pair:    "Of no use in a pair: H2 is a file of one machine."},
		{Path: "h2port", Kind: Port, PerMachine: true, Knows: everywhere, Deprecated: "h2Settings.address",
			Meaning: "Port of the H2 database inside the node."},
	}
}

func accessFields() []Field {
	const at = "security.authService."
	return []Field{
		{Path: "rpcUsers", Kind: Objects, Default: "[]", Secret: true, Knows: everywhere,
			Meaning: "Users of RPC: { username (or user), password, permissions }. Excludes security.",
			Pair:    "The same on both machines."},
		{Path: at + "dataSource.type", Kind: Choice, Choices: []string{"INMEMORY", "DB"}, Knows: everywhere,
			Meaning: "Where the users of RPC are: INMEMORY wants users, DB wants connection."},
		{Path: at + "dataSource.passwordEncryption", Kind: Choice, Choices: []string{"NONE", "SHIRO_1_CRYPT"}, Computed: "NONE", Knows: everywhere,
			Meaning: "How passwords are kept there."},
		{Path: at + "dataSource.users", Kind: Objects, Secret: true, Knows: everywhere, Meaning: "The users, for INMEMORY."},
		{Path: at + "dataSource.connection", Kind: Object, Free: true, Secret: true, Knows: everywhere, Meaning: "The database of the users, for DB."},
		{Path: at + "id", Kind: Text, Knows: everywhere, Meaning: "Name of the service."},
		{Path: at + "options.cache.expireAfterSecs", Kind: Int, Unit: "seconds", Knows: everywhere, Meaning: "How long a user is remembered. For DB only."},
		{Path: at + "options.cache.maxEntries", Kind: Int, Knows: everywhere, Meaning: "How many users are remembered. For DB only."},
	}
}

func databaseFields() []Field {
	return []Field{
		{Path: "dataSourceProperties.dataSourceClassName", Kind: Text, Default: `"org.h2.jdbcx.JdbcDataSource"`, Knows: everywhere,
			Meaning: "The JDBC driver's data source.",
			Pair:    "The same on both machines; the driver's jar lies in drivers/ or jarDirs."},
		{Path: "dataSourceProperties.dataSource.url", Kind: Text, Default: `"jdbc:h2:file:"${baseDirectory}"/persistence;DB_CLOSE_ON_EXIT=FALSE;WRITE_DELAY=0;LOCK_TIMEOUT=10000"`, Knows: everywhere,
			Meaning: "JDBC address of the node's database.",
			Pair:    "The same database on both machines. The default, H2, is a file of one machine. hotcold keeps the lease there, if it is PostgreSQL."},
		{Path: "dataSourceProperties.dataSource.user", Kind: Text, Default: "sa", Knows: everywhere,
			Meaning: "The database's user.", Pair: "The same on both machines."},
		{Path: "dataSourceProperties.dataSource.password", Kind: Text, Secret: true, Default: `""`, Knows: everywhere,
			Meaning: "That user's password.", Pair: "The same on both machines."},
		{Path: "dataSourceProperties", Kind: Object, Free: true, Knows: everywhere,
			Meaning: "The node's database: the driver's properties below dataSource, beside them those of the connection pool (HikariCP).",
			Pair:    "The same on both machines."},
		{Path: "database.exportHibernateJMXStatistics", Kind: Bool, Computed: "true in devMode, else false", Knows: everywhere,
			Meaning: "Statistics of Hibernate over JMX. They cost time."},
		{Path: "database.mappedSchemaCacheSize", Kind: Int, Knows: since4, Meaning: "How many mapped schemas are remembered."},
		{Path: "database.schema", Kind: Text, Knows: enterprise,
			Meaning: "Schema of the node's tables, where the database wants one.", Pair: "The same on both machines."},
		{Path: "database.hibernateDialect", Kind: Text, Knows: enterprise, Meaning: "For databases that are not supported."},
		{Path: "database.transactionIsolationLevel", Kind: Choice, Choices: []string{"NONE", "READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"},
			Computed: "REPEATABLE_READ", Knows: enterprise, Meaning: "Isolation of the node's transactions. Open source 4.12 refuses it as removed."},
		{Path: "database.runMigration", Kind: Bool, Computed: "false", Knows: enterprise,
			Deprecated: "java -jar corda.jar run-migration-scripts, which sets up the schema since 4.6",
			Meaning:    "Whether the node sets up its schema at start.",
			Pair:       "Keep it false where the user of the database may not change tables, as is recommended for a pair."},
	}
}

func exclusionFields() []Field {
	const at = "enterpriseConfiguration."
	const exclusion = at + "mutualExclusionConfiguration."
	return []Field{
		{Path: exclusion + "on", Kind: Bool, Computed: "false", Knows: enterprise,
			Meaning: "Whether the node keeps a lease of its own in its database (NODE_MUTUAL_EXCLUSION).",
			Pair:    "Under hotcold it must be off, or there are two leases; hotcold.mutualExclusion.on says that hotcold's is on."},
		{Path: exclusion + "machineName", Kind: Text, Computed: "the host name", PerMachine: true, Knows: enterprise,
			Meaning: "Unique name of the machine. With the base directory it is the identity in the lease.",
			Pair:    "Must differ between the machines."},
		{Path: exclusion + "updateInterval", Kind: Int, Unit: "milliseconds", Computed: "20000 in 3.2; not defined later, so write it", Knows: enterprise,
			Meaning: "How often the holder renews the lease.", Pair: "The same on both machines."},
		{Path: exclusion + "waitInterval", Kind: Int, Unit: "milliseconds", Computed: "40000 in 3.2; not defined later, so write it", Knows: enterprise,
			Meaning: "How long the lease must have stood still before another may take it. Greater than updateInterval.", Pair: "The same on both machines."},
		{Path: at + "externalBridge", Kind: Bool, Computed: "false", Knows: enterprise, Meaning: "Whether peers are reached through the Corda Firewall."},
		{Path: at + "healthCheck", Kind: Bool, Computed: "true", Knows: Enterprise4, Meaning: "Whether the health survey tool is answered."},
		{Path: at + "messagingServerConnectionConfiguration", Kind: Choice, Choices: []string{"DEFAULT", "FAIL_FAST", "CONTINUOUS_RETRY"}, Computed: "DEFAULT", Knows: enterprise,
			Meaning: "How the node connects to a broker of its own."},
		{Path: at + "messagingServerBackupAddresses", Kind: Addrs, Computed: "[]", Knows: Enterprise4, Meaning: "Further addresses of an external broker."},
		{Path: at + "messagingServerSslConfiguration", Kind: Object, Free: true, Secret: true, Knows: Enterprise4, Meaning: "Key and trust store for an external broker."},
		{Path: "enterpriseConfiguration", Kind: Object, Free: true, Knows: enterprise,
			Meaning: "What only Corda Enterprise has. An open-source node refuses to start with it."},
	}
}

func networkFields() []Field {
	return []Field{
		{Path: "compatibilityZoneURL", Kind: URL, Knows: everywhere, Deprecated: "networkServices",
			Meaning: "Address of the network's services. Excludes networkServices."},
		{Path: "networkServices.doormanURL", Kind: URL, Knows: everywhere, Meaning: "Where certificates are asked for."},
		{Path: "networkServices.networkMapURL", Kind: URL, Knows: everywhere, Meaning: "Where the network map is."},
		{Path: "networkServices.pnm", Kind: Text, Knows: everywhere, Meaning: "Key (UUID) of a private network map."},
		{Path: "networkServices.csrToken", Kind: Text, Secret: true, Knows: since4, Meaning: "Token for the first request of certificates."},
		{Path: "networkServices.proxyType", Kind: Choice, Choices: []string{"DIRECT", "HTTP", "SOCKS"}, Computed: "DIRECT", Knows: enterprise, Meaning: "Proxy on the way to the network's services."},
		{Path: "networkServices.proxyAddress", Kind: Address, PerMachine: true, Knows: enterprise, Meaning: "The proxy's address."},
		{Path: "networkServices.proxyUser", Kind: Text, Knows: enterprise, Meaning: "The proxy's user."},
		{Path: "networkServices.proxyPassword", Kind: Text, Secret: true, Knows: enterprise, Meaning: "That user's password."},
		{Path: "networkParameterAcceptanceSettings.autoAcceptEnabled", Kind: Bool, Computed: "true", Knows: since4,
			Meaning: "Whether changes of the network's parameters are accepted by themselves."},
		{Path: "networkParameterAcceptanceSettings.excludedAutoAcceptableParameters", Kind: Texts, Computed: "[]", Knows: since4,
			Meaning: "Parameters that are not."},
		{Path: "extraNetworkMapKeys", Kind: Texts, Default: "[]", Knows: everywhere, Meaning: "Keys (UUID) of private network maps."},
		{Path: "additionalNodeInfoPollingFrequencyMsec", Kind: Int, Unit: "milliseconds", Default: "5000", Knows: everywhere,
			Meaning: "How often additional-node-infos/ is looked at."},
		{Path: "crlCheckSoftFail", Kind: Bool, Default: "true", Knows: everywhere,
			Meaning: "Whether a revocation list that cannot be had is passed over. false wants tlsCertCrlDistPoint."},
		{Path: "crlCheckArtemisServer", Kind: Bool, Computed: "false", Knows: since4, Meaning: "Whether peers that connect are held against revocation lists too."},
		{Path: "tlsCertCrlDistPoint", Kind: URL, Knows: everywhere, Meaning: "Where the revocation list of the TLS certificates is."},
		{Path: "tlsCertCrlIssuer", Kind: Text, Knows: everywhere, Meaning: "Who issues that list. Wants tlsCertCrlDistPoint."},
	}
}

func watchFields() []Field {
	return []Field{
		{Path: "jmxMonitoringHttpPort", Kind: Port, Knows: everywhere,
			Meaning: "Port of Jolokia, JMX by HTTP.",
			Pair:    "Set it: hotcold asks there whether the node is STARTED, before and after takeovers."},
		{Path: "jmxReporterType", Kind: Choice, Choices: []string{"JOLOKIA", "NEW_RELIC"}, Default: "JOLOKIA", Knows: everywhere, Meaning: "Who reports JMX."},
		{Path: "flowMonitorPeriodMillis", Kind: Duration, Unit: "milliseconds", Computed: "60 seconds", Knows: everywhere, Meaning: "How often waiting flows are logged."},
		{Path: "flowMonitorSuspensionLoggingThresholdMillis", Kind: Duration, Unit: "milliseconds", Computed: "60 seconds", Knows: everywhere, Meaning: "How long a flow must wait to be logged."},
		{Path: "telemetry", Kind: Object, Free: true, Knows: since4, Meaning: "OpenTelemetry and logged spans."},
		{Path: "graphiteOptions", Kind: Object, Free: true, Knows: enterprise, Meaning: "Metrics to Graphite."},
		{Path: "exportJMXto", Kind: Text, Knows: everywhere, Deprecated: "jmxMonitoringHttpPort", Meaning: "Has no effect any more."},
	}
}

func otherFields() []Field {
	return []Field{
		{Path: "jarDirs", Kind: Texts, Default: "[]", PerMachine: true, Knows: everywhere,
			Meaning: "Directories with jars for the class path, as that of the JDBC driver.", Pair: "The same jars on both machines."},
		{Path: "cordappDirectories", Kind: Texts, Computed: "cordapps in the base directory", PerMachine: true, Knows: everywhere,
			Meaning: "Directories with CorDapps.", Pair: "Flows resume only with the same CorDapps."},
		{Path: "custom.jvmArgs", Kind: Texts, Knows: everywhere,
			Meaning: "Arguments of the node's JVM. They replace those that corda.jar gives, the heap and the ending on want of memory among them."},
		{Path: "custom", Kind: Object, Free: true, Knows: everywhere, Meaning: "For the launcher (capsule) of corda.jar."},
		{Path: "systemProperties", Kind: Object, Free: true, Knows: everywhere, Meaning: "Java system properties of the node."},
		{Path: "flowTimeout.timeout", Kind: Duration, Unit: "milliseconds", Default: "30 seconds", Knows: everywhere, Meaning: "When a flow that asks for it, a notarisation above all, is started anew."},
		{Path: "flowTimeout.maxRestartCount", Kind: Int, Default: "6", Computed: "5 in 3.2", Knows: everywhere, Meaning: "How many times the timeout grows."},
		{Path: "flowTimeout.backoffBase", Kind: Float, Default: "1.8", Knows: everywhere, Meaning: "By how much it grows each time."},
		{Path: "flowOverrides", Kind: Object, Free: true, Knows: since4, Meaning: "Which flow answers which."},
		{Path: "flowExternalOperationThreadPoolSize", Kind: Int, Computed: "the number of processors, at most 10", Knows: since4, Meaning: "Threads for external operations of flows."},
		{Path: "notary", Kind: Object, Free: true, Knows: everywhere, Meaning: "Makes the node a notary.",
			Pair: "A single notary can be a pair. A clustered one has high availability of its own."},
		{Path: "verifierType", Kind: Choice, Choices: []string{"InMemory"}, Default: "InMemory", Knows: everywhere, Meaning: "Who verifies transactions."},
		{Path: "lazyBridgeStart", Kind: Bool, Default: "true", Knows: since4, Meaning: "Internal."},
		{Path: "enableSNI", Kind: Bool, Computed: "true", Knows: since4, Meaning: "Names of hosts in TLS."},
		{Path: "useOpenSsl", Kind: Bool, Computed: "false", Knows: since4, Meaning: "OpenSSL instead of Java's TLS."},
		{Path: "noLocalShell", Kind: Bool, Default: "false", Knows: everywhere, Meaning: "No shell at the node's own terminal.",
			Pair: "An agent gives the node no terminal, so it makes no difference."},
		{Path: "useTestClock", Kind: Bool, Default: "false", Knows: everywhere, Meaning: "A clock that tests set. With devMode only."},
		{Path: "transactionCacheSizeMegaBytes", Kind: Int, Unit: "MB", Computed: "8 MB and 5 % of the heap above 300 MB", Knows: everywhere, Meaning: "Memory for transactions."},
		{Path: "attachmentContentCacheSizeMegaBytes", Kind: Int, Unit: "MB", Computed: "10 MB", Knows: everywhere, Meaning: "Memory for the content of attachments."},
		{Path: "attachmentCacheBound", Kind: Int, Computed: "1024", Knows: everywhere, Meaning: "How many attachments are remembered."},
		{Path: "cordappSignerKeyFingerprintBlacklist", Kind: Texts, Computed: "the development keys", Knows: since4, Meaning: "Keys that may not sign CorDapps. Not in devMode."},
		{Path: "blacklistedAttachmentSigningKeys", Kind: Texts, Computed: "[]", Knows: since4, Meaning: "Keys whose attachments are not trusted."},
		{Path: "cryptoServiceName", Kind: Text, Knows: since4, Meaning: "Where the identity keys are, if not in a file.",
			Pair: "Both machines need the same keys: a device that both reach."},
		{Path: "cryptoServiceConf", Kind: Path, PerMachine: true, Knows: since4, Meaning: "Its configuration file."},
		{Path: "cryptoServiceTimeout", Kind: Duration, Unit: "milliseconds", Computed: "10 seconds", Knows: Enterprise4, Meaning: "How long it may take to answer."},
		{Path: "cryptoServiceFlowRetryCount", Kind: Int, Computed: "-2", Knows: Enterprise4, Meaning: "How many times a flow tries it again."},
		{Path: "freshIdentitiesConfiguration", Kind: Object, Free: true, Knows: Enterprise4, Meaning: "Where the keys of confidential identities are."},
		{Path: "relay", Kind: Object, Free: true, Knows: enterprise, Meaning: "A way to peers by SSH."},
		{Path: "extraAdvertisedServiceIds", Kind: Texts, Knows: everywhere, Deprecated: "nothing; it does nothing any more", Meaning: "Has no effect any more."},
	}
}
