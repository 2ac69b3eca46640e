//go:build !race

package lease

// usualSeeds is how many seeds are tried.
const usualSeeds = 3000
