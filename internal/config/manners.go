package config

import (
	"fmt"
	"slices"
	"time"
)

// manners are the defaults and the ranges of a profile. Those of the clouds are from their documentation: Azure's
// Standard load balancer (probe and rule of the API), AWS's Classic Load Balancer (health check, idle timeout,
// connection draining).
type manners struct {
	profile Profile
	whose   string
	// A span with a high of 0 has no range of its own.
	interval, timeout, idle span
	// low and high bound both thresholds; 0 means no range of its own.
	low, high          int
	unhealthy, healthy int
	nobody             NobodyHot
	old                OldConnections
}

// span is the range of a duration, and what it is where nobody says.
type span struct{ low, high, usual time.Duration }

func mannersOf(p Profile) manners {
	const day = 24 * time.Hour
	switch p {
	case ProfileAzure:
		return manners{
			profile: p, whose: "Azure's", interval: span{5 * time.Second, day, 15 * time.Second},
			idle:      span{4 * time.Minute, 100 * time.Minute, 4 * time.Minute},
			unhealthy: 2, nobody: NobodyRefuse, old: OldKeep,
		}
	case ProfileAWSClassic:
		return manners{
			profile: p, whose: "the Classic Load Balancer's", interval: span{5 * time.Second, 300 * time.Second, 30 * time.Second},
			timeout: span{2 * time.Second, 60 * time.Second, 5 * time.Second}, idle: span{time.Second, 4000 * time.Second, time.Minute},
			low: 2, high: 10, unhealthy: 2, healthy: 10, nobody: NobodyRefuse, old: OldCut,
		}
	}
	return manners{profile: ProfilePair, interval: span{usual: time.Second}, unhealthy: 3, healthy: 2, nobody: NobodyPark, old: OldCut}
}

// cloud says whether the profile is that of a cloud.
func (m manners) cloud() bool { return m.profile != ProfilePair }

// fast is the interval while in doubt. The clouds have none.
func (m manners) fast(interval time.Duration) time.Duration {
	if m.cloud() {
		return interval
	}
	return min(interval, max(interval/10, 50*time.Millisecond))
}

// timeoutFor is the limit of one look.
func (m manners) timeoutFor(interval time.Duration) time.Duration {
	switch m.profile {
	case ProfileAzure:
		return min(interval, 30*time.Second)
	case ProfileAWSClassic:
		return m.timeout.usual
	}
	return min(interval, time.Second)
}

// healthyFor is how many good looks are wanted. Azure has one number for both ways.
func (m manners) healthyFor(unhealthy int) int {
	switch m.profile {
	case ProfileAzure:
		return unhealthy
	case ProfileAWSClassic:
		return m.healthy
	}
	return m.healthy
}

// refuse gathers the fault that a setting is not as the profile has it. Only what is written is held against it.
func (d *decoder) refuse(m manners, path, format string, args ...any) {
	if d.isWritten(path) {
		d.fail(d.cfg.At(path).Errorf("%s (%s.profile = %s)", fmt.Sprintf(format, args...), balancerAt, m.profile))
	}
}

// within holds a span against the range of the profile. One that could not be read is 0 and has its fault.
func (d *decoder) within(m manners, path string, got time.Duration, s span) {
	if s.high != 0 && (got < s.low || got > s.high) && d.isWritten(path) && d.isRead(path) {
		d.refuse(m, path, "want a duration from %v to %v, which is %s range; got %v", s.low, s.high, m.whose, got)
	}
}

// isRead says whether a setting could be read.
func (d *decoder) isRead(path string) bool { return d.shown[path] != "" }

// barredByAzure are the ports at which Azure does not send HTTP.
func barredByAzure() []int { return []int{19, 21, 25, 70, 110, 119, 143, 220, 993} }

// checkProbeManners holds a probe against what the cloud has.
func (d *decoder) checkProbeManners(at string, m manners, p BalancerProbe) {
	if !m.cloud() {
		return
	}
	if p.Protocol == ProbeAgent {
		d.refuse(m, at+"protocol", "want TCP, HTTP or HTTPS: a cloud's balancer asks no agent")
	}
	d.within(m, at+"interval", p.Interval, m.interval)
	if p.Fast != p.Interval && d.isRead(at+"fast") {
		d.refuse(m, at+"fast", "want none: a cloud's balancer has one interval")
	}
	for _, n := range []struct {
		key string
		got int
	}{{"unhealthy", p.Unhealthy}, {"healthy", p.Healthy}} {
		if m.high != 0 && (n.got < m.low || n.got > m.high) && d.isRead(at+n.key) {
			d.refuse(m, at+n.key, "want a whole number from %d to %d, which is %s range; got %d", m.low, m.high, m.whose, n.got)
		}
	}
	if m.profile == ProfileAzure {
		d.checkAzureProbe(at, m, p)
		return
	}
	d.within(m, at+"timeout", p.Timeout, m.timeout)
	if p.Timeout >= p.Interval && d.isRead(at+"timeout") && d.isRead(at+"interval") {
		d.refuse(m, at+"timeout", "want less than the interval, which is %v; got %v", p.Interval, p.Timeout)
	}
}

func (d *decoder) checkAzureProbe(at string, m manners, p BalancerProbe) {
	if want := m.timeoutFor(p.Interval); p.Timeout != want && d.isRead(at+"timeout") {
		d.refuse(m, at+"timeout", "want none: Azure waits for the interval, at most 30s, which is %v here", want)
	}
	if p.Healthy != p.Unhealthy && d.isRead(at+"healthy") {
		d.refuse(m, at+"healthy", "want as many as unhealthy, which is %d: Azure has one number for both ways", p.Unhealthy)
	}
	if p.Protocol == ProbeHTTP && slices.Contains(barredByAzure(), p.Port) {
		d.refuse(m, at+"port", "want another port: Azure sends no HTTP to %v", barredByAzure())
	}
}

// checkRuleManners holds a rule against what the cloud has.
func (d *decoder) checkRuleManners(at string, m manners, r BalancerRule) {
	if r.Protocol == RuleHTTP && m.profile != ProfileAWSClassic {
		d.refuse(m, at+"protocol", "want TCP: only the listeners of profile aws-classic have a protocol HTTP")
	}
	if v := d.cfg.At(at + "persistence"); written(v) && r.Persistence != PersistenceNone && r.Persistence != "" {
		d.warn(v, "changes nothing here: one machine is hot, and all clients go there; it is passed on to Azure")
	}
	d.within(m, at+"idleTimeout", r.IdleTimeout, m.idle)
	switch m.profile {
	case ProfileAzure:
		if r.ProxyIn {
			d.refuse(m, at+"proxyIn", "want false: Azure reads no PROXY headers")
		}
		if r.ProxyOut != 0 {
			d.refuse(m, at+"proxyOut", "want 0: Azure sends no PROXY headers")
		}
	case ProfileAWSClassic:
		if r.Frontend.Is6() {
			d.refuse(m, at+"frontend", "want an address of IPv4: a Classic Load Balancer in a VPC has no other")
		}
		if r.ProxyIn {
			d.refuse(m, at+"proxyIn", "want false: a Classic Load Balancer reads no PROXY headers")
		}
		if r.ProxyOut == 2 {
			d.refuse(m, at+"proxyOut", "want 0 or 1: a Classic Load Balancer sends PROXY headers of version 1 only")
		}
	}
}

// checkManners holds the rest against what the cloud has.
func (d *decoder) checkManners(m manners, b Balancer) {
	if b.Nobody == NobodyPark && m.cloud() {
		d.refuse(m, balancerAt+".nobody", "want refuse: the cloud's balancer keeps nobody waiting while no machine is healthy")
	}
	if m.profile == ProfileAzure && b.Old != OldKeep && b.Old != "" {
		d.refuse(m, balancerAt+".old", "want keep: Azure leaves old connections alone")
	}
	if m.profile == ProfileAWSClassic && b.Old == OldDrain {
		d.refuse(m, balancerAt+".old", "want cut (connection draining off) or keep (on): it has no limit for a machine that is unhealthy")
	}
}
