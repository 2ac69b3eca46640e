package aws

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hotcold/hotcold/internal/cloud"
	"github.com/hotcold/hotcold/internal/config"
)

// helpers are the functions of the script. What is there already stays, so that the script can be run again.
const helpers = `
# The identifier of a security group, which is made where it is not there.
group() {
  local name=$1 why=$2 id
  id=$(aws ec2 describe-security-groups --filters Name=group-name,Values="$name" Name=vpc-id,Values="$vpc" \
    --query 'SecurityGroups[0].GroupId' --output text)
  if [[ $id == None ]]; then
    id=$(aws ec2 create-security-group --group-name "$name" --description "$why" --vpc-id "$vpc" --query GroupId --output text)
  fi
  printf '%s\n' "$id"
}

# Lets somebody in at a port; a rule that is there already is fine.
allow() {
  local id=$1 port=$2 source=$3 said
  said=$(aws ec2 authorize-security-group-ingress --group-id "$id" \
    --ip-permissions "IpProtocol=tcp,FromPort=$port,ToPort=$port,$source" 2>&1) && return
  [[ $said == *InvalidPermission.Duplicate* ]] || { printf '%s\n' "$said" >&2; return 1; }
}

# Waits until what a command prints is the wanted word, five minutes at most.
await() {
  local want=$1 got=
  shift
  for _ in {1..60}; do
    got=$("$@")
    [[ $got == "$want" ]] && return
    sleep 5
  done
  printf 'setup.sh: %s is still %s, not %s\n' "$*" "$got" "$want" >&2
  return 1
}
`

// Script writes the set-up as commands of `aws`.
func (s *Setup) Script() cloud.File {
	f := cloud.NewScript("The pair's balancers and drive in AWS, by the commands of the AWS CLI. Written by\n" +
		"`hotcold render aws --format aws`. Safe to run again. It wants the CLI to be logged in, and the\n" +
		"VPC and the subnets of the machines.")
	f.Line("", "export AWS_DEFAULT_REGION="+cloud.Quote(s.Region), "vpc='"+s.VPC+"'", "subnets=("+words(s.Subnets)+")", "instances=("+words(s.Instances)+")")
	f.Line(strings.TrimSuffix(helpers, "\n"))
	s.scriptSecurity(f)
	if s.Kind == config.CloudNLB {
		s.scriptNetwork(f)
	} else {
		f.Part("A balancer for each kind of traffic, because each has one health check.")
		for _, front := range s.Fronts {
			s.scriptClassic(f, front)
		}
	}
	s.scriptDrive(f)
	s.scriptNames(f)
	return cloud.File{Name: "setup.sh", Mode: 0o755, Text: f.String()}
}

func words(texts []string) string {
	var quoted []string
	for _, text := range texts {
		quoted = append(quoted, cloud.Quote(text))
	}
	return strings.Join(quoted, " ")
}

func (s *Setup) scriptSecurity(f *cloud.Script) {
	why := groupWhy()
	f.Part("Clients reach the balancers only, the balancers reach the machines, the machines reach the drive.")
	for i, g := range [][2]string{{"balancer", s.BalancerGroup}, {"node", s.NodeGroup}, {"drive", s.DriveGroup}} {
		f.Line(fmt.Sprintf("%s_group=$(group %s %s)", g[0], cloud.Quote(g[1]), cloud.Quote(why[i])))
	}
	for _, o := range s.Clients {
		ranges := "IpRanges=[{CidrIp=" + o.Network + "}]"
		if strings.Contains(o.Network, ":") {
			ranges = "Ipv6Ranges=[{CidrIpv6=" + o.Network + "}]"
		}
		f.Line(fmt.Sprintf(`allow "$balancer_group" %d %s`, o.Port, cloud.Quote(ranges)))
	}
	for _, port := range s.Inside {
		f.Line(fmt.Sprintf(`allow "$node_group" %d "UserIdGroupPairs=[{GroupId=$balancer_group}]"`, port))
	}
	f.Line(fmt.Sprintf(`allow "$drive_group" %d "UserIdGroupPairs=[{GroupId=$node_group}]"`, nfsPort))
}

func (s *Setup) scriptClassic(f *cloud.Script, front Front) {
	c := front.Check
	listener := fmt.Sprintf("Protocol=%s,LoadBalancerPort=%d,InstanceProtocol=%s,InstancePort=%d", front.Protocol, front.Port, front.Protocol, front.InstancePort)
	check := fmt.Sprintf("Target=%s,Interval=%d,Timeout=%d,UnhealthyThreshold=%d,HealthyThreshold=%d",
		c.Target(), c.IntervalSeconds, c.TimeoutSeconds, c.Unhealthy, c.Healthy)
	attributes := fmt.Sprintf("CrossZoneLoadBalancing={Enabled=true},ConnectionDraining={Enabled=false},ConnectionSettings={IdleTimeout=%d}", front.IdleSeconds)
	elb := func(command string, words ...any) []any {
		return append([]any{"aws", "elb", command, "--load-balancer-name", front.Name}, words...)
	}
	f.Line("if ! aws elb describe-load-balancers --load-balancer-names " + cloud.Quote(front.Name) + " --output text >/dev/null 2>&1; then")
	f.Run("  ", append(elb("create-load-balancer", "--listeners", listener), "--scheme", "internet-facing", "--subnets", cloud.Raw(`"${subnets[@]}"`),
		"--security-groups", cloud.Raw(`"$balancer_group"`), "--output", "text"), " >/dev/null")
	f.Line("fi")
	f.Run("", elb("configure-health-check", "--health-check", check, "--output", "text"), " >/dev/null")
	f.Run("", elb("modify-load-balancer-attributes", "--load-balancer-attributes", attributes, "--output", "text"), " >/dev/null")
	f.Line("if [[ ${#instances[@]} -gt 0 ]]; then")
	f.Run("  ", elb("register-instances-with-load-balancer", "--instances", cloud.Raw(`"${instances[@]}"`), "--output", "text"), " >/dev/null")
	f.Line("fi")
}

func (s *Setup) scriptNetwork(f *cloud.Script) {
	elb := func(command string, words ...any) []any { return append([]any{"aws", "elbv2", command}, words...) }
	f.Part("One balancer, with a target group for each kind of traffic. Making one again gives the one that is there.")
	f.Run("balancer=$(", elb("create-load-balancer", "--name", s.NetworkBalancer, "--type", "network", "--scheme", "internet-facing",
		"--subnets", cloud.Raw(`"${subnets[@]}"`), "--security-groups", cloud.Raw(`"$balancer_group"`), "--query", "LoadBalancers[0].LoadBalancerArn", "--output", "text"), ")")
	f.Run("", elb("modify-load-balancer-attributes", "--load-balancer-arn", cloud.Raw(`"$balancer"`), "--attributes", "Key=load_balancing.cross_zone.enabled,Value=true", "--output", "text"), " >/dev/null")
	for _, front := range s.Fronts {
		s.scriptTarget(f, elb, front)
	}
}

func (s *Setup) scriptTarget(f *cloud.Script, elb func(string, ...any) []any, front Front) {
	c, group := front.Check, strings.ReplaceAll(front.Key, "-", "_")+"_target"
	value := cloud.Raw(`"$` + group + `"`)
	create := elb("create-target-group", "--name", front.Name, "--protocol", front.Protocol, "--port", strconv.Itoa(front.InstancePort),
		"--vpc-id", cloud.Raw(`"$vpc"`), "--target-type", "instance", "--health-check-protocol", c.Protocol, "--health-check-port", strconv.Itoa(c.Port))
	if c.Path != "" {
		create = append(create, "--health-check-path", c.Path, "--matcher", "HttpCode=200")
	}
	create = append(create, "--health-check-interval-seconds", strconv.Itoa(c.IntervalSeconds), "--health-check-timeout-seconds", strconv.Itoa(c.TimeoutSeconds),
		"--unhealthy-threshold-count", strconv.Itoa(c.Unhealthy), "--healthy-threshold-count", strconv.Itoa(c.Healthy),
		"--query", "TargetGroups[0].TargetGroupArn", "--output", "text")
	f.Run(group+"=$(", create, ")")
	attributes := elb("modify-target-group-attributes", "--target-group-arn", value, "--attributes", "Key=deregistration_delay.timeout_seconds,Value=0",
		"Key=deregistration_delay.connection_termination.enabled,Value=true", "Key=target_health_state.unhealthy.connection_termination.enabled,Value=true")
	if front.SourceIP {
		attributes = append(attributes, "Key=stickiness.enabled,Value=true", "Key=stickiness.type,Value=source_ip")
	}
	f.Run("", append(attributes, "--output", "text"), " >/dev/null")
	f.Run("listener=$(", elb("create-listener", "--load-balancer-arn", cloud.Raw(`"$balancer"`), "--protocol", front.Protocol, "--port", strconv.Itoa(front.Port),
		"--default-actions", cloud.Raw(`"Type=forward,TargetGroupArn=$`+group+`"`), "--query", "Listeners[0].ListenerArn", "--output", "text"), ")")
	f.Run("", elb("modify-listener-attributes", "--listener-arn", cloud.Raw(`"$listener"`), "--attributes",
		"Key=tcp.idle_timeout.seconds,Value="+strconv.Itoa(front.IdleSeconds), "--output", "text"), " >/dev/null")
	f.Line(`for instance in "${instances[@]}"; do`)
	f.Run("  ", elb("register-targets", "--target-group-arn", value, "--targets", cloud.Raw(fmt.Sprintf(`"Id=$instance,Port=%d"`, front.InstancePort)), "--output", "text"), " >/dev/null")
	f.Line("done")
}

func (s *Setup) scriptDrive(f *cloud.Script) {
	f.Part("The drive that both machines share, with a mount target in each subnet.")
	f.Run("drive=$(", []any{"aws", "efs", "describe-file-systems", "--creation-token", s.Drive.Name, "--query", "FileSystems[0].FileSystemId", "--output", "text"}, ")")
	f.Line("if [[ $drive == None ]]; then")
	encrypted := "--encrypted"
	if !s.Drive.Encrypted {
		encrypted = "--no-encrypted"
	}
	f.Run("  drive=$(", []any{"aws", "efs", "create-file-system", "--creation-token", s.Drive.Name, "--performance-mode", s.Drive.PerformanceMode,
		"--throughput-mode", s.Drive.ThroughputMode, encrypted, "--tags", "Key=Name,Value=" + s.Drive.Name, "--query", "FileSystemId", "--output", "text"}, ")")
	f.Line("fi",
		`await available aws efs describe-file-systems --file-system-id "$drive" --query 'FileSystems[0].LifeCycleState' --output text`,
		`for subnet in "${subnets[@]}"; do`,
		`  there=$(aws efs describe-mount-targets --file-system-id "$drive" --query "length(MountTargets[?SubnetId=='$subnet'])" --output text)`,
		`  if [[ $there == 0 ]]; then`,
		`    aws efs create-mount-target --file-system-id "$drive" --subnet-id "$subnet" --security-groups "$drive_group" --output text >/dev/null`,
		`  fi`,
		`done`,
		`await 0 aws efs describe-mount-targets --file-system-id "$drive" --query "length(MountTargets[?LifeCycleState!='available'])" --output text`)
}

func (s *Setup) scriptNames(f *cloud.Script) {
	f.Part("What to write into the configuration.")
	if s.Kind == config.CloudNLB {
		f.Run("name=$(", []any{"aws", "elbv2", "describe-load-balancers", "--load-balancer-arns", cloud.Raw(`"$balancer"`), "--query", "LoadBalancers[0].DNSName", "--output", "text"}, ")")
		f.Line(`printf '%s: %s\n' 'the host of p2pAddress on both machines' "$name"`)
	} else {
		for _, front := range s.Fronts {
			f.Run("name=$(", []any{"aws", "elb", "describe-load-balancers", "--load-balancer-names", front.Name, "--query", "LoadBalancerDescriptions[0].DNSName", "--output", "text"}, ")")
			f.Line(fmt.Sprintf(`printf '%%s: %%s\n' %s "$name"`, cloud.Quote(nameWhy(front.Key))))
		}
	}
	f.Line(`printf '%s: %s\n' 'hotcold.cloud.aws.fileSystem' "$drive"`, `printf '%s: %s\n' 'the security group of the machines' "$node_group"`)
}
