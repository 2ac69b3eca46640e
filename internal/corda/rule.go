package corda

import "github.com/hotcold/hotcold/hocon"

// rules are those that a node holds its configuration against when it starts.
func (l *linter) rules() {
	for _, f := range l.rows {
		if f.Required && !written(l.at(f.Path)) && !(f.Path == "rpcSettings.address" && l.has("rpcAddress")) {
			l.missing("required", f.Path, "is missing, and the node does not start without it", "")
		}
	}
	l.apart("rpcAddress", "rpcSettings.address")
	l.apart("rpcUsers", "security")
	l.apart("compatibilityZoneURL", "networkServices")
	l.apart("h2port", "h2Settings")
	if l.yes("rpcSettings.useSsl") && !l.has("rpcSettings.ssl") {
		l.add(Error, "required", l.at("rpcSettings.useSsl"), "is true, and rpcSettings.ssl is missing", "write rpcSettings.ssl { keyStorePath, keyStorePassword }, or useSsl = false")
	}
	l.devMode()
	l.revocation()
	l.authentication()
	l.users()
	for _, key := range []string{"initialiseSchema", "initialiseAppSchema"} {
		if v := l.cfg.At("database." + key); written(v) {
			l.found = append(l.found, Finding{Error, "removed", v.KeyPos(), v.Path(), "has been removed", "run java -jar corda.jar run-migration-scripts --core-schemas --app-schemas"})
		}
	}
}

func (l *linter) has(path string) bool { return l.some(l.cfg.At(path)) }

// some says whether anything below a value was written.
func (l *linter) some(v hocon.Value) bool {
	if v.Kind() != hocon.Object {
		return written(v)
	}
	for _, key := range v.Keys() {
		if l.some(v.Get(key)) {
			return true
		}
	}
	return len(v.Keys()) == 0
}

// yes says whether a truth value is true, be it written or a default.
func (l *linter) yes(path string) bool {
	b, err := l.cfg.At(path).Bool()
	return err == nil && b
}

// apart tells two keys that exclude each other.
func (l *linter) apart(a, b string) {
	if !l.has(a) || !l.has(b) {
		return
	}
	if items, err := l.cfg.At(a).List(); a == "rpcUsers" && err == nil && len(items) == 0 {
		return
	}
	v := l.cfg.At(a)
	l.found = append(l.found, Finding{Error, "exclusive", v.KeyPos(), a, "stands beside " + b + " (" + l.cfg.At(b).KeyPos().String() + "), and the node takes one of them only", "keep " + b})
}

func (l *linter) devMode() {
	dev := l.yes("devMode")
	zone := "networkServices"
	if l.has("compatibilityZoneURL") {
		zone = "compatibilityZoneURL"
	}
	if dev && l.has(zone) && !l.yes("devModeOptions.allowCompatibilityZone") {
		l.add(Error, "devMode", l.at("devMode"), "is true, and "+zone+" names a network, which a node in devMode does not join", "write devMode = false")
	}
	for _, path := range []string{"devModeOptions", "useTestClock"} {
		if v := l.cfg.At(path); !dev && l.has(path) && (path == "devModeOptions" || l.yes(path)) {
			l.found = append(l.found, Finding{Error, "devMode", v.KeyPos(), path, "is for devMode only, which is off", "take it out"})
		}
	}
}

func (l *linter) revocation() {
	if l.has("tlsCertCrlDistPoint") {
		return
	}
	if l.has("tlsCertCrlIssuer") {
		l.add(Error, "required", l.at("tlsCertCrlIssuer"), "wants tlsCertCrlDistPoint, which is missing", "")
	}
	if v := l.at("crlCheckSoftFail"); written(v) && !literal(v) && !unknown(v) && !l.yes("crlCheckSoftFail") {
		l.add(Error, "required", v, "is false, which wants tlsCertCrlDistPoint, and that is missing", "")
	}
}

func (l *linter) authentication() {
	const at = "security.authService."
	kind := l.at(at + "dataSource.type")
	if !written(kind) || literal(kind) || unknown(kind) {
		return
	}
	users, connection := l.has(at+"dataSource.users"), l.has(at+"dataSource.connection")
	switch text := kind.Reveal(); {
	case text == "INMEMORY" && (!users || connection):
		l.add(Error, "security", kind, "is INMEMORY, which wants users and no connection", "")
	case text == "DB" && (users || !connection):
		l.add(Error, "security", kind, "is DB, which wants connection and no users", "")
	}
	if kind.Reveal() == "INMEMORY" && l.has(at+"options.cache") {
		l.add(Error, "security", l.cfg.At(at+"options.cache"), "users in memory have no cache", "take it out")
	}
}

// users looks at each user of RPC.
func (l *linter) users() {
	for _, path := range []string{"rpcUsers", "security.authService.dataSource.users"} {
		items, err := l.cfg.At(path).List()
		if err != nil {
			continue
		}
		for _, item := range items {
			known := []string{"username", "user", "password", "permissions"}
			for _, key := range item.Keys() {
				if near, ok := hocon.Nearest(key, known); ok && near != key {
					l.found = append(l.found, Finding{Error, "unknown-key", item.Get(key).KeyPos(), item.Get(key).Path(), "is not known", "did you mean " + near + "?"})
				}
			}
			if item.Kind() == hocon.Object && !item.Get("username").Exists() && !item.Get("user").Exists() {
				l.add(Error, "required", item, "has no username", "")
			}
			if item.Kind() == hocon.Object && !item.Get("password").Exists() {
				l.add(Error, "required", item, "has no password", "")
			}
		}
	}
}
