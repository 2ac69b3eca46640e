package aws_test

import (
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/config"
)

// One value inside and one outside of every range and form: the fault says where it stands, what AWS takes, and what
// was read.
func TestEveryRangeHasAnInsideAndAnOutside(t *testing.T) {
	const b, c = "hotcold.balancer.", "hotcold.cloud."
	long := strings.Repeat("a", 33)
	for _, r := range []struct {
		name                  string
		kind                  config.CloudBalancer
		inside, outside, want string
	}{
		{"interval, least", "classic", b + "probes.p2p.interval = 5 s", b + "probes.p2p.interval = 4 s", "interval: AWS takes 5 s to 300 s, got 4s"},
		{"interval, most", "classic", b + "probes.p2p.interval = 300 s", b + "probes.p2p.interval = 301 s", "interval: AWS takes 5 s to 300 s, got 5m1s"},
		{"interval, whole", "classic", b + "probes.p2p.interval = 6 s", b + "probes.p2p.interval = 6500 ms", "interval: AWS takes whole units of 1s, got 6.5s"},
		{"timeout, least", "classic", b + "probes.p2p.timeout = 2 s", b + "probes.p2p.timeout = 1 s", "timeout: AWS takes 2 s to 60 s, got 1s"},
		{"timeout, most", "classic", b + "probes.p2p { interval = 120 s, timeout = 60 s }", b + "probes.p2p { interval = 120 s, timeout = 61 s }", "timeout: AWS takes 2 s to 60 s, got 1m1s"},
		{"timeout of a target group, most", "nlb", b + "probes.p2p { interval = 200 s, timeout = 120 s }", b + "probes.p2p { interval = 200 s, timeout = 121 s }", "timeout: AWS takes 2 s to 120 s, got 2m1s"},
		{"timeout below the interval", "classic", b + "probes.p2p { interval = 10 s, timeout = 9 s }", b + "probes.p2p { interval = 10 s, timeout = 10 s }", "timeout: AWS wants a timeout below the interval of 10s, got 10s"},
		{"unhealthy, least", "classic", b + "probes.p2p.unhealthy = 2", b + "probes.p2p.unhealthy = 1", "unhealthy: AWS takes 2 to 10, got 1"},
		{"unhealthy, most", "classic", b + "probes.p2p.unhealthy = 10", b + "probes.p2p.unhealthy = 11", "unhealthy: AWS takes 2 to 10, got 11"},
		{"healthy, least", "classic", b + "probes.p2p.healthy = 2", b + "probes.p2p.healthy = 1", "healthy: AWS takes 2 to 10, got 1"},
		{"healthy, most", "nlb", b + "probes.p2p.healthy = 10", b + "probes.p2p.healthy = 11", "healthy: AWS takes 2 to 10, got 11"},
		{"path", "classic", b + `probes.web.path = "/health?deep=1"`, b + `probes.web.path = "/$(id)"`, "path: AWS takes a path of at most 1000 characters"},
		{"port", "classic", b + "rules.ha-lbr-p2p.port = 65535", "", ""},
		{"idle timeout, least", "classic", b + "rules.ha-lbr-p2p.idleTimeout = 1 s", b + "rules.ha-lbr-p2p.idleTimeout = 0 s", "idleTimeout: AWS takes 1 s to 3600 s, got 0s"},
		{"idle timeout, most", "classic", b + "rules.ha-lbr-p2p.idleTimeout = 1 hour", b + "rules.ha-lbr-p2p.idleTimeout = 3601 s", "idleTimeout: AWS takes 1 s to 3600 s, got 1h0m1s"},
		{"idle timeout of a listener, least", "nlb", b + "rules.ha-lbr-p2p.idleTimeout = 60 s", b + "rules.ha-lbr-p2p.idleTimeout = 59 s", "idleTimeout: AWS takes 60 s to 6000 s, got 59s"},
		{"idle timeout of a listener, most", "nlb", b + "rules.ha-lbr-p2p.idleTimeout = 6000 s", b + "rules.ha-lbr-p2p.idleTimeout = 6001 s", "idleTimeout: AWS takes 60 s to 6000 s, got 1h40m1s"},
		{"name", "classic", c + "name = " + long[:25], c + "name = " + long[:26], "AWS takes 1 to 32 letters, digits and hyphens"},
		{"name, its beginning", "nlb", c + "name = a-b", c + "name = -a", "AWS takes 1 to 32 letters, digits and hyphens, a letter or digit at both ends"},
		{"region", "classic", c + "aws.region = us-gov-west-1", c + "aws.region = Ireland", `region: AWS takes a region such as eu-west-1, got "Ireland"`},
		{"vpc", "classic", c + "aws.vpc = vpc-01234567", c + "aws.vpc = vpc-0123456", "vpc: AWS takes the identifier of a VPC, vpc- and 8 or 17 hexadecimal digits"},
		{"vpc, none", "classic", "", c + `aws.vpc = ""`, "vpc: want the identifier of the machines' VPC"},
		{"subnet", "classic", c + "aws.subnets = [subnet-01234567]", c + "aws.subnets = [subnet-xyz]", "subnets: AWS takes the identifier of a subnet"},
		{"subnet, twice", "classic", c + "aws.subnets = [subnet-01234567, subnet-01234568]", c + "aws.subnets = [subnet-01234567, subnet-01234567]", "subnets: subnet-01234567 stands there twice"},
		{"subnet, none", "classic", "", c + "aws.subnets = []", "subnets: want the identifiers of the machines' subnets"},
		{"instance", "classic", c + "aws.instances = [i-0123456789abcdef0]", c + "aws.instances = [machine-a]", "instances: AWS takes the identifier of an instance"},
		{"file system", "classic", c + "aws.fileSystem = fs-0123456789abcdef0", c + "aws.fileSystem = fs-1", "fileSystem: AWS takes the identifier of a file system"},
		{"Max I/O", "classic", c + "aws { performanceMode = maxIO, throughputMode = bursting }", c + "aws { performanceMode = maxIO, throughputMode = elastic }", "performanceMode: AWS has no Max I/O with elastic throughput"},
		{"persistence", "nlb", b + "rules.ha-lbr-p2p.persistence = ClientIP", "", ""},
		{"persistence of a classic balancer", "classic", b + "rules.ha-lbr-p2p.persistence = None", b + "rules.ha-lbr-p2p.persistence = ClientIP", "persistence: a classic balancer keeps no client of TCP with one machine"},
		{"agent", "classic", "", b + "probes.p2p { protocol = agent, port = null }\nhotcold.machines { machine-a.agent = \"10.0.1.4:4653\", machine-b.agent = \"10.0.2.4:4653\" }\n" + b + "agents { ca = ca.pem, token = sixteen-characters }", "protocol: AWS shows no certificate and no key, so it cannot ask an agent like this; want TCP, HTTP or HTTPS, or hotcold.listen.probe"},
	} {
		t.Run(r.name, func(t *testing.T) {
			if r.inside != "" {
				if _, err := changed(t, r.kind, r.inside); err != nil {
					t.Errorf("inside, %s: %v", r.inside, err)
				}
			}
			if r.outside == "" {
				return
			}
			_, err := changed(t, r.kind, r.outside)
			if err == nil || !strings.Contains(err.Error(), r.want) || !strings.Contains(err.Error(), "hotcold.conf:") {
				t.Errorf("outside, %s: got %v, want a fault with %q", r.outside, err, r.want)
			}
		})
	}
}
