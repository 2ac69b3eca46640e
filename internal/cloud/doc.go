// Package cloud is the plan of a pair's set-up in neutral words: the machines, what stands in front of them, and the
// drive that they share. Its subpackages write it down for Azure, for AWS, and for machines of one's own; this package
// puts what they wrote into a directory, and tells later what has drifted.
//
// It asks no cloud, opens no connection and reads no account. What a cloud would refuse is found before anything is
// written, as far as its ranges and forms are known: those are in the subpackages, each with a test of one value inside
// and one outside.
//
// # Where values come from
//
// A value that somebody wrote is taken as it stands, or refused with its place and the range. One that nobody wrote is
// the cloud's: the defaults of hotcold's own balancer look several times a second, which no cloud does. Where the
// balancer's profile is that cloud's, its defaults are the profile's, so that what was rehearsed is what is rendered.
//
// # Secrets
//
// No rendering holds a secret. What a machine needs of them comes to it as a file or as a variable, and the rendered
// README says which and when.
//
// # Errors
//
// New and the subpackages return hocon.Errors, each with file, line and column. Write returns a *ForeignError where it
// would have to overwrite what it did not write.
//
// # Goroutines
//
// All functions may be called from any goroutine; a Plan and a Set are not changed once they are made.
//
// # Source of its rules
//
// The names and the shape are those of Corda Enterprise's hot-cold guide. Ranges are from the providers' published
// references: Azure's ARM templates and load balancer pages, AWS's Classic Load Balancer, EFS and CloudFormation.
package cloud
