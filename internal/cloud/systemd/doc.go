// Package systemd writes the units of the agent and of the balancer for one configuration. The agent's unit is that of
// packaging/hotcold.service with the configuration's own paths and times; a test holds the two against each other.
//
// Nothing here reads or asks anything; all functions may be called from any goroutine.
package systemd
