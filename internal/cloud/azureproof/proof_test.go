package azureproof

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v7"
	netfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v7/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage"
	storefake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/storage/armstorage/fake"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/cloud/azure"
	"github.com/hotcold/hotcold/internal/config"
)

// subscription is the one in which the fake servers keep everything.
const subscription = "00000000-0000-0000-0000-000000000000"

func example(t *testing.T) *azure.Setup {
	t.Helper()
	file, err := filepath.Abs("../../../examples/cloud/hotcold.conf")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadBalancer(file, config.Env{Hostname: "laptop", WorkDir: filepath.Dir(file)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := cloud.New(cloud.OptionsOf(c))
	if err != nil {
		t.Fatal(err)
	}
	s, err := azure.New(p, c.File)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// resource is one of a template.
type resource struct {
	Type, APIVersion, Name string
	DependsOn              []string
	body                   map[string]any
}

// deployment reads a template as Azure would: expressions are put in, and a resource comes after those that it names.
func deployment(t *testing.T, s *azure.Setup) []resource {
	t.Helper()
	f, err := s.ARM()
	if err != nil {
		t.Fatal(err)
	}
	text := identifiers(t, s.ResourceGroup, f.Text)
	var all struct{ Resources []json.RawMessage }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	var resources []resource
	made := map[string]bool{}
	for _, raw := range all.Resources {
		var r resource
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &r.body); err != nil {
			t.Fatal(err)
		}
		for _, id := range r.DependsOn {
			if !made[id] {
				t.Errorf("%s %s comes before %s, which it depends on", r.Type, r.Name, id)
			}
		}
		made[identifier(s.ResourceGroup, r.Type, strings.Split(r.Name, "/"))] = true
		for _, key := range []string{"type", "apiVersion", "name", "dependsOn"} {
			delete(r.body, key)
		}
		resources = append(resources, r)
	}
	return resources
}

// identifiers puts what the template's expressions mean in their place.
func identifiers(t *testing.T, group, text string) string {
	t.Helper()
	call := regexp.MustCompile(`\[resourceId\(([^)]*)\)\]`)
	text = call.ReplaceAllStringFunc(text, func(found string) string {
		words := strings.Split(call.FindStringSubmatch(found)[1], ", ")
		for i := range words {
			words[i] = strings.Trim(words[i], "'")
		}
		return identifier(group, words[0], words[1:])
	})
	if rest := strings.Count(text, `"[`); rest != strings.Count(text, `"[reference(`) {
		t.Errorf("there are expressions that this test does not know:\n%s", text)
	}
	return text
}

// identifier is that of a resource: its kinds and names by turns.
func identifier(group, kind string, names []string) string {
	parts := strings.Split(kind, "/")
	id := "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/" + parts[0]
	for i, name := range names {
		id += "/" + parts[1+i] + "/" + name
	}
	return id
}

// azureServers are the SDK's fakes, and what they were told.
type azureServers struct {
	got map[string]any
}

func (a *azureServers) options(transport policy.Transporter) *arm.ClientOptions {
	return &arm.ClientOptions{ClientOptions: policy.ClientOptions{Transport: transport, Retry: policy.RetryOptions{MaxRetries: -1}}}
}

// as makes the SDK's model of a resource's body.
func as[T any](t *testing.T, r resource) T {
	t.Helper()
	var model T
	text, err := json.Marshal(r.body)
	if err == nil {
		err = json.Unmarshal(text, &model)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", r.Type, r.Name, err)
	}
	return model
}

// done waits for an operation of the SDK.
func done[T any](t *testing.T, p *runtime.Poller[T], err error) {
	t.Helper()
	if err == nil {
		_, err = p.PollUntilDone(t.Context(), &runtime.PollUntilDoneOptions{Frequency: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// deploy sends a resource through the SDK's client to its fake server.
func (a *azureServers) deploy(t *testing.T, group string, r resource) {
	t.Helper()
	ctx, credential := t.Context(), &fake.TokenCredential{}
	names := strings.Split(r.Name, "/")
	switch r.Type {
	case "Microsoft.Network/publicIPAddresses":
		server := netfake.PublicIPAddressesServer{BeginCreateOrUpdate: func(_ context.Context, _, name string, p armnetwork.PublicIPAddress, _ *armnetwork.PublicIPAddressesClientBeginCreateOrUpdateOptions) (resp fake.PollerResponder[armnetwork.PublicIPAddressesClientCreateOrUpdateResponse], errResp fake.ErrorResponder) {
			a.got[name] = p
			resp.SetTerminalResponse(http.StatusOK, armnetwork.PublicIPAddressesClientCreateOrUpdateResponse{PublicIPAddress: p}, nil)
			return
		}}
		c, err := armnetwork.NewPublicIPAddressesClient(subscription, credential, a.options(netfake.NewPublicIPAddressesServerTransport(&server)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.BeginCreateOrUpdate(ctx, group, r.Name, as[armnetwork.PublicIPAddress](t, r), nil)
		done(t, p, err)
	case "Microsoft.Network/loadBalancers":
		server := netfake.LoadBalancersServer{BeginCreateOrUpdate: func(_ context.Context, _, name string, p armnetwork.LoadBalancer, _ *armnetwork.LoadBalancersClientBeginCreateOrUpdateOptions) (resp fake.PollerResponder[armnetwork.LoadBalancersClientCreateOrUpdateResponse], errResp fake.ErrorResponder) {
			a.got[name] = p
			resp.SetTerminalResponse(http.StatusOK, armnetwork.LoadBalancersClientCreateOrUpdateResponse{LoadBalancer: p}, nil)
			return
		}}
		c, err := armnetwork.NewLoadBalancersClient(subscription, credential, a.options(netfake.NewLoadBalancersServerTransport(&server)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.BeginCreateOrUpdate(ctx, group, r.Name, as[armnetwork.LoadBalancer](t, r), nil)
		done(t, p, err)
	case "Microsoft.Network/networkSecurityGroups":
		server := netfake.SecurityGroupsServer{BeginCreateOrUpdate: func(_ context.Context, _, name string, p armnetwork.SecurityGroup, _ *armnetwork.SecurityGroupsClientBeginCreateOrUpdateOptions) (resp fake.PollerResponder[armnetwork.SecurityGroupsClientCreateOrUpdateResponse], errResp fake.ErrorResponder) {
			a.got[name] = p
			resp.SetTerminalResponse(http.StatusOK, armnetwork.SecurityGroupsClientCreateOrUpdateResponse{SecurityGroup: p}, nil)
			return
		}}
		c, err := armnetwork.NewSecurityGroupsClient(subscription, credential, a.options(netfake.NewSecurityGroupsServerTransport(&server)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.BeginCreateOrUpdate(ctx, group, r.Name, as[armnetwork.SecurityGroup](t, r), nil)
		done(t, p, err)
	case "Microsoft.Storage/storageAccounts":
		server := storefake.AccountsServer{BeginCreate: func(_ context.Context, _, name string, p armstorage.AccountCreateParameters, _ *armstorage.AccountsClientBeginCreateOptions) (resp fake.PollerResponder[armstorage.AccountsClientCreateResponse], errResp fake.ErrorResponder) {
			a.got[name] = p
			resp.SetTerminalResponse(http.StatusOK, armstorage.AccountsClientCreateResponse{}, nil)
			return
		}}
		c, err := armstorage.NewAccountsClient(subscription, credential, a.options(storefake.NewAccountsServerTransport(&server)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.BeginCreate(ctx, group, r.Name, as[armstorage.AccountCreateParameters](t, r), nil)
		done(t, p, err)
	case "Microsoft.Storage/storageAccounts/fileServices":
		server := storefake.FileServicesServer{SetServiceProperties: func(_ context.Context, _, name string, p armstorage.FileServiceProperties, _ *armstorage.FileServicesClientSetServicePropertiesOptions) (resp fake.Responder[armstorage.FileServicesClientSetServicePropertiesResponse], errResp fake.ErrorResponder) {
			a.got[name+"/default"] = p
			resp.SetResponse(http.StatusOK, armstorage.FileServicesClientSetServicePropertiesResponse{FileServiceProperties: p}, nil)
			return
		}}
		c, err := armstorage.NewFileServicesClient(subscription, credential, a.options(storefake.NewFileServicesServerTransport(&server)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SetServiceProperties(ctx, group, names[0], as[armstorage.FileServiceProperties](t, r), nil); err != nil {
			t.Fatal(err)
		}
	case "Microsoft.Storage/storageAccounts/fileServices/shares":
		server := storefake.FileSharesServer{Create: func(_ context.Context, _, account, share string, p armstorage.FileShare, _ *armstorage.FileSharesClientCreateOptions) (resp fake.Responder[armstorage.FileSharesClientCreateResponse], errResp fake.ErrorResponder) {
			a.got[account+"/default/"+share] = p
			resp.SetResponse(http.StatusOK, armstorage.FileSharesClientCreateResponse{FileShare: p}, nil)
			return
		}}
		c, err := armstorage.NewFileSharesClient(subscription, credential, a.options(storefake.NewFileSharesServerTransport(&server)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Create(ctx, group, names[0], names[2], as[armstorage.FileShare](t, r), nil); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("a resource of the type %s", r.Type)
	}
}

// What Azure's SDK does not know would be lost between client and server.
func TestAzuresSDKKnowsEveryPropertyOfTheTemplate(t *testing.T) {
	s := example(t)
	a := &azureServers{got: map[string]any{}}
	for _, r := range deployment(t, s) {
		a.deploy(t, s.ResourceGroup, r)
		text, err := json.Marshal(a.got[r.Name])
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r.body) {
			want, err := json.Marshal(r.body)
			if err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s %s arrives as\n%s\nwant\n%s", r.Type, r.Name, text, want)
		}
	}
}

// The typed values that arrive are the plan.
func TestWhatArrivesInAzureIsThePlan(t *testing.T) {
	s := example(t)
	a := &azureServers{got: map[string]any{}}
	for _, r := range deployment(t, s) {
		a.deploy(t, s.ResourceGroup, r)
	}
	lb := a.got[s.Balancer].(armnetwork.LoadBalancer)
	p := lb.Properties
	if *lb.SKU.Name != armnetwork.LoadBalancerSKUNameStandard || len(p.FrontendIPConfigurations) != 1 || len(p.BackendAddressPools) != 1 {
		t.Errorf("the balancer is %v with %d frontends and %d pools", *lb.SKU.Name, len(p.FrontendIPConfigurations), len(p.BackendAddressPools))
	}
	var machines []azure.Machine
	for _, m := range p.BackendAddressPools[0].Properties.LoadBalancerBackendAddresses {
		machines = append(machines, azure.Machine{Name: *m.Name, Address: *m.Properties.IPAddress})
	}
	var probes []azure.Probe
	for _, v := range p.Probes {
		if !slices.Contains(armnetwork.PossibleProbeProtocolValues(), *v.Properties.Protocol) || *v.Properties.NoHealthyBackendsBehavior != armnetwork.ProbeNoHealthyBackendsBehaviorAllProbedDown {
			t.Errorf("the probe %s speaks %s, and with nobody healthy it is %s", *v.Name, *v.Properties.Protocol, *v.Properties.NoHealthyBackendsBehavior)
		}
		probe := azure.Probe{Name: *v.Name, Protocol: string(*v.Properties.Protocol), Port: int(*v.Properties.Port), IntervalSeconds: int(*v.Properties.IntervalInSeconds), Threshold: int(*v.Properties.ProbeThreshold)}
		if v.Properties.RequestPath != nil {
			probe.Path = *v.Properties.RequestPath
		}
		probes = append(probes, probe)
	}
	balancer := identifier(s.ResourceGroup, "Microsoft.Network/loadBalancers", []string{s.Balancer})
	var rules []azure.Rule
	for _, v := range p.LoadBalancingRules {
		r := v.Properties
		if *r.Protocol != armnetwork.TransportProtocolTCP || len(r.BackendAddressPools) != 1 || *r.BackendAddressPools[0].ID != balancer+"/backendAddressPools/"+s.Pool ||
			*r.FrontendIPConfiguration.ID != balancer+"/frontendIPConfigurations/"+s.Frontend || !slices.Contains(armnetwork.PossibleLoadDistributionValues(), *r.LoadDistribution) {
			t.Errorf("the rule %s is %+v", *v.Name, *r)
		}
		rules = append(rules, azure.Rule{
			Name: *v.Name, FrontendPort: int(*r.FrontendPort), BackendPort: int(*r.BackendPort), Probe: strings.TrimPrefix(*r.Probe.ID, balancer+"/probes/"),
			Distribution: string(*r.LoadDistribution), IdleMinutes: int(*r.IdleTimeoutInMinutes), TCPReset: *r.EnableTCPReset,
		})
	}
	var security []azure.SecurityRule
	for _, v := range a.got[s.SecurityGroup].(armnetwork.SecurityGroup).Properties.SecurityRules {
		security = append(security, securityRule(t, v))
	}
	for _, c := range []struct{ what, got, want any }{
		{"machines", machines, s.Machines}, {"probes", probes, s.Probes}, {"rules", rules, s.Rules}, {"security rules", security, s.SecurityRules},
		{"drive", a.storage(s), s.Storage},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s are\n%+v\nwant\n%+v", c.what, c.got, c.want)
		}
	}
	ip := a.got[s.PublicIP].(armnetwork.PublicIPAddress)
	if *ip.SKU.Name != armnetwork.PublicIPAddressSKUNameStandard || *ip.Properties.PublicIPAllocationMethod != armnetwork.IPAllocationMethodStatic {
		t.Errorf("the address is %s, %s", *ip.SKU.Name, *ip.Properties.PublicIPAllocationMethod)
	}
}

func securityRule(t *testing.T, v *armnetwork.SecurityRule) azure.SecurityRule {
	t.Helper()
	r := v.Properties
	if *r.Direction != armnetwork.SecurityRuleDirectionInbound || !slices.Contains(armnetwork.PossibleSecurityRuleAccessValues(), *r.Access) || *r.Protocol != armnetwork.SecurityRuleProtocolTCP {
		t.Errorf("the security rule %s is %+v", *v.Name, *r)
	}
	rule := azure.SecurityRule{Name: *v.Name, Priority: int(*r.Priority), Access: string(*r.Access), Why: *r.Description}
	if r.SourceAddressPrefix != nil {
		rule.Sources = append(rule.Sources, *r.SourceAddressPrefix)
	}
	for _, source := range r.SourceAddressPrefixes {
		rule.Sources = append(rule.Sources, *source)
	}
	if err := json.Unmarshal([]byte(*r.DestinationPortRange), &rule.Port); err != nil {
		t.Errorf("the security rule %s has the port %s", *v.Name, *r.DestinationPortRange)
	}
	return rule
}

func (a *azureServers) storage(s *azure.Setup) azure.Storage {
	account := a.got[s.Storage.Account].(armstorage.AccountCreateParameters)
	service := a.got[s.Storage.Account+"/default"].(armstorage.FileServiceProperties)
	share := a.got[s.Storage.Account+"/default/"+s.Storage.Share].(armstorage.FileShare)
	return azure.Storage{
		Account: s.Storage.Account, Share: s.Storage.Share, Kind: string(*account.Kind), SKU: string(*account.SKU.Name),
		SecureTransfer: *account.Properties.EnableHTTPSTrafficOnly, QuotaGiB: int(*share.FileShareProperties.ShareQuota),
		Tier: string(*share.FileShareProperties.AccessTier), SMBVersions: *service.FileServiceProperties.ProtocolSettings.Smb.Versions,
	}
}

// A template with a property that Azure does not know would be found by the test above.
func TestAnUnknownPropertyIsLostOnTheWay(t *testing.T) {
	r := resource{Type: "Microsoft.Network/publicIPAddresses", Name: "ip", body: map[string]any{"properties": map[string]any{"unheardOf": true}}}
	a := &azureServers{got: map[string]any{}}
	a.deploy(t, "group", r)
	text, err := json.Marshal(a.got["ip"])
	if err != nil || strings.Contains(string(text), "unheardOf") {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestTheGoldenTemplateIsWhatIsProved(t *testing.T) {
	golden, err := os.ReadFile("../azure/testdata/main.json")
	if err != nil {
		t.Fatal(err)
	}
	if f, err := example(t).ARM(); err != nil || f.Text != string(golden) {
		t.Errorf("the template is another than the golden file, %v", err)
	}
}
