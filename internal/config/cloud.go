package config

import (
	"strings"
)

func (d *decoder) cloud() Cloud {
	const at = "hotcold.cloud."
	return Cloud{
		Name: d.text(at + "name"), Directory: d.text(at + "directory"), Mount: d.text(at + "mount"),
		P2PFrom: d.nets(at + "p2pFrom"), RPCFrom: d.nets(at + "rpcFrom"), WebFrom: d.nets(at + "webFrom"),
		Probe:  CloudProbe(d.choice(at + "probe")),
		Binary: CloudBinary{URL: d.httpURL(at + "binary.url"), SHA256: d.text(at + "binary.sha256")},
		Azure: CloudAzure{
			ResourceGroup: d.text(at + "azure.resourceGroup"), Location: d.text(at + "azure.location"),
			Network: d.text(at + "azure.network"), Subnet: d.text(at + "azure.subnet"),
			Storage: CloudStorage{
				Account: d.text(at + "azure.storage.account"), Share: d.text(at + "azure.storage.share"),
				Kind: d.text(at + "azure.storage.kind"), Redundancy: d.choice(at + "azure.storage.redundancy"),
				SecureTransfer: d.bool(at + "azure.storage.secureTransfer"), QuotaBytes: d.size(at + "azure.storage.quota"),
			},
		},
		AWS: CloudAWS{
			Region: d.text(at + "aws.region"), VPC: d.text(at + "aws.vpc"), Subnets: d.texts(at + "aws.subnets"),
			Instances: d.texts(at + "aws.instances"), Balancer: CloudBalancer(d.choice(at + "aws.balancer")),
			PerformanceMode: d.choice(at + "aws.performanceMode"), ThroughputMode: d.choice(at + "aws.throughputMode"),
			Encrypted: d.bool(at + "aws.encrypted"), FileSystem: d.text(at + "aws.fileSystem"),
		},
	}
}

// texts reads a list of texts.
func (d *decoder) texts(path string) []string {
	_, v := d.setting(path)
	if !written(v) {
		return nil
	}
	items, err := v.List()
	if err != nil {
		d.fail(err)
		return nil
	}
	var texts []string
	for _, item := range items {
		text, err := item.Text()
		if err == nil && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			err = item.Errorf("holds a control character, want plain text")
		}
		if err != nil {
			d.fail(err)
			continue
		}
		texts = append(texts, text)
	}
	d.show(path, strings.Join(texts, ", "))
	return texts
}
