//go:build race

package lease

// usualSeeds is how many seeds are tried: the race detector makes each cost
// several times as much.
const usualSeeds = 2000
