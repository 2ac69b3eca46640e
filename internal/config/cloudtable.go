package config

// cloudSettings are the rows of what only a cloud has to be told. Their defaults are the names of the guide.
func cloudSettings() []Setting {
	return append(append(anyCloudSettings(), azureSettings()...), awsSettings()...)
}

func anyCloudSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.cloud.name", Type: TypeText, Default: `"ha"`,
			Meaning: "Begins the names of what `hotcold render` makes in a cloud: `ha-lb`, `ha-lbr-p2p`, `ha-lb-p2p`, `ha-drive`.",
			Why:     "Two pairs in one account, or house rules for names.",
		},
		{
			Path: "hotcold.cloud.directory", Type: TypeText, Default: `"/opt/node"`,
			Meaning: "The node's base directory on the machines of the cloud; hotcold.conf is laid there.",
			Why:     "The node lies elsewhere.",
		},
		{
			Path: "hotcold.cloud.mount", Type: TypeText, Computed: "`hotcold.drive.path`", Default: `"/mnt/hotcold"`,
			Meaning: "Where the machines of the cloud mount the shared drive.",
			Why:     "It is mounted elsewhere there than here.",
		},
		{
			Path: "hotcold.cloud.p2pFrom", Type: TypeNets, Default: `["0.0.0.0/0"]`,
			Meaning: "Networks that may come in with P2P traffic.",
			Why:     "The peers of a private network are known.",
		},
		{
			Path: "hotcold.cloud.rpcFrom", Type: TypeNets, Default: "[]",
			Meaning: "Networks that may come in with RPC traffic. With none, no rule of the firewall lets anybody in.",
			Why:     "Clients outside of the machines' own network use RPC.",
		},
		{
			Path: "hotcold.cloud.webFrom", Type: TypeNets, Default: "[]",
			Meaning: "Networks that may come in with web traffic, and with that of rules of one's own. With none, no rule of the firewall lets anybody in.",
			Why:     "The node's web server has users.",
		},
		{
			Path: "hotcold.cloud.probe", Type: TypeChoice, Choices: []string{"agent", "node"}, Computed: "`agent` where `hotcold.listen.probe` is set", Default: "node",
			Meaning: "Whom a cloud's health probes ask, for all rules: `agent` asks for `/hot` at the port of `hotcold.listen.probe`, which only the machine that holds the lease answers with 200; `node` looks at the node's ports as `hotcold.balancer.probes` says, by TCP and HTTP as in the guide. An open port says that something listens, not who holds the lease.",
			Why:     "The guide's own probes are wanted although the agent could be asked.",
		},
		{
			Path: "hotcold.cloud.binary.url", Type: TypeURL,
			Meaning: "Where a new machine fetches hotcold from. It must be a file of yours, since its SHA-256 stands beside it.",
			Why:     "The machines' image does not have hotcold already.",
		},
		{
			Path: "hotcold.cloud.binary.sha256", Type: TypeText,
			Meaning: "SHA-256 of that file, 64 digits in hex. Another file is not installed.",
			Why:     "With binary.url.",
		},
	}
}

func azureSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.cloud.azure.resourceGroup", Type: TypeText, Default: `"ha-testing"`,
			Meaning: "Resource group of all that is made in Azure.",
			Why:     "The machines are in another one.",
		},
		{
			Path: "hotcold.cloud.azure.location", Type: TypeText, Default: `"westeurope"`,
			Meaning: "Azure's region, as `az account list-locations` names it.",
			Why:     "The machines are elsewhere; the drive and the balancer have to be where they are.",
		},
		{
			Path: "hotcold.cloud.azure.network", Type: TypeText, Default: `"ha-net"`,
			Meaning: "Virtual network of the machines. It has to be there already, in the resource group.",
			Why:     "It has another name.",
		},
		{
			Path: "hotcold.cloud.azure.subnet", Type: TypeText, Default: `"ha-nodes"`,
			Meaning: "Subnet of the machines, to which the firewall's rules are put.",
			Why:     "It has another name.",
		},
		{
			Path: "hotcold.cloud.azure.storage.account", Type: TypeText,
			Meaning: "Name of the storage account, 3 to 24 lower-case letters and digits, that no other account of Azure has.",
			Why:     "It has to be set to render for Azure.",
		},
		{
			Path: "hotcold.cloud.azure.storage.share", Type: TypeText, Default: `"artemis"`,
			Meaning: "Name of the file share.",
			Why:     "House rules for names.",
		},
		{
			Path: "hotcold.cloud.azure.storage.kind", Type: TypeText, Default: `"StorageV2"`,
			Meaning: "Kind of the storage account: `StorageV2` (general purpose, standard disks) or `FileStorage` (premium, SSD).",
			Why:     "The broker waits for its drive.",
		},
		{
			Path: "hotcold.cloud.azure.storage.redundancy", Type: TypeChoice, Choices: []string{"LRS", "ZRS", "GRS"}, Default: "ZRS",
			Meaning: "Where the copies of the drive are: `LRS` in one data centre, `ZRS` in three zones, `GRS` also in another region. What is lost with the data centre under LRS is lost to both machines.",
			Why:     "The region has no zones.",
		},
		{
			Path: "hotcold.cloud.azure.storage.secureTransfer", Type: TypeBool, Default: "true",
			Meaning: "Whether the drive can be mounted encrypted only, which wants SMB 3.0 and a Linux 4.11 or newer.",
			Why:     "An old kernel.",
		},
		{
			Path: "hotcold.cloud.azure.storage.quota", Type: TypeSize, Default: "100 GiB", Min: "1 GiB", Max: "100 TiB",
			Meaning: "Size of the file share, in whole GiB.",
			Why:     "The journal is larger; speed grows with the size under FileStorage.",
		},
	}
}

func awsSettings() []Setting {
	return []Setting{
		{
			Path: "hotcold.cloud.aws.region", Type: TypeText, Default: `"eu-west-1"`,
			Meaning: "AWS's region.",
			Why:     "The machines are elsewhere.",
		},
		{
			Path: "hotcold.cloud.aws.vpc", Type: TypeText,
			Meaning: "Identifier of the VPC of the machines, `vpc-...`.",
			Why:     "It has to be set to render for AWS.",
		},
		{
			Path: "hotcold.cloud.aws.subnets", Type: TypeTexts, Default: "[]",
			Meaning: "Identifiers of the subnets of the machines, `subnet-...`, one for each availability zone. The balancers and the drive are in all of them.",
			Why:     "It has to be set to render for AWS.",
		},
		{
			Path: "hotcold.cloud.aws.instances", Type: TypeTexts, Default: "[]",
			Meaning: "Identifiers of the two machines, `i-...`, once they have been made.",
			Why:     "They are to be registered with the balancers.",
		},
		{
			Path: "hotcold.cloud.aws.balancer", Type: TypeChoice, Choices: []string{"classic", "nlb"}, Default: "classic",
			Meaning: "Which balancer is rendered: `classic` is one Classic Load Balancer for each kind of traffic, as in the guide; `nlb` is one Network Load Balancer with a target group for each, as AWS recommends today.",
			Why:     "One name for all kinds of traffic, static addresses, and the clients' own addresses seen by the node.",
		},
		{
			Path: "hotcold.cloud.aws.performanceMode", Type: TypeChoice, Choices: []string{"generalPurpose", "maxIO"}, Default: "generalPurpose",
			Meaning: "Performance mode of the file system, which cannot be changed later. General purpose is quicker for two machines.",
			Why:     "Thousands of machines use the same file system.",
		},
		{
			Path: "hotcold.cloud.aws.throughputMode", Type: TypeChoice, Choices: []string{"bursting", "elastic"}, Default: "elastic",
			Meaning: "Throughput mode of the file system. Under `bursting` a small file system is slow once its credits are spent.",
			Why:     "Cost.",
		},
		{
			Path: "hotcold.cloud.aws.encrypted", Type: TypeBool, Default: "true",
			Meaning: "Whether the file system is encrypted at rest.",
			Why:     "It never should be off.",
		},
		{
			Path: "hotcold.cloud.aws.fileSystem", Type: TypeText,
			Meaning: "Identifier of the file system, `fs-...`, once it has been made. The machines' mount line has it.",
			Why:     "The file system has been made, and the machines are next.",
		},
	}
}
