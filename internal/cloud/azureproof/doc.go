// Package azureproof holds what is rendered for Azure against Azure's own SDK, in its tests: each resource of the
// template goes as a typed request through the SDK's client to the SDK's fake server, and is read back there. What the
// SDK does not know is lost on the way, and so found. It has no code of its own and stands apart because the SDK takes
// long to compile.
package azureproof
