#!/usr/bin/env bash
# The pair's balancers and drive in AWS, by the commands of the AWS CLI. Written by
# `hotcold render aws --format aws`. Safe to run again. It wants the CLI to be logged in, and the
# VPC and the subnets of the machines.
set -euo pipefail

export AWS_DEFAULT_REGION=eu-west-1
vpc='vpc-0a1b2c3d4e5f60718'
subnets=(subnet-0a1b2c3d4e5f60718 subnet-0f1e2d3c4b5a69788)
instances=()

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

# Clients reach the balancers only, the balancers reach the machines, the machines reach the drive.
balancer_group=$(group ha-lb 'clients reach the balancers')
node_group=$(group ha-nodes 'the balancers reach the machines')
drive_group=$(group ha-drive 'the machines reach the drive')
allow "$balancer_group" 10002 'IpRanges=[{CidrIp=0.0.0.0/0}]'
allow "$balancer_group" 10003 'IpRanges=[{CidrIp=198.51.100.0/24}]'
allow "$balancer_group" 10004 'IpRanges=[{CidrIp=198.51.100.0/24}]'
allow "$balancer_group" 10004 'IpRanges=[{CidrIp=203.0.113.0/24}]'
allow "$node_group" 10002 "UserIdGroupPairs=[{GroupId=$balancer_group}]"
allow "$node_group" 4655 "UserIdGroupPairs=[{GroupId=$balancer_group}]"
allow "$node_group" 10003 "UserIdGroupPairs=[{GroupId=$balancer_group}]"
allow "$node_group" 10004 "UserIdGroupPairs=[{GroupId=$balancer_group}]"
allow "$drive_group" 2049 "UserIdGroupPairs=[{GroupId=$node_group}]"

# A balancer for each kind of traffic, because each has one health check.
if ! aws elb describe-load-balancers --load-balancer-names ha-lb-p2p --output text >/dev/null 2>&1; then
  aws elb create-load-balancer --load-balancer-name ha-lb-p2p --listeners Protocol=TCP,LoadBalancerPort=10002,InstanceProtocol=TCP,InstancePort=10002 \
  --scheme internet-facing --subnets "${subnets[@]}" --security-groups "$balancer_group" --output text >/dev/null
fi
aws elb configure-health-check --load-balancer-name ha-lb-p2p --health-check Target=HTTP:4655/hot,Interval=5,Timeout=3,UnhealthyThreshold=2,HealthyThreshold=2 \
  --output text >/dev/null
aws elb modify-load-balancer-attributes --load-balancer-name ha-lb-p2p --load-balancer-attributes 'CrossZoneLoadBalancing={Enabled=true},ConnectionDraining={Enabled=false},ConnectionSettings={IdleTimeout=3600}' \
  --output text >/dev/null
if [[ ${#instances[@]} -gt 0 ]]; then
  aws elb register-instances-with-load-balancer --load-balancer-name ha-lb-p2p --instances "${instances[@]}" \
  --output text >/dev/null
fi
if ! aws elb describe-load-balancers --load-balancer-names ha-lb-rpc --output text >/dev/null 2>&1; then
  aws elb create-load-balancer --load-balancer-name ha-lb-rpc --listeners Protocol=TCP,LoadBalancerPort=10003,InstanceProtocol=TCP,InstancePort=10003 \
  --scheme internet-facing --subnets "${subnets[@]}" --security-groups "$balancer_group" --output text >/dev/null
fi
aws elb configure-health-check --load-balancer-name ha-lb-rpc --health-check Target=HTTP:4655/hot,Interval=5,Timeout=3,UnhealthyThreshold=2,HealthyThreshold=2 \
  --output text >/dev/null
aws elb modify-load-balancer-attributes --load-balancer-name ha-lb-rpc --load-balancer-attributes 'CrossZoneLoadBalancing={Enabled=true},ConnectionDraining={Enabled=false},ConnectionSettings={IdleTimeout=3600}' \
  --output text >/dev/null
if [[ ${#instances[@]} -gt 0 ]]; then
  aws elb register-instances-with-load-balancer --load-balancer-name ha-lb-rpc --instances "${instances[@]}" \
  --output text >/dev/null
fi
if ! aws elb describe-load-balancers --load-balancer-names ha-lb-web --output text >/dev/null 2>&1; then
  aws elb create-load-balancer --load-balancer-name ha-lb-web --listeners Protocol=HTTP,LoadBalancerPort=10004,InstanceProtocol=HTTP,InstancePort=10004 \
  --scheme internet-facing --subnets "${subnets[@]}" --security-groups "$balancer_group" --output text >/dev/null
fi
aws elb configure-health-check --load-balancer-name ha-lb-web --health-check Target=HTTP:4655/hot,Interval=5,Timeout=3,UnhealthyThreshold=2,HealthyThreshold=2 \
  --output text >/dev/null
aws elb modify-load-balancer-attributes --load-balancer-name ha-lb-web --load-balancer-attributes 'CrossZoneLoadBalancing={Enabled=true},ConnectionDraining={Enabled=false},ConnectionSettings={IdleTimeout=3600}' \
  --output text >/dev/null
if [[ ${#instances[@]} -gt 0 ]]; then
  aws elb register-instances-with-load-balancer --load-balancer-name ha-lb-web --instances "${instances[@]}" \
  --output text >/dev/null
fi

# The drive that both machines share, with a mount target in each subnet.
drive=$(aws efs describe-file-systems --creation-token ha-drive --query 'FileSystems[0].FileSystemId' --output text)
if [[ $drive == None ]]; then
  drive=$(aws efs create-file-system --creation-token ha-drive --performance-mode generalPurpose \
  --throughput-mode elastic --encrypted --tags Key=Name,Value=ha-drive --query FileSystemId --output text)
fi
await available aws efs describe-file-systems --file-system-id "$drive" --query 'FileSystems[0].LifeCycleState' --output text
for subnet in "${subnets[@]}"; do
  there=$(aws efs describe-mount-targets --file-system-id "$drive" --query "length(MountTargets[?SubnetId=='$subnet'])" --output text)
  if [[ $there == 0 ]]; then
    aws efs create-mount-target --file-system-id "$drive" --subnet-id "$subnet" --security-groups "$drive_group" --output text >/dev/null
  fi
done
await 0 aws efs describe-mount-targets --file-system-id "$drive" --query "length(MountTargets[?LifeCycleState!='available'])" --output text

# What to write into the configuration.
name=$(aws elb describe-load-balancers --load-balancer-names ha-lb-p2p --query 'LoadBalancerDescriptions[0].DNSName' \
  --output text)
printf '%s: %s\n' 'the host of p2pAddress on both machines' "$name"
name=$(aws elb describe-load-balancers --load-balancer-names ha-lb-rpc --query 'LoadBalancerDescriptions[0].DNSName' \
  --output text)
printf '%s: %s\n' 'what clients of rpc are told' "$name"
name=$(aws elb describe-load-balancers --load-balancer-names ha-lb-web --query 'LoadBalancerDescriptions[0].DNSName' \
  --output text)
printf '%s: %s\n' 'what clients of web are told' "$name"
printf '%s: %s\n' 'hotcold.cloud.aws.fileSystem' "$drive"
printf '%s: %s\n' 'the security group of the machines' "$node_group"
