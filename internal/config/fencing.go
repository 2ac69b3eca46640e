package config

import (
	"maps"
	"slices"
	"strings"
)

// fencing reads who is locked out of the database. Without a lease there is nobody to fence, and what would be
// wrong is not said.
func (d *decoder) fencing(db Database, machine string, needed bool) Fencing {
	const at = "hotcold.database.fencing."
	f := Fencing{On: d.bool(at + "on"), Roles: map[string]string{}}
	var shown []string
	for name, role := range d.environment(at + "roles") {
		f.Roles[name] = role.Reveal() // the name of a role is no secret
		shown = append(shown, name+"="+role.Reveal())
	}
	slices.Sort(shown)
	d.show(at+"roles", strings.Join(shown, " "))
	if !f.On || !needed {
		return f
	}
	v := d.cfg.At(at + "roles")
	switch roles := slices.Sorted(maps.Values(f.Roles)); {
	case !written(v):
		d.missing(at+"roles", "no roles: fencing wants to know under which role the node of each machine logs in; want { machine-a = node_a, machine-b = node_b }")
	case db.Dialect == DialectSQLite:
		d.fail(d.cfg.At(at+"on").Errorf("%s knows no roles, so nobody can be locked out of it", db.Dialect))
	case db.Dialect != "" && !slices.Contains(fenceable(), db.Dialect):
		d.fail(d.cfg.At(at+"on").Errorf("hotcold locks nobody out of %s yet; want one of %v, or fencing off", db.Dialect, fenceable()))
	case slices.Contains(roles, ""):
		d.fail(v.Errorf("want a role for each machine, got an empty name"))
	case f.Roles[machine] == "":
		d.fail(v.Errorf("there is no role for this machine, which is called %q (hotcold.mutualExclusion.machineName)", machine))
	case len(roles) < 2:
		d.fail(v.Errorf("want the roles of all machines of the pair, got one"))
	case len(slices.Compact(slices.Clone(roles))) < len(roles):
		d.fail(v.Errorf("want a role of its own for each machine: whoever locks the other out would lock itself out"))
	case slices.Contains(roles, db.User):
		d.fail(v.Errorf("%s is also the role of the agent, which must not be locked out; give the agent a role of its own (hotcold.database.user)", db.User))
	default:
		d.nodesRole(f.Roles[machine], machine)
	}
	return f
}

// fenceable are the dialects in which a node can be locked out.
func fenceable() []Dialect {
	return []Dialect{DialectPostgres, DialectMySQL, DialectMariaDB, DialectSQLServer, DialectOracle}
}

// nodesRole holds the role that is let in against the one under which the node of node.conf logs in.
func (d *decoder) nodesRole(role, machine string) {
	if user := d.nodeProperty("user"); user != "" && user != role {
		d.fail(d.nodeValue("user").Errorf("the node logs in as %s, and fencing lets %s in on %s; want dataSource.user = ${NODE_DB_USER} with the machine's own role in the environment",
			user, role, machine))
	}
}

// OthersRoles are the roles of all machines but one, sorted.
func (f Fencing) OthersRoles(machine string) []string {
	var roles []string
	for name, role := range f.Roles {
		if name != machine {
			roles = append(roles, role)
		}
	}
	slices.Sort(roles)
	return roles
}
