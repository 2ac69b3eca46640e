// Package aws writes a pair's plan down for AWS: the balancers with their health checks and listeners, the security
// groups, and an EFS file system with a mount target in each subnet. Setup holds what AWS is told, in AWS's words and
// checked against its ranges; Terraform, CloudFormation and Script only write it down.
//
// A Classic Load Balancer has one health check, so there is one for each kind of traffic, as in the guide, and three
// names; the name of the P2P one is what the node advertises. A Network Load Balancer has one name and a target group
// for each.
//
// The machines, their VPC and its subnets are there already, or are made by the commands of the README.
//
// No function asks AWS. All may be called from any goroutine. New returns hocon.Errors with places in the
// configuration.
//
// Source of its rules: AWS's published references of Elastic Load Balancing (2012-06-01 and v2), EFS, EC2 and
// CloudFormation.
package aws
