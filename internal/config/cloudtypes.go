package config

import "net/netip"

// Cloud is what only a cloud has to be told: names, accounts, networks. What the balancer does stands in Balancer, for
// the clouds too. The forms and ranges of these values are each cloud's, and are checked when something is rendered
// for it.
type Cloud struct {
	// Name begins the names of what is made, "ha" in ha-lbr-p2p.
	Name string
	// Directory is the node's base directory on the machines of the cloud.
	Directory string
	// Mount is where they mount the shared drive.
	Mount string
	// P2PFrom, RPCFrom and WebFrom are who may come to the balancer with each kind of traffic. Nobody may where it is empty.
	P2PFrom, RPCFrom, WebFrom []netip.Prefix
	// Probe is whom a cloud's health probes ask.
	Probe CloudProbe
	// Binary is where a new machine gets hotcold from.
	Binary CloudBinary
	// Azure and AWS are each cloud's own part.
	Azure CloudAzure
	AWS   CloudAWS
}

// CloudProbe is whom a cloud's health probes ask.
type CloudProbe string

// The two of them.
const (
	// CloudProbeAgent asks the agent, which knows who holds the lease.
	CloudProbeAgent CloudProbe = "agent"
	// CloudProbeNode looks at the node's own ports, as the balancer's probes are written.
	CloudProbeNode CloudProbe = "node"
)

// CloudBinary is a place of the program, and the SHA-256 that it has to have, in hex.
type CloudBinary struct{ URL, SHA256 string }

// CloudAzure is what Azure has to be told.
type CloudAzure struct {
	// ResourceGroup, Location, Network and Subnet are those that the machines are in.
	ResourceGroup, Location, Network, Subnet string
	// Storage is the account with the file share.
	Storage CloudStorage
}

// CloudStorage is a storage account and its file share.
type CloudStorage struct {
	// Account and Share are their names.
	Account, Share string
	// Kind is StorageV2 or FileStorage, Redundancy LRS, ZRS or GRS.
	Kind, Redundancy string
	// SecureTransfer refuses what is not encrypted, and so SMB before 3.0.
	SecureTransfer bool
	// QuotaBytes is the size of the share, whole GiB.
	QuotaBytes int64
}

// CloudBalancer is which of AWS's balancers is rendered.
type CloudBalancer string

// The two of them.
const (
	// CloudClassic is one Classic Load Balancer for each kind of traffic, as in the guide.
	CloudClassic CloudBalancer = "classic"
	// CloudNLB is one Network Load Balancer with a target group for each.
	CloudNLB CloudBalancer = "nlb"
)

// CloudAWS is what AWS has to be told.
type CloudAWS struct {
	// Region, VPC and Subnets are those that the machines are in.
	Region, VPC string
	Subnets     []string
	// Instances are the identifiers of the machines, as far as there are any yet.
	Instances []string
	// Balancer is which balancer is rendered.
	Balancer CloudBalancer
	// PerformanceMode and ThroughputMode are those of the file system.
	PerformanceMode, ThroughputMode string
	// Encrypted says whether the file system is encrypted at rest.
	Encrypted bool
	// FileSystem is its identifier, once it has been made; empty before.
	FileSystem string
}
