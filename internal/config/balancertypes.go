package config

import (
	"net/netip"
	"time"
)

// Machine is one of the two machines of the pair, as the others reach it: the balancer, the copy of files, the clouds.
type Machine struct {
	// Name is its machineName, a key of hotcold.machines.
	Name string
	// Address is where its node is reached, without a port.
	Address netip.Addr
	// Agent is where its agent's listener answers, host:port; empty where only the node itself can be looked at.
	Agent string
	// SSH is where sshd answers, [user@]host[:port]; empty means Address.
	SSH string
}

// Profile is whose manners the balancer has.
type Profile string

// The profiles.
const (
	// ProfilePair is what a pair wants: fast looks, and old connections cut at a takeover.
	ProfilePair Profile = "pair"
	// ProfileAzure rehearses Azure's Standard load balancer.
	ProfileAzure Profile = "azure"
	// ProfileAWSClassic rehearses AWS's Classic Load Balancer.
	ProfileAWSClassic Profile = "aws-classic"
)

// DataPath is what moves the bytes.
type DataPath string

// The data paths.
const (
	DataPathAuto   DataPath = "auto"
	DataPathSplice DataPath = "splice"
	DataPathKernel DataPath = "kernel"
)

// NobodyHot is what becomes of clients while nobody is hot.
type NobodyHot string

// The two answers.
const (
	// NobodyPark keeps clients waiting, bounded in number and time.
	NobodyPark NobodyHot = "park"
	// NobodyRefuse turns them away.
	NobodyRefuse NobodyHot = "refuse"
)

// OldConnections is what becomes of the connections to a machine that is hot no longer.
type OldConnections string

// The three ways.
const (
	OldCut   OldConnections = "cut"
	OldDrain OldConnections = "drain"
	OldKeep  OldConnections = "keep"
)

// Persistence is which machine a client's next connection goes to, in Azure's words. With one hot machine all three
// mean the same here; the clouds are told.
type Persistence string

// The three kinds of session persistence.
const (
	PersistenceNone             Persistence = "None"
	PersistenceClientIP         Persistence = "ClientIP"
	PersistenceClientIPProtocol Persistence = "ClientIPProtocol"
)

// RuleProtocol is the protocol of a rule. The bytes are carried as they come, whatever it is.
type RuleProtocol string

// The protocols of a rule.
const (
	RuleTCP RuleProtocol = "TCP"
	// RuleHTTP is a word for the listeners of profile aws-classic.
	RuleHTTP RuleProtocol = "HTTP"
)

// ProbeProtocol is how a machine is looked at.
type ProbeProtocol string

// The protocols of a probe.
const (
	ProbeTCP   ProbeProtocol = "TCP"
	ProbeHTTP  ProbeProtocol = "HTTP"
	ProbeHTTPS ProbeProtocol = "HTTPS"
	// ProbeAgent asks the machine's agent, the only one that knows.
	ProbeAgent ProbeProtocol = "agent"
)

// Balancer is what stands in front of the pair: hotcold's own balancer, or a cloud's from the same words.
type Balancer struct {
	// Profile is whose manners it has; its defaults and ranges are already in the rest.
	Profile Profile
	// Pool is the name of the back-end pool, which holds all Machines of the Config.
	Pool string
	// Probes in the order in which they are written.
	Probes []BalancerProbe
	// Rules in the order in which they are written.
	Rules []BalancerRule
	// Nobody, ParkLimit and ParkTime say what becomes of clients while nobody is hot: how many may wait, how long.
	Nobody    NobodyHot
	ParkLimit int
	ParkTime  time.Duration
	// Old is what becomes of old connections when the hot machine changes, and Drain how long a drain may take.
	Old   OldConnections
	Drain time.Duration
	// DataPath is what moves the bytes.
	DataPath DataPath
	// Masquerade has the kernel path show the balancer's address to the node; the splice path always does.
	Masquerade bool
	// Agents is how the agents are asked.
	Agents AgentAccess
	// Listen is the balancer's own page and metrics.
	Listen Listen
	// User is whom the balancer becomes once its listeners are open; empty: nobody else.
	User string
	// AccessLog is the absolute path of a file that gets a line for each connection that ended, "-" for stdout, or empty.
	AccessLog string
}

// AgentAccess is how the agents' listeners are asked from another machine.
type AgentAccess struct {
	// CA, Certificate and Key are absolute paths of PEM files: whom to believe, and who we are. Without a CA agents are
	// asked in plain HTTP, which is for loopback only.
	CA, Certificate, Key string
	// Token is what is shown as a bearer token; empty where none is asked for.
	Token Secret
}

// BalancerProbe is one probe.
type BalancerProbe struct {
	// Name is a key of hotcold.balancer.probes.
	Name     string
	Protocol ProbeProtocol
	// Port is looked at; 0 for an agent, whose port stands with the machine.
	Port int
	// Path is asked for by HTTP and HTTPS; empty otherwise.
	Path string
	// Interval is from one look to the next, Fast the same while in doubt, Timeout the limit of one look.
	Interval, Fast, Timeout time.Duration
	// Unhealthy and Healthy are how many looks in a row make a machine one or the other.
	Unhealthy, Healthy int
}

// Traffic is what a rule carries.
type Traffic string

// The kinds of traffic of the guide; a rule of one's own has none.
const (
	TrafficP2P   Traffic = "p2p"
	TrafficRPC   Traffic = "rpc"
	TrafficWeb   Traffic = "web"
	TrafficOther Traffic = ""
)

// BalancerRule sends what comes in at one port to the hot machine.
type BalancerRule struct {
	// Name is a key of hotcold.balancer.rules.
	Name string
	// Traffic is what it carries, where that is known.
	Traffic Traffic
	// Frontend is where clients come in; the unspecified address means all addresses of its family.
	Frontend netip.Addr
	// Protocol is TCP; in profile aws-classic it may be HTTP.
	Protocol RuleProtocol
	// Port is where clients come in, BackendPort where they are sent.
	Port, BackendPort int
	// Pool and Probe are names of the balancer's pool and of one of its probes.
	Pool, Probe string
	// Persistence is recorded and passed on to the clouds.
	Persistence Persistence
	// IdleTimeout ends a connection without traffic; 0 means never. ResetOnIdle resets it rather than dropping it.
	IdleTimeout time.Duration
	ResetOnIdle bool
	// ProxyIn expects a PROXY header of clients, ProxyOut sends one of that version (0: none) to the node.
	ProxyIn  bool
	ProxyOut int
	// MaxConnections and MaxPerSource bound what one rule, and one client address in it, may have at once; 0: no bound.
	MaxConnections, MaxPerSource int
	// Allow and Deny are who may connect; Deny wins, and an empty Allow lets in all.
	Allow, Deny []netip.Prefix
}
