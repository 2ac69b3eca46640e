package config

import "testing"

// cloudSamples are values that are not the default, for TestEverySettingHasAnEffect.
func cloudSamples() map[string]string {
	const at = "hotcold.cloud."
	return map[string]string{
		at + "name": "prod", at + "directory": "/opt/corda", at + "mount": "/mnt/corda",
		at + "p2pFrom": `["10.0.0.0/8"]`, at + "rpcFrom": `["10.0.0.0/8"]`, at + "webFrom": `["2001:db8::/32"]`,
		at + "binary.url": `"https://example.com/hotcold"`, at + "binary.sha256": "aa",
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
