package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/aws"
	"github.com/hotcold/hotcold/internal/cloud/azure"
	"github.com/hotcold/hotcold/internal/cloud/cloudinit"
	"github.com/hotcold/hotcold/internal/cloud/systemd"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/drive"
)

func azureFormats() []string { return []string{"terraform", "arm", "az"} }

func awsFormats() []string { return []string{"terraform", "cloudformation", "aws"} }

func (a *app) renderAzureCommand() *cobra.Command {
	r := rendering{target: "azure"}
	c := &cobra.Command{
		Use: "azure", Short: "balancer, firewall, drive and machines in Azure",
		Long: `azure writes the pair's set-up in Azure: a Standard load balancer with a static
address, its pool, probes and rules, the firewall's rules, a storage account with
the file share, and a cloud-init for each machine. README.md there has the order
of the steps and the address to advertise.

  terraform   main.tf, for Terraform and OpenTofu
  arm         main.json, for az deployment group create
  az          setup.sh, commands of the Azure CLI`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.renderInto(c.Context(), r, azureFormats()) },
	}
	r.flags(c)
	r.formatFlag(c, azureFormats())
	return c
}

func (a *app) renderAWSCommand() *cobra.Command {
	r := rendering{target: "aws"}
	c := &cobra.Command{
		Use: "aws", Short: "balancers, security groups, drive and machines in AWS",
		Long: `aws writes the pair's set-up in AWS: three Classic Load Balancers as in the guide
(each has one health check), or one Network Load Balancer; the security groups, an
EFS file system with its mount targets, and a cloud-init for each machine.
README.md there has the order of the steps and the names to advertise.

  terraform        main.tf, for Terraform and OpenTofu
  cloudformation   stack.yaml, for aws cloudformation deploy
  aws              setup.sh, commands of the AWS CLI`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if b := config.CloudBalancer(r.balancer); b != "" && b != config.CloudClassic && b != config.CloudNLB {
				return usage("--balancer is %q, want classic or nlb", b)
			}
			return a.renderInto(c.Context(), r, awsFormats())
		},
	}
	r.flags(c)
	r.formatFlag(c, awsFormats())
	c.Flags().StringVar(&r.balancer, "balancer", "", "`which` balancer: classic or nlb (default: hotcold.cloud.aws.balancer)")
	return c
}

// renderInto renders a cloud's set-up into a folder.
func (a *app) renderInto(ctx context.Context, r rendering, formats []string) error {
	if err := oneOfFormats(r.format, formats); err != nil {
		return err
	}
	if r.out == "" {
		return usage("where to? name a folder with --out")
	}
	s, warnings, err := a.render(ctx, r)
	if err != nil {
		return err
	}
	return a.written(r, s, warnings)
}

func (a *app) renderAzure(ctx context.Context, r rendering) (cloud.Set, []string, error) {
	c, p, err := a.planned(ctx)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	s, err := azure.New(p, c.File)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	line, err := drive.Share{
		Service: drive.AzureFiles, Account: s.Storage.Account, Name: s.Storage.Share, Point: s.Mount, UID: cloudinit.UID, GID: cloudinit.UID,
		Credentials: s.Credentials(),
	}.Make()
	if err != nil {
		return cloud.Set{}, nil, err
	}
	files, err := a.machines(c, p, cloudinit.Machine{
		Packages: []string{"cifs-utils", "ca-certificates", "curl"}, Line: line.Entry.Line(),
	})
	if err != nil {
		return cloud.Set{}, nil, err
	}
	main := s.Script()
	switch r.format {
	case "terraform":
		main = s.Terraform()
	case "arm":
		if main, err = s.ARM(); err != nil {
			return cloud.Set{}, nil, err
		}
	}
	readme, err := s.README(r.format)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	set, err := cloud.NewSet(r.target, r.format, s, append(files, main, readme)...)
	set.Main = main.Name
	return set, s.Warnings(), err
}

func (a *app) renderAWS(ctx context.Context, r rendering) (cloud.Set, []string, error) {
	c, p, err := a.planned(ctx)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	kind := c.Cloud.AWS.Balancer
	if r.balancer != "" {
		kind = config.CloudBalancer(r.balancer)
	}
	s, err := aws.New(p, c.File, kind)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	both := cloudinit.Machine{Packages: []string{"nfs-common", "ca-certificates", "curl"}, Owned: true, MountNow: true}
	if s.Drive.FileSystem != "" { // it is known once it has been made
		line, err := drive.Share{Service: drive.EFS, FileSystem: s.Drive.FileSystem, Region: s.Region, Point: s.Drive.Mount}.Make()
		if err != nil {
			return cloud.Set{}, nil, err
		}
		both.Line = line.Entry.Line()
	}
	files, err := a.machines(c, p, both)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	main := s.Script()
	switch r.format {
	case "terraform":
		main = s.Terraform()
	case "cloudformation":
		if main, err = s.CloudFormation(); err != nil {
			return cloud.Set{}, nil, err
		}
	}
	readme, err := s.README(r.format)
	if err != nil {
		return cloud.Set{}, nil, err
	}
	set, err := cloud.NewSet(r.target, r.recorded(), s, append(files, main, readme)...)
	set.Main = main.Name
	return set, s.Warnings(), err
}

// machines writes the cloud-init of both, from what they have in common.
func (a *app) machines(c *config.Config, p *cloud.Plan, both cloudinit.Machine) ([]cloud.File, error) {
	conf, err := os.ReadFile(c.File)
	if err != nil {
		return nil, err
	}
	if err := cloudinit.LiteralSecrets(a.short(c.File), conf); err != nil {
		return nil, &failure{code: exitConfig, err: err}
	}
	both.Directory, both.Conf, both.Mount, both.Binary = p.Directory.Value, string(conf), p.Mount.Value, p.Binary
	switch c.Preset.Name {
	case config.PresetCorda:
		both.Link = "artemis"
		both.Packages = append(both.Packages, "openjdk-17-jre-headless")
	case config.PresetArtemis:
		both.Packages = append(both.Packages, "openjdk-17-jre-headless")
	}
	both.Agent = agentUnit(c, filepath.Join(p.Directory.Value, "hotcold.conf"), p.Mount.Value)
	var files []cloud.File
	for _, m := range p.Machines {
		both.Name, both.Address = m.Name, m.Address.String()
		f, err := both.File()
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// agentUnit is the unit of an agent under this configuration. Without a fenceTimeout it is what package lease derives.
func agentUnit(c *config.Config, file, mount string) systemd.Agent {
	fence := c.MutualExclusion.FenceTimeout
	if fence == 0 {
		fence = c.MutualExclusion.WaitInterval * 3 / 10
	}
	return systemd.Agent{Config: file, Mount: mount, Stop: c.Node.Stop.Timeout, Fence: fence}
}
