// Package azure writes a pair's plan down for Azure: a Standard load balancer with probes and rules, the firewall's
// rules, and a storage account with the file share. Setup holds what Azure is told, in Azure's words and checked
// against its ranges; Terraform, ARM and Script only write it down.
//
// The machines and their network are there already, or are made by the commands of the README; the pool holds the
// machines by their private addresses.
//
// No function asks Azure. All may be called from any goroutine. New returns hocon.Errors with places in the
// configuration.
//
// Source of its rules: the published ARM references of Microsoft.Network/loadBalancers and Microsoft.Storage, and
// Azure's pages on probes, idle timeouts and file shares.
package azure
