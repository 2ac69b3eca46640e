// Package house holds the rules of this repository as tests. It has no code of its
// own, and it checks text and syntax only: which package may import which stands in
// .depguard.yaml, what is wrong in the code is for vet and staticcheck.
//
// The rules: clocks are read in internal/clock only; no init functions; packages
// are named for what they hold and have a doc.go; main.go is short; no file names a
// path of the machine it was written on; docs/dependencies.md and go.mod agree, and
// so do the tests and the script which fetches what they need.
package house
