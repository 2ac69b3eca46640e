package config

import (
	"strings"
	"testing"
)

// cloudSamples are values that are not the default, for TestEverySettingHasAnEffect.
func cloudSamples() map[string]string {
	const at = "hotcold.cloud."
	return map[string]string{
		at + "name": "prod", at + "directory": "/opt/corda", at + "mount": "/mnt/corda",
		at + "p2pFrom": `["10.0.0.0/8"]`, at + "rpcFrom": `["10.0.0.0/8"]`, at + "webFrom": `["2001:db8::/32"]`,
		at + "probe": "agent", at + "binary.url": `"https://example.com/hotcold"`, at + "binary.sha256": "aa",
		at + "azure.resourceGroup": "prod", at + "azure.location": "uksouth", at + "azure.network": "net", at + "azure.subnet": "nodes",
		at + "azure.storage.account": "halddrive", at + "azure.storage.share": "journal", at + "azure.storage.kind": "FileStorage",
		at + "azure.storage.redundancy": "LRS", at + "azure.storage.secureTransfer": "false", at + "azure.storage.quota": "200 GiB",
		at + "aws.region": "eu-north-1", at + "aws.vpc": "vpc-1", at + "aws.subnets": "[subnet-1]", at + "aws.instances": "[i-1]",
		at + "aws.balancer": "nlb", at + "aws.performanceMode": "maxIO", at + "aws.throughputMode": "bursting",
		at + "aws.encrypted": "false", at + "aws.fileSystem": "fs-1",
	}
}

func TestTheCloudMountsTheDriveWhereTheNodeHasIt(t *testing.T) {
	r := newRoom(t)
	if c := r.mustLoad(least); c.Cloud.Mount != "/mnt/hotcold" {
		t.Errorf("without a drive it is mounted at %q", c.Cloud.Mount)
	}
	if c := r.mustLoad(least + "hotcold.drive.path = /srv/ledger"); c.Cloud.Mount != "/srv/ledger" {
		t.Errorf("with a drive at /srv/ledger it is mounted at %q", c.Cloud.Mount)
	}
}

func TestACloudAsksTheAgentWhereItCan(t *testing.T) {
	r := newRoom(t)
	for text, want := range map[string]CloudProbe{
		"": CloudProbeNode, `hotcold.listen.probe = off`: CloudProbeNode,
		`hotcold.listen.probe = ":4655"`:                             CloudProbeAgent,
		`hotcold.listen.probe = ":4655", hotcold.cloud.probe = node`: CloudProbeNode,
		`hotcold.listen.probe = "10.0.0.4:4655"`:                     CloudProbeAgent,
		`hotcold.listen.probe = ${?NODE_MACHINE_ADDRESS}":4655"`:     CloudProbeAgent,
		`hotcold.cloud.probe = agent`:                                CloudProbeAgent,
	} {
		if c := r.mustLoad(least + text); c.Cloud.Probe != want {
			t.Errorf("%s: the probes ask the %s, want the %s", text, c.Cloud.Probe, want)
		}
	}
}

// A laptop has the configuration, and none of the files that it names.
func TestASetUpIsReadWithoutAnyFileThatItNames(t *testing.T) {
	r := newRoom(t)
	r.file("hotcold.conf", least+strings.ReplaceAll(`hotcold {
		database.passwordFile = NO/db.key, listen { address = ":4653", keyFile = NO/listen.key, tls { certificate = NO/c.pem, key = NO/k.pem } }
		listen.probe = ":4655", mutualExclusion.watchdog = NO/watchdog, drive.path = NO/drive
		machines { a { address = 10.0.0.4, agent = "10.0.0.4:4653" }, b { address = 10.0.0.5, agent = "10.0.0.5:4653" } }
		balancer {
			agents { ca = NO/ca.pem, certificate = NO/c.pem, key = NO/k.pem, tokenFile = NO/token }
			listen { address = ":4654", keyFile = NO/balance.key, tls { certificate = NO/c.pem, key = NO/k.pem } }
			rules.ledger.port = 10002
		}
	}`, "NO/", "/not/on/this/machine/"))
	c, err := LoadSetup("hotcold.conf", r.world())
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen.Probe != ":4655" || c.Balancer.Listen.Address != ":4654" || !c.Balancer.Agents.Token.Empty() || c.Drive.Path != "/not/on/this/machine/drive" {
		t.Errorf("read %+v, %+v, %q", c.Listen, c.Balancer, c.Drive.Path)
	}
	if _, err := LoadBalancer("hotcold.conf", r.world()); err == nil || !strings.Contains(err.Error(), "/not/on/this/machine/token") {
		t.Errorf("a balancer without its token: %v", err)
	}
}
