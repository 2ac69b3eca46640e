// Package bench compares places for the lease with each other and with what others
// do, on real servers of this machine. It has no code of its own and is never
// linked into the program; run it with
//
//	go test -run '^$' -bench . ./bench
package bench
