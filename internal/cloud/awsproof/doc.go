// Package awsproof holds what is rendered for AWS against an imitation of AWS, in its tests: the stack is created and the
// script is run, and then balancers, health checks, security groups and drive are read back by AWS's own SDK and compared
// with the plan. It has no code of its own and stands apart because the SDK takes long to compile.
package awsproof
