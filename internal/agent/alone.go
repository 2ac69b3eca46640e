package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// TwinHereError says that another agent with this identity runs on this machine.
type TwinHereError struct{ Instance string }

func (e *TwinHereError) Error() string {
	return fmt.Sprintf("another agent of %s is running on this machine, with another runtime directory", e.Instance)
}

// stayAlone makes this agent the only one with its identity on this machine,
// whichever user it runs as and whatever its runtime directory is. The lock in the
// runtime directory cannot do that, and a second agent would take the node of the
// first for a leftover and kill it.
//
// It is a name among the abstract Unix sockets: the kernel gives it to one
// process, takes it back when that is dead, and nothing lies about on a disk.
func stayAlone(instance string) (leave func(), err error) {
	sum := sha256.Sum256([]byte(instance)) // a socket's name has 107 bytes at the most
	name := "@hotcold-agent/" + hex.EncodeToString(sum[:16])
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, &TwinHereError{Instance: instance}
	}
	if err != nil {
		return nil, fmt.Errorf("make sure that no other agent of %s runs here: %w", instance, err)
	}
	return func() { conn.Close() }, nil // nothing was ever sent, so nothing can be lost
}
