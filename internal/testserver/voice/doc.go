// Package voice is an agent's real listener that says what a test wants: for tests of whoever hears agents.
//
// The listener, its stream and its authentication are an agent's own; only the snapshot that it tells is the test's.
// Nothing is elected and no node runs behind it. It falls silent at the end of the test.
package voice
