package aws

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/config"
)

// Setup is all that AWS is told.
type Setup struct {
	// Name begins the names.
	Name string
	// Region, VPC and Subnets are those of the machines, Instances the machines.
	Region, VPC        string
	Subnets, Instances []string
	// Kind is which balancer it is.
	Kind config.CloudBalancer
	// NetworkBalancer is the name of the only balancer under nlb, and empty under classic.
	NetworkBalancer string `json:",omitempty"`
	Machines        []Machine
	// Fronts are the classic balancers, or the target groups with their listeners.
	Fronts []Front
	// BalancerGroup, NodeGroup and DriveGroup are names of security groups.
	BalancerGroup, NodeGroup, DriveGroup string
	// Clients are who may come to the balancers, Inside what the balancers may reach on the machines.
	Clients []Opening
	Inside  []int
	Drive   Drive
	// Agents says whether the health checks ask the agents.
	Agents bool
	// Directory is the node's base directory.
	Directory string
}

// Machine is one of the two.
type Machine struct{ Name, Address string }

// Front is what takes one kind of traffic.
type Front struct {
	// Name is the balancer's, or the target group's.
	Name string
	// Key is short: "p2p".
	Key string
	// Protocol is TCP, or HTTP on a classic balancer; on the balancer and towards the machine alike.
	Protocol           string
	Port, InstancePort int
	Check              Check
	IdleSeconds        int
	// SourceIP sends a client to the same machine again; target groups only.
	SourceIP bool `json:",omitempty"`
}

// Check is a health check.
type Check struct {
	// Protocol is TCP, HTTP or HTTPS.
	Protocol string
	Port     int
	// Path is asked for by HTTP and HTTPS; empty for TCP.
	Path                            string `json:",omitempty"`
	IntervalSeconds, TimeoutSeconds int
	Unhealthy, Healthy              int
}

// Target is the check in the words of a classic balancer: TCP:10002, HTTP:10004/.
func (c Check) Target() string { return c.Protocol + ":" + strconv.Itoa(c.Port) + c.Path }

// Opening lets a network in.
type Opening struct {
	Key, Network string
	Port         int
}

// Drive is the file system.
type Drive struct {
	Name, PerformanceMode, ThroughputMode string
	Encrypted                             bool
	// Mount is where the machines mount it, FileSystem its identifier once it has been made.
	Mount, FileSystem string
}

// The defaults where nobody wrote a value: as quick as AWS allows, both ways. AWS's own, ten looks of 30 seconds, would
// keep a machine out for five minutes after it has become hot.
const (
	interval  = 5 * time.Second
	timeout   = 3 * time.Second
	threshold = 2
	idle      = time.Hour
)

// at is where AWS's own settings stand.
const at = "hotcold.cloud.aws."

// New makes the set-up, and says all that AWS would refuse.
func New(p *cloud.Plan, file string, kind config.CloudBalancer) (*Setup, error) {
	f := cloud.NewFaults(p, file, "AWS")
	a := p.Cloud.AWS
	name := p.Name.Value
	s := &Setup{
		Name: name, Region: f.Form(cloud.Setting(p, at+"region", a.Region), regionForm()), Kind: kind,
		BalancerGroup: name + "-lb", NodeGroup: name + "-nodes", DriveGroup: name + "-drive",
		Subnets: identifiers(p, f, "subnets", a.Subnets, subnetForm()), Instances: identifiers(p, f, "instances", a.Instances, instanceForm()),
		Drive: drive(p, f, name), Agents: p.Agents, Directory: p.Directory.Value,
	}
	if a.VPC == "" {
		f.Add(at+"vpc", "want the identifier of the machines' VPC, vpc-...")
	} else {
		s.VPC = f.Form(cloud.Setting(p, at+"vpc", a.VPC), vpcForm())
	}
	if len(a.Subnets) == 0 {
		f.Add(at+"subnets", "want the identifiers of the machines' subnets, one for each availability zone")
	}
	if kind == config.CloudNLB {
		s.NetworkBalancer = f.Form(cloud.Of[string]{Value: name + "-nlb", Path: p.Name.Path}, balancerForm())
	}
	for _, m := range p.Machines {
		s.Machines = append(s.Machines, Machine{m.Name, m.Address.String()})
	}
	for _, service := range p.Services {
		s.add(p, f, service)
	}
	return s, f.Err()
}

// identifiers holds each item of a list against its form.
func identifiers(p *cloud.Plan, f *cloud.Faults, key string, values []string, form cloud.Form) []string {
	for i, v := range values {
		f.Form(cloud.Of[string]{Value: v, Path: at + key}, form)
		if slices.Contains(values[:i], v) {
			f.Add(at+key, "%s stands there twice", v)
		}
	}
	return values
}

func drive(p *cloud.Plan, f *cloud.Faults, name string) Drive {
	a := p.Cloud.AWS
	if a.FileSystem != "" {
		f.Form(cloud.Setting(p, at+"fileSystem", a.FileSystem), fileSystemForm())
	}
	if a.PerformanceMode == "maxIO" && a.ThroughputMode == "elastic" {
		f.Add(at+"performanceMode", "AWS has no Max I/O with elastic throughput; want generalPurpose, or throughputMode = bursting")
	}
	return Drive{
		Name: name + "-drive", PerformanceMode: a.PerformanceMode, ThroughputMode: a.ThroughputMode, Encrypted: a.Encrypted,
		Mount: p.Mount.Value, FileSystem: a.FileSystem,
	}
}

// add puts one service down: balancer or target group, and who may come in.
func (s *Setup) add(p *cloud.Plan, f *cloud.Faults, service cloud.Service) {
	classic := s.Kind == config.CloudClassic
	front := Front{
		Name: s.Name + "-lb-" + service.Key, Key: service.Key, Protocol: "TCP",
		Port: f.Number(service.Port, ports()), InstancePort: f.Number(service.BackendPort, ports()),
		Check: s.check(p, f, service.Probe), IdleSeconds: s.idle(p, f, service),
	}
	switch {
	case !classic:
		front.Name = s.Name + "-tg-" + service.Key
		front.SourceIP = service.Persistence.Value != config.PersistenceNone && service.Persistence.Value != ""
	case service.HTTP:
		front.Protocol = "HTTP"
	}
	if v := service.Persistence; classic && v.Written() && v.Value != config.PersistenceNone {
		f.Add(v.Path, "a classic balancer keeps no client of TCP with one machine, and with one hot machine it would change nothing; want None, got %s", v.Value)
	}
	f.Form(cloud.Of[string]{Value: front.Name, Path: service.Rule.Path}, balancerForm())
	s.Fronts = append(s.Fronts, front)
	for _, prefix := range service.From {
		s.Clients = append(s.Clients, Opening{service.Key, prefix.String(), front.Port})
	}
	for _, port := range []int{front.InstancePort, front.Check.Port} {
		if !slices.Contains(s.Inside, port) {
			s.Inside = append(s.Inside, port)
		}
	}
}

func (s *Setup) idle(p *cloud.Plan, f *cloud.Faults, service cloud.Service) int {
	v := cloud.Or(p, config.ProfileAWSClassic, service.Idle, idle)
	if s.Kind == config.CloudNLB {
		return f.Span(v, listenerTimeouts())
	}
	return f.Span(v, idleTimeouts())
}

func (s *Setup) check(p *cloud.Plan, f *cloud.Faults, v cloud.Probe) Check {
	const profile = config.ProfileAWSClassic
	limits := timeouts()
	if s.Kind == config.CloudNLB {
		limits = groupTimeouts()
	}
	every, limit := cloud.Or(p, profile, v.Interval, interval), cloud.Or(p, profile, v.Timeout, timeout)
	c := Check{
		Protocol: string(v.Protocol.Value), Port: f.Number(v.Port, ports()),
		IntervalSeconds: f.Span(every, intervals()), TimeoutSeconds: f.Span(limit, limits),
		Unhealthy: f.Number(cloud.Or(p, profile, v.Unhealthy, threshold), thresholds()),
		Healthy:   f.Number(cloud.Or(p, profile, v.Healthy, threshold), thresholds()),
	}
	if limit.Value >= every.Value {
		f.Add(limit.Path, "AWS wants a timeout below the interval of %v, got %v", every.Value, limit.Value)
	}
	switch v.Protocol.Value {
	case config.ProbeTCP:
	case config.ProbeHTTP, config.ProbeHTTPS:
		c.Path = f.Form(v.Path, pathForm())
	default:
		f.Add(v.Protocol.Path, "AWS shows no certificate and no key, so it cannot ask an agent like this; want TCP, HTTP or HTTPS, or hotcold.listen.probe for all of them")
	}
	return c
}

// Warnings are what a person should know although AWS takes it.
func (s *Setup) Warnings() []string {
	var all []string
	if len(s.Subnets) == 1 {
		all = append(all, "there is one subnet, so balancers and drive are in one availability zone: if that is lost, no machine can take over")
	}
	if !s.Drive.Encrypted {
		all = append(all, "the file system is not encrypted at rest, and cannot be later")
	}
	if s.Drive.PerformanceMode == "maxIO" {
		all = append(all, "Max I/O is slower for each single operation, and so for a broker's journal; it cannot be changed later")
	}
	if s.Drive.FileSystem == "" {
		all = append(all, "hotcold.cloud.aws.fileSystem is not set yet: the cloud-init of the machines does not mount the drive before it is")
	}
	for _, f := range s.Fronts {
		if f.Check.Protocol == "TCP" {
			all = append(all, fmt.Sprintf("the health check of %s sees an open port, and not who holds the lease; it is the agent that ends the connections to a machine that is hot no longer. With hotcold.listen.probe it asks the agents instead", f.Name))
			break
		}
	}
	return all
}

// Detection is how long it takes at most until every balancer has found that a machine is hot no longer, or is hot.
func (s *Setup) Detection() (down, up time.Duration) {
	for _, f := range s.Fronts {
		c := f.Check
		down = max(down, time.Duration(c.Unhealthy*c.IntervalSeconds+c.TimeoutSeconds)*time.Second)
		up = max(up, time.Duration(c.Healthy*c.IntervalSeconds)*time.Second)
	}
	return down, up
}
