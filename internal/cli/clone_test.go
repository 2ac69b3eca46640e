package cli_test

import (
	"strconv"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// A twin by SSH, with a real sshd: what a person sees, and what is refused.
func TestTheCommandLineBySSH(t *testing.T) {
	server := testserver.SSH(t)
	runScripts(t, "testdata/ssh", map[string]string{
		"TO":    server.User + "@127.0.0.1:" + strconv.Itoa(server.Port),
		"KEY":   server.KeyFile,
		"KNOWN": server.KnownHosts,
	})
}
