// Package cloudinit writes what a new machine of the pair is told at its first boot: packages, the user, the drive, the
// program, the unit, and hotcold.conf. The node itself, its files and its secrets come later, by the steps of the
// rendered README; until then the agent is enabled and not started.
//
// The configuration goes onto the machine as it was written, so it must hold no secret: LiteralSecrets finds those that
// stand in it instead of coming from the environment or a file.
//
// Nothing here asks anything; all functions may be called from any goroutine.
package cloudinit
