# The pair's balancers and drive in AWS. Written by `hotcold render aws --format terraform`;
# what is changed here by hand is told by `hotcold render --check`.
terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60.0, < 7.0.0"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

# Clients reach the balancers only, the balancers reach the machines, the machines reach the drive.
# What no rule names, the RPC admin port first of all, stays closed.
resource "aws_security_group" "balancer" {
  name        = "ha-lb"
  description = "clients reach the balancers"
  vpc_id      = "vpc-0a1b2c3d4e5f60718"
  tags = {
    Name = "ha-lb"
  }
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  security_group_id            = aws_security_group.balancer.id
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.node.id
}

resource "aws_vpc_security_group_ingress_rule" "p2p_0_0_0_0_0" {
  security_group_id = aws_security_group.balancer.id
  ip_protocol       = "tcp"
  from_port         = 10002
  to_port           = 10002
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "rpc_198_51_100_0_24" {
  security_group_id = aws_security_group.balancer.id
  ip_protocol       = "tcp"
  from_port         = 10003
  to_port           = 10003
  cidr_ipv4         = "198.51.100.0/24"
}

resource "aws_vpc_security_group_ingress_rule" "web_198_51_100_0_24" {
  security_group_id = aws_security_group.balancer.id
  ip_protocol       = "tcp"
  from_port         = 10004
  to_port           = 10004
  cidr_ipv4         = "198.51.100.0/24"
}

resource "aws_vpc_security_group_ingress_rule" "web_203_0_113_0_24" {
  security_group_id = aws_security_group.balancer.id
  ip_protocol       = "tcp"
  from_port         = 10004
  to_port           = 10004
  cidr_ipv4         = "203.0.113.0/24"
}

resource "aws_security_group" "node" {
  name        = "ha-nodes"
  description = "the balancers reach the machines"
  vpc_id      = "vpc-0a1b2c3d4e5f60718"
  tags = {
    Name = "ha-nodes"
  }
}

resource "aws_vpc_security_group_egress_rule" "node" {
  security_group_id = aws_security_group.node.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "node_10002" {
  security_group_id            = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = 10002
  to_port                      = 10002
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_vpc_security_group_ingress_rule" "node_4655" {
  security_group_id            = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = 4655
  to_port                      = 4655
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_vpc_security_group_ingress_rule" "node_10003" {
  security_group_id            = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = 10003
  to_port                      = 10003
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_vpc_security_group_ingress_rule" "node_10004" {
  security_group_id            = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = 10004
  to_port                      = 10004
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_security_group" "drive" {
  name        = "ha-drive"
  description = "the machines reach the drive"
  vpc_id      = "vpc-0a1b2c3d4e5f60718"
  tags = {
    Name = "ha-drive"
  }
}

resource "aws_vpc_security_group_ingress_rule" "drive" {
  security_group_id            = aws_security_group.drive.id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.node.id
}

# A balancer for each kind of traffic, because each has one health check.
resource "aws_elb" "p2p" {
  name                      = "ha-lb-p2p"
  internal                  = false
  subnets                   = ["subnet-0a1b2c3d4e5f60718", "subnet-0f1e2d3c4b5a69788"]
  security_groups           = [aws_security_group.balancer.id]
  instances                 = []
  cross_zone_load_balancing = true
  connection_draining       = false
  idle_timeout              = 3600

  listener {
    lb_port           = 10002
    lb_protocol       = "TCP"
    instance_port     = 10002
    instance_protocol = "TCP"
  }

  health_check {
    target              = "HTTP:4655/hot"
    interval            = 5
    timeout             = 3
    unhealthy_threshold = 2
    healthy_threshold   = 2
  }
}

resource "aws_elb" "rpc" {
  name                      = "ha-lb-rpc"
  internal                  = false
  subnets                   = ["subnet-0a1b2c3d4e5f60718", "subnet-0f1e2d3c4b5a69788"]
  security_groups           = [aws_security_group.balancer.id]
  instances                 = []
  cross_zone_load_balancing = true
  connection_draining       = false
  idle_timeout              = 3600

  listener {
    lb_port           = 10003
    lb_protocol       = "TCP"
    instance_port     = 10003
    instance_protocol = "TCP"
  }

  health_check {
    target              = "HTTP:4655/hot"
    interval            = 5
    timeout             = 3
    unhealthy_threshold = 2
    healthy_threshold   = 2
  }
}

resource "aws_elb" "web" {
  name                      = "ha-lb-web"
  internal                  = false
  subnets                   = ["subnet-0a1b2c3d4e5f60718", "subnet-0f1e2d3c4b5a69788"]
  security_groups           = [aws_security_group.balancer.id]
  instances                 = []
  cross_zone_load_balancing = true
  connection_draining       = false
  idle_timeout              = 3600

  listener {
    lb_port           = 10004
    lb_protocol       = "HTTP"
    instance_port     = 10004
    instance_protocol = "HTTP"
  }

  health_check {
    target              = "HTTP:4655/hot"
    interval            = 5
    timeout             = 3
    unhealthy_threshold = 2
    healthy_threshold   = 2
  }
}

# The drive that both machines share.
resource "aws_efs_file_system" "drive" {
  creation_token   = "ha-drive"
  performance_mode = "generalPurpose"
  throughput_mode  = "elastic"
  encrypted        = true
  tags = {
    Name = "ha-drive"
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_efs_mount_target" "drive_0" {
  file_system_id  = aws_efs_file_system.drive.id
  subnet_id       = "subnet-0a1b2c3d4e5f60718"
  security_groups = [aws_security_group.drive.id]
}

resource "aws_efs_mount_target" "drive_1" {
  file_system_id  = aws_efs_file_system.drive.id
  subnet_id       = "subnet-0f1e2d3c4b5a69788"
  security_groups = [aws_security_group.drive.id]
}

output "p2p_name" {
  description = "the host of p2pAddress on both machines"
  value       = aws_elb.p2p.dns_name
}

output "rpc_name" {
  description = "what clients of rpc are told"
  value       = aws_elb.rpc.dns_name
}

output "web_name" {
  description = "what clients of web are told"
  value       = aws_elb.web.dns_name
}

output "file_system" {
  description = "hotcold.cloud.aws.fileSystem"
  value       = aws_efs_file_system.drive.id
}

output "node_security_group" {
  description = "the security group of the machines"
  value       = aws_security_group.node.id
}
