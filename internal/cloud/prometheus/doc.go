// Package prometheus writes alert rules for the metrics of the agents. Each alert says what a person should do. Tests
// hold every metric that is asked for against those that the agent has, and run the rules with promtool.
//
// Nothing here reads or asks anything; all functions may be called from any goroutine.
package prometheus
