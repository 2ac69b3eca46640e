// Package keepalived writes the configuration by which two balancers share one address: VRRP moves it to the one whose
// hotcold answers /live. Both may run at once, since a balancer keeps no state of its own; the address only decides who
// is asked.
//
// Nothing here reads or asks anything; all functions may be called from any goroutine.
package keepalived
