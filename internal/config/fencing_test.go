package config

import (
	"slices"
	"strings"
	"testing"
)

const fencedPair = `hotcold { name = pair, preset = command, node.command = [/bin/true], mutualExclusion.machineName = machine-a }
hotcold.database { url = "postgres://agents@db/x", fencing.on = true }
`

func TestFencingKnowsTheRolesOfAllMachines(t *testing.T) {
	c := newRoom(t).mustLoad(fencedPair + `hotcold.database.fencing.roles { machine-a = node_a, "machine.b" = node_b, machine-c = node_c }`)
	f := c.Database.Fencing
	if !f.On || f.Roles["machine-a"] != "node_a" || !slices.Equal(f.OthersRoles("machine-a"), []string{"node_b", "node_c"}) {
		t.Errorf("%+v", f)
	}
	for _, s := range c.Settings {
		if s.Path == "hotcold.database.fencing.roles" && s.Value != "machine-a=node_a machine-c=node_c machine.b=node_b" {
			t.Errorf("what is in force is shown as %q", s.Value)
		}
	}
}

func TestFencingIsOffUnlessAskedForAndReplicationIsLookedFor(t *testing.T) {
	c := newRoom(t).mustLoad(least)
	if c.Database.Fencing.On || c.Database.Replication != ReplicationAuto {
		t.Errorf("%+v", c.Database)
	}
}

func TestFencingThatWouldLockTheWrongOneOutIsAFault(t *testing.T) {
	for want, roles := range map[string]string{
		"no roles: fencing wants to know":                    ``,
		"there is no role for this machine":                  `hotcold.database.fencing.roles { machine-b = node_b, machine-c = node_c }`,
		"want the roles of all machines of the pair":         `hotcold.database.fencing.roles { machine-a = node_a }`,
		"want a role of its own for each machine":            `hotcold.database.fencing.roles { machine-a = node, machine-b = node }`,
		"agents is also the role of the agent":               `hotcold.database.fencing.roles { machine-a = node_a, machine-b = agents }`,
		"got an empty name":                                  `hotcold.database.fencing.roles { machine-a = node_a, machine-b = "" }`,
		"sqlite knows no roles":                              "hotcold.database.fencing.roles { machine-a = a, machine-b = b }\nhotcold.database.url = \"sqlite:/srv/x.db\"",
		"the node logs in as corda, and fencing lets node_a": "hotcold.database.fencing.roles { machine-a = node_a, machine-b = node_b }\ndataSourceProperties.dataSource.user = corda",
	} {
		r := newRoom(t)
		r.file("hotcold.conf", fencedPair+roles)
		_, err := r.load("hotcold.conf")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hotcold.conf:") {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestFencingServesTheOtherServersToo(t *testing.T) {
	for dialect, url := range map[string]string{"mysql": "mysql://db/x", "mariadb": "mariadb://db/x", "sqlserver": "sqlserver://db?database=x", "oracle": "oracle://db:1521/x"} {
		c := newRoom(t).mustLoad(fencedPair + "hotcold.database.fencing.roles { machine-a = node_a, machine-b = node_b }\nhotcold.database.url = \"" + url + "\"")
		if string(c.Database.Dialect) != dialect || !c.Database.Fencing.On {
			t.Errorf("%+v", c.Database)
		}
	}
}

func TestFencingIsNotJudgedWithoutALease(t *testing.T) {
	newRoom(t).mustLoad(fencedPair + "hotcold.mutualExclusion.on = false")
}
