//go:build !race

package splice_test

const raceDetector = false
