// Package buildinfo says which build of hotcold this is.
//
// The version comes from the linker (make build takes it from git), or, after go
// install, from the module. Commit, date and compiler come from what Go stamps into
// every binary. What is not known is left out; nothing here fails or changes while
// the program runs, so every function may be called from any goroutine.
package buildinfo
