package cli_test

import (
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/testserver"
)

// The same commands, with the lease and the board in a real etcd.
func TestTheCommandLineOnEtcd(t *testing.T) {
	server := testserver.Etcd(t, 3)
	runScripts(t, "testdata/etcd", map[string]string{"ETCD": "etcd://" + strings.Join(server.Addrs(), ",") + "/pair"})
}
