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

# One balancer, with a target group for each kind of traffic. Making one again gives the one that is there.
balancer=$(aws elbv2 create-load-balancer --name ha-nlb --type network --scheme internet-facing --subnets "${subnets[@]}" \
  --security-groups "$balancer_group" --query 'LoadBalancers[0].LoadBalancerArn' --output text)
aws elbv2 modify-load-balancer-attributes --load-balancer-arn "$balancer" --attributes Key=load_balancing.cross_zone.enabled,Value=true \
  --output text >/dev/null
p2p_target=$(aws elbv2 create-target-group --name ha-tg-p2p --protocol TCP --port 10002 --vpc-id "$vpc" \
  --target-type instance --health-check-protocol HTTP --health-check-port 4655 --health-check-path /hot \
  --matcher HttpCode=200 --health-check-interval-seconds 5 --health-check-timeout-seconds 3 \
  --unhealthy-threshold-count 2 --healthy-threshold-count 2 --query 'TargetGroups[0].TargetGroupArn' --output text)
aws elbv2 modify-target-group-attributes --target-group-arn "$p2p_target" --attributes Key=deregistration_delay.timeout_seconds,Value=0 Key=deregistration_delay.connection_termination.enabled,Value=true Key=target_health_state.unhealthy.connection_termination.enabled,Value=true \
  --output text >/dev/null
listener=$(aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol TCP --port 10002 \
  --default-actions "Type=forward,TargetGroupArn=$p2p_target" --query 'Listeners[0].ListenerArn' --output text)
aws elbv2 modify-listener-attributes --listener-arn "$listener" --attributes Key=tcp.idle_timeout.seconds,Value=3600 \
  --output text >/dev/null
for instance in "${instances[@]}"; do
  aws elbv2 register-targets --target-group-arn "$p2p_target" --targets "Id=$instance,Port=10002" --output text >/dev/null
done
rpc_target=$(aws elbv2 create-target-group --name ha-tg-rpc --protocol TCP --port 10003 --vpc-id "$vpc" \
  --target-type instance --health-check-protocol HTTP --health-check-port 4655 --health-check-path /hot \
  --matcher HttpCode=200 --health-check-interval-seconds 5 --health-check-timeout-seconds 3 \
  --unhealthy-threshold-count 2 --healthy-threshold-count 2 --query 'TargetGroups[0].TargetGroupArn' --output text)
aws elbv2 modify-target-group-attributes --target-group-arn "$rpc_target" --attributes Key=deregistration_delay.timeout_seconds,Value=0 Key=deregistration_delay.connection_termination.enabled,Value=true Key=target_health_state.unhealthy.connection_termination.enabled,Value=true \
  --output text >/dev/null
listener=$(aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol TCP --port 10003 \
  --default-actions "Type=forward,TargetGroupArn=$rpc_target" --query 'Listeners[0].ListenerArn' --output text)
aws elbv2 modify-listener-attributes --listener-arn "$listener" --attributes Key=tcp.idle_timeout.seconds,Value=3600 \
  --output text >/dev/null
for instance in "${instances[@]}"; do
  aws elbv2 register-targets --target-group-arn "$rpc_target" --targets "Id=$instance,Port=10003" --output text >/dev/null
done
web_target=$(aws elbv2 create-target-group --name ha-tg-web --protocol TCP --port 10004 --vpc-id "$vpc" \
  --target-type instance --health-check-protocol HTTP --health-check-port 4655 --health-check-path /hot \
  --matcher HttpCode=200 --health-check-interval-seconds 5 --health-check-timeout-seconds 3 \
  --unhealthy-threshold-count 2 --healthy-threshold-count 2 --query 'TargetGroups[0].TargetGroupArn' --output text)
aws elbv2 modify-target-group-attributes --target-group-arn "$web_target" --attributes Key=deregistration_delay.timeout_seconds,Value=0 Key=deregistration_delay.connection_termination.enabled,Value=true Key=target_health_state.unhealthy.connection_termination.enabled,Value=true \
  --output text >/dev/null
listener=$(aws elbv2 create-listener --load-balancer-arn "$balancer" --protocol TCP --port 10004 \
  --default-actions "Type=forward,TargetGroupArn=$web_target" --query 'Listeners[0].ListenerArn' --output text)
aws elbv2 modify-listener-attributes --listener-arn "$listener" --attributes Key=tcp.idle_timeout.seconds,Value=3600 \
  --output text >/dev/null
for instance in "${instances[@]}"; do
  aws elbv2 register-targets --target-group-arn "$web_target" --targets "Id=$instance,Port=10004" --output text >/dev/null
done

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
name=$(aws elbv2 describe-load-balancers --load-balancer-arns "$balancer" --query 'LoadBalancers[0].DNSName' \
  --output text)
printf '%s: %s\n' 'the host of p2pAddress on both machines' "$name"
printf '%s: %s\n' 'hotcold.cloud.aws.fileSystem' "$drive"
printf '%s: %s\n' 'the security group of the machines' "$node_group"
