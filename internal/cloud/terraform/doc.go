// Package terraform writes Terraform's and OpenTofu's language, HCL, for the packages of the clouds. It knows blocks,
// values, references and comments, and no provider: which resource has which argument is the caller's business.
//
// A Body belongs to one goroutine. Nothing here reads or asks anything.
package terraform
