package config

import (
	"os"
	"path/filepath"
	"testing"
)

// The examples are used as they stand; the manual shows them.
func TestExamplesLoadWithoutAWarning(t *testing.T) {
	for name, preset := range map[string]string{"corda": "corda", "artemis": "artemis", "command": "command", "cloud": "corda"} {
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.Abs(filepath.Join("../../examples", name))
			if err != nil {
				t.Fatal(err)
			}
			vars := map[string]string{
				"LOAD_BALANCER_ADDRESS": "node.example.com", "NODE_MACHINE_ADDRESS": "10.0.0.5",
				"KEY_STORE_PASSWORD": "a", "TRUST_STORE_PASSWORD": "b", "RPC_PASSWORD": "c",
				"DB_JDBC_URL": "jdbc:postgresql://db.example.com/corda", "DB_USER": "corda", "DB_PASSWORD": "d", "HOTCOLD_DB_PASSWORD": "e",
			}
			c, err := Load(filepath.Join(dir, "hotcold.conf"), Env{
				Lookup:   func(key string) (string, bool) { v, ok := vars[key]; return v, ok },
				Hostname: "machine-a", WorkDir: dir, Euid: os.Geteuid(),
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Warnings) != 0 {
				t.Errorf("got warnings:\n%s", warningsOf(c))
			}
			if string(c.Preset.Name) != preset || c.BaseDir != dir || c.Drive.EpochFile == "" {
				t.Errorf("got preset %s, base directory %s, epoch file %s", c.Preset.Name, c.BaseDir, c.Drive.EpochFile)
			}
		})
	}
}
