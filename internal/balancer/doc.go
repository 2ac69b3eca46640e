// Package balancer gives the pair one address: it sends P2P, RPC and web traffic to the machine that is hot, and to no
// other. It decides who that is; a [Path] moves the bytes.
package balancer
