package corda_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/corda"
)

const primaryConf = `# The primary: every word of this file counts.
p2pAddress = "lb.example.com:10002" // the balancer
rpcSettings {
  address = "10.0.0.4:10003", adminAddress : "10.0.0.4:10004" # its own
}
messagingServerAddress = ${NODE_ADDRESS}":10005"
messagingServerExternal = false
rpcUsers = [{ user = "ä ö", password = geheim, permissions = [ALL] }]
enterpriseConfiguration.mutualExclusionConfiguration { machineName = machine-a, updateInterval = 20000 }
`

func neighbour(t *testing.T, text string) (string, corda.Neighbour) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, corda.Neighbour{Hosts: map[string]string{"10.0.0.4": "10.0.0.5"}, Name: "machine-a", Other: "machine-b",
		Environ: []string{"NODE_ADDRESS=10.0.0.4"}, WorkDir: "/"}
}

func TestTheNeighboursFileIsThisOneWithItsOwnValues(t *testing.T) {
	file, n := neighbour(t, primaryConf)
	twin, err := corda.ForNeighbour(file, n)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("10.0.0.4", "10.0.0.5", "machine-a", `"machine-b"`).Replace(primaryConf)
	if string(twin.Text) != want {
		t.Errorf("got\n%s", twin.Text)
	}
	if len(twin.Changed) != 3 || len(twin.Open) != 0 || !slices.Equal(twin.Environment, []string{"messagingServerAddress"}) {
		t.Errorf("changed %v, open %v, environment %v", twin.Changed, twin.Open, twin.Environment)
	}
}

func TestAValueThatNobodyNamedStaysOpen(t *testing.T) {
	file, n := neighbour(t, strings.Replace(primaryConf, "10.0.0.4:10003", "primary.example.com:10003", 1))
	twin, err := corda.ForNeighbour(file, n)
	if err != nil || len(twin.Open) != 1 || twin.Open[0] != (corda.Override{Name: "rpcSettings.address", Value: "primary.example.com:10003"}) {
		t.Errorf("open %v, %v", twin.Open, err)
	}
	n.Fields = []corda.Override{{Name: "rpcSettings.address", Value: "back-up.example.com:10003"}}
	twin, err = corda.ForNeighbour(file, n)
	if err != nil || len(twin.Open) != 0 || !strings.Contains(string(twin.Text), `address = "back-up.example.com:10003", admin`) {
		t.Errorf("open %v, %v\n%s", twin.Open, err, twin.Text)
	}
}

func TestWhatMeansEachMachineItselfStays(t *testing.T) {
	const text = "rpcSettings { address = \"0.0.0.0:10003\", adminAddress = \"localhost:10004\" }\n"
	file, n := neighbour(t, text)
	twin, err := corda.ForNeighbour(file, n)
	if err != nil || string(twin.Text) != text || len(twin.Open)+len(twin.Changed) != 0 {
		t.Errorf("%+v, %v", twin, err)
	}
}

// A value that another one is made from, or that is put together of pieces, cannot
// be changed in its place without changing more.
func TestAValueInPiecesStaysOpen(t *testing.T) {
	for _, text := range []string{
		"host = 10.0.0.4\nrpcSettings.address = ${host}\":10003\"\n",
		"rpcSettings.address = \"10.0.0.4\"\":10003\"\n",
		"rpcSettings.address = \"\"\"10.0.0.4:10003\"\"\"\n",
	} {
		file, n := neighbour(t, text)
		twin, err := corda.ForNeighbour(file, n)
		if err != nil || string(twin.Text) != text || len(twin.Open) != 1 {
			t.Errorf("%q: %+v, %v", text, twin, err)
		}
	}
	file, n := neighbour(t, "rpcSettings.address = \"10.0.0.4:10003\"\ncustom.copy = ${rpcSettings.address}\n")
	if twin, err := corda.ForNeighbour(file, n); err == nil {
		t.Errorf("another value changed with it: %s", twin.Text)
	}
}
