package azure_test

import (
	"strings"
	"testing"
)

// One value inside and one outside of every range and form: the fault says where it stands, what Azure takes, and what
// was read.
func TestEveryRangeHasAnInsideAndAnOutside(t *testing.T) {
	const b, c = "hotcold.balancer.", "hotcold.cloud."
	const asked = c + `probe = agent
hotcold.listen.probe = ":`
	long := strings.Repeat("a", 31)
	for _, r := range []struct{ name, inside, outside, want string }{
		{"interval, least", b + "probes.p2p.interval = 5 s", b + "probes.p2p.interval = 4 s", "interval: Azure takes 5 s to 2147483646 s, got 4s"},
		{"interval, whole", b + "probes.p2p.interval = 6 s", b + "probes.p2p.interval = 5500 ms", "interval: Azure takes whole units of 1s, got 5.5s"},
		{"threshold, least", b + "probes.p2p.unhealthy = 1", "", ""},
		{"threshold, most", b + "probes.p2p.unhealthy = 100", "", ""},
		{"both ways", b + "probes.p2p { unhealthy = 3, healthy = 3 }", b + "probes.p2p { unhealthy = 3, healthy = 2 }", "healthy: Azure has one threshold for both ways, 3 looks to be unhealthy; got 2 to be healthy"},
		{"timeout", b + "probes.p2p { interval = 7 s, timeout = 7 s }", b + "probes.p2p { interval = 7 s, timeout = 3 s }", "timeout: Azure waits until the next look, at most 30s, so 7s here; got 3s"},
		{"timeout, most", b + "probes.p2p { interval = 60 s, timeout = 30 s }", b + "probes.p2p { interval = 60 s, timeout = 60 s }", "timeout: Azure waits until the next look, at most 30s, so 30s here; got 1m0s"},
		{"port of a probe by HTTP", b + "probes.web.port = 143\n" + b + "probes.web.protocol = TCP\n" + b + "probes.web.path = null", b + "probes.web.port = 143", "port: Azure looks at no port of [19 21 25 70 110 119 143 220 993] by HTTP, got 143"},
		{"path", b + `probes.web.path = "/health?deep=1"`, b + `probes.web.path = "/it's"`, `path: Azure takes a path of at most 1000 characters that begins with a slash, without blanks and quotes, got "/it's"`},
		{"frontend port", b + "rules.ha-lbr-p2p.port = 65534", b + "rules.ha-lbr-p2p.port = 65535", "port: Azure takes 1 to 65534, got 65535"},
		{"backend port", b + "rules.ha-lbr-p2p.backendPort = 65535", "", ""},
		{"idle timeout, least", b + "rules.ha-lbr-p2p.idleTimeout = 4 minutes", b + "rules.ha-lbr-p2p.idleTimeout = 3 minutes", "idleTimeout: Azure takes 4 min to 100 min, got 3m0s"},
		{"idle timeout, most", b + "rules.ha-lbr-p2p.idleTimeout = 100 minutes", b + "rules.ha-lbr-p2p.idleTimeout = 101 minutes", "idleTimeout: Azure takes 4 min to 100 min, got 1h41m0s"},
		{"idle timeout, never", "", b + "rules.ha-lbr-p2p.idleTimeout = 0 s", "idleTimeout: Azure takes 4 min to 100 min, got 0s"},
		{"name", c + "name = " + long[:30], c + "name = " + long, "name: Azure takes 1 to 30 letters, digits and hyphens"},
		{"pool", b + "pool = pool_1", b + `pool = "pool."`, "pool: Azure takes 1 to 80 letters"},
		{"resource group", c + "azure.resourceGroup = rg(1)", c + `azure.resourceGroup = "rg."`, "resourceGroup: Azure takes 1 to 90 letters"},
		{"location", c + "azure.location = uksouth", c + `azure.location = "West Europe"`, `location: Azure takes a region such as westeurope, in lower-case letters and digits, got "West Europe"`},
		{"network", c + "azure.network = net.1", c + `azure.network = "net 1"`, "network: Azure takes 1 to 80 letters"},
		{"subnet", c + "azure.subnet = net.1", c + `azure.subnet = "-net"`, "subnet: Azure takes 1 to 80 letters"},
		{"account, least", c + "azure.storage.account = abc", c + "azure.storage.account = ab", "account: Azure takes 3 to 24 lower-case letters and digits, got \"ab\""},
		{"account, most", c + "azure.storage.account = " + long[:24], c + "azure.storage.account = " + long[:25], "account: Azure takes 3 to 24 lower-case letters and digits"},
		{"account, none", "", c + `azure.storage.account = ""`, "account: want a name for the storage account"},
		{"share", c + "azure.storage.share = my-share", c + "azure.storage.share = my--share", "share: Azure takes 3 to 63 lower-case letters, digits and single hyphens"},
		{"kind", c + "azure.storage.kind = FileStorage", c + "azure.storage.kind = BlobStorage", `kind: want StorageV2 or FileStorage, got "BlobStorage"`},
		{"redundancy of SSD", c + "azure.storage { kind = FileStorage, redundancy = LRS }", c + "azure.storage { kind = FileStorage, redundancy = GRS }", "redundancy: a premium account has LRS or ZRS, got GRS"},
		{"quota of SSD", c + "azure.storage { kind = FileStorage, quota = 100 GiB }", c + "azure.storage { kind = FileStorage, quota = 99 GiB }", "quota: Azure takes 100 to 102400, got 99"},
		{"quota, whole", c + "azure.storage.quota = 5 TiB", c + "azure.storage.quota = 1500 MiB", "quota: Azure takes whole GiB, got 1572864000 bytes"},
		{"agent", "", b + "probes.p2p { protocol = agent, port = null }\nhotcold.machines { machine-a.agent = \"10.0.1.4:4653\", machine-b.agent = \"10.0.2.4:4653\" }\n" + b + "agents { ca = ca.pem, token = sixteen-characters }", "protocol: Azure shows no certificate and no key, so it cannot ask an agent like this; want TCP, HTTP or HTTPS, or hotcold.listen.probe"},
		{"agents", asked + "4655\"", asked + "143\"", "hotcold.listen.probe: Azure looks at no port of [19 21 25 70 110 119 143 220 993] by HTTP, got 143"},
		{"agents on loopback", "", asked + "4655\"\nhotcold.listen.probe = \"127.0.0.1:4655\"", "hotcold.listen.probe: want an address that the cloud's balancer reaches, as in 0.0.0.0:4655, got \"127.0.0.1:4655\""},
		{"agents nowhere", "", asked + "4655\"\nhotcold.listen.probe = off", "hotcold.cloud.probe: the agents answer no cloud's probe: want hotcold.listen.probe, as in 0.0.0.0:4655, or node here"},
		{"agents at the node's port", "", asked + "10003\"", "hotcold.listen.probe: the node has the port 10003 itself, for the rule ha-lbr-rpc"},
		{"PROXY", "", b + "rules.ha-lbr-p2p.proxyOut = 2", "a PROXY header is between hotcold's own balancer and the node"},
		{"deny", b + `rules.ha-lbr-p2p.allow = ["10.0.0.0/8"]`, b + `rules.ha-lbr-p2p.deny = ["10.0.0.0/8"]`, "deny: a cloud's firewall is written as who may come in"},
		{"binary", c + `binary { url = "https://example.com/hotcold", sha256 = ` + strings.Repeat("0a", 32) + ` }`, c + `binary.url = "https://example.com/hotcold"`, "binary: url and sha256 go together"},
		{"digest", "", c + `binary { url = "https://example.com/hotcold", sha256 = 0a }`, "sha256: a cloud takes 64 hexadecimal digits"},
		{"mount", c + "mount = /mnt/a.b-c_d", c + `mount = "/mnt/a b"`, "mount: a cloud takes an absolute path"},
		{"directory", c + "directory = /srv/node", c + `directory = "node"`, "directory: a cloud takes an absolute path"},
		{"third machine", "", "hotcold.machines.machine-c.address = \"10.0.1.5\"", "machines: want the two machines of the pair, got 3"},
	} {
		t.Run(r.name, func(t *testing.T) {
			if r.inside != "" {
				if _, err := changed(t, r.inside); err != nil {
					t.Errorf("inside, %s: %v", r.inside, err)
				}
			}
			if r.outside == "" {
				return
			}
			_, err := changed(t, r.outside)
			if err == nil || !strings.Contains(err.Error(), r.want) || !strings.Contains(err.Error(), "hotcold.conf:") {
				t.Errorf("outside, %s: got %v, want a fault with %q", r.outside, err, r.want)
			}
		})
	}
}
