package corda

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// pair finds what goes wrong when two machines have this configuration.
func (l *linter) pair() {
	if l.yes("devMode") {
		l.add(Warning, "devMode", l.at("devMode"), "is on: where a key store is missing, the back-up makes itself another identity without a word", "write devMode = false")
	}
	if v := l.at("detectPublicIp"); written(v) && l.yes("detectPublicIp") {
		l.add(Warning, "address", v, "is on: the network would be told the machine's own address instead of p2pAddress", "write detectPublicIp = false")
	}
	l.advertised()
	l.dialled()
	l.database()
	l.exclusion()
	l.unset()
}

// text is a field's text where it is known.
func (l *linter) text(path string) (string, hocon.Value, bool) {
	v := l.at(path)
	ok := v.Exists() && v.Kind() < hocon.List && v.Kind() != hocon.Null && !literal(v) && !unknown(v)
	if !ok {
		return "", v, false
	}
	return v.Reveal(), v, true
}

// advertised looks at the addresses that the network is told.
func (l *linter) advertised() {
	first, v, ok := l.text("p2pAddress")
	switch {
	case ok && unspecified(first):
		l.add(Error, "address", v, "is every interface of the machine, which nobody can dial; the node refuses it", "write the balancer's address")
	case ok && loopback(first):
		l.add(Warning, "address", v, "is a loopback address, which is all that the network would be told", "write the balancer's address")
	}
	items, err := l.at("additionalP2PAddresses").List()
	if err != nil {
		return
	}
	seen := []string{first}
	for _, item := range items {
		if literal(item) || unknown(item) || item.Kind() >= hocon.List {
			continue
		}
		text := item.Reveal()
		if unspecified(text) {
			l.add(Error, "address", item, "is every interface of the machine, which nobody can dial; the node refuses it", "write the balancer's address")
		}
		if slices.Contains(seen, text) {
			l.add(Warning, "address", item, fmt.Sprintf("is %s once more", item), "take it out")
		}
		seen = append(seen, text)
	}
	if v := l.at("additionalP2PAddresses"); len(items) > 0 && l.fromEnvironment(v) {
		l.add(Warning, "address-order", v, "comes from the environment, which differs between machines; with another order each takeover changes the network map",
			"write the addresses themselves, in one order on both machines")
	}
}

// fromEnvironment says whether any part of a value came from a variable.
func (l *linter) fromEnvironment(v hocon.Value) bool {
	if items, err := v.List(); err == nil {
		return slices.ContainsFunc(items, l.fromEnvironment)
	}
	return unknown(v) || envIn(v.Origin())
}

func envIn(o hocon.Origin) bool {
	return o.Kind == hocon.FromEnv || slices.ContainsFunc(o.Parts, envIn)
}

// dialled looks at the addresses that the node itself or the balancer dials.
func (l *linter) dialled() {
	for _, path := range []string{"messagingServerAddress", "rpcSettings.adminAddress"} {
		if text, v, ok := l.text(path); ok && unspecified(text) {
			l.add(Warning, "address", v, "is every interface of the machine, and the node has to dial it", "write the machine's own address")
		}
	}
	if v := l.at("messagingServerAddress"); written(v) && !written(l.at("messagingServerExternal")) {
		l.add(Warning, "messagingServerExternal", v, "is set and messagingServerExternal is not, which is true then: the node starts no broker and waits for one elsewhere",
			"write messagingServerExternal = false, or true where the broker is a program of its own")
	}
}

// database finds H2, which is a file of one machine.
func (l *linter) database() {
	const at = "dataSourceProperties."
	address, v, known := l.text(at + "dataSource.url")
	class, _, _ := l.text(at + "dataSourceClassName")
	switch {
	case literal(v) || unknown(v):
	case !written(v) && !written(l.at(at+"dataSourceClassName")):
		l.missing("h2", "dataSourceProperties", "is missing, so the node uses H2, a file that the other machine does not have",
			"name a database that both machines reach")
	case known && written(v) && strings.HasPrefix(address, "jdbc:h2:"):
		l.add(Error, "h2", v, "is H2, a database that the other machine does not have", "name a database that both machines reach")
	case strings.HasPrefix(class, "org.h2."):
		l.add(Error, "h2", l.at(at+"dataSourceClassName"), "is H2, a database that the other machine does not have", "name a database that both machines reach")
	}
	if l.has("h2Settings") {
		v := l.cfg.At("h2Settings")
		l.found = append(l.found, Finding{Warning, "h2", v.KeyPos(), "h2Settings", "is for H2, a database that the other machine does not have", "take it out"})
	}
}

// exclusion looks at the node's own mutual exclusion.
func (l *linter) exclusion() {
	const at = "enterpriseConfiguration.mutualExclusionConfiguration."
	update, errU := l.cfg.At(at + "updateInterval").Int()
	wait, errW := l.cfg.At(at + "waitInterval").Int()
	if errU == nil && errW == nil && wait <= update {
		l.add(Error, "interval", l.cfg.At(at+"waitInterval"), fmt.Sprintf("is %v, no more than updateInterval (%v): the lease would be taken from a holder that is well",
			milliseconds(wait), milliseconds(update)), "write twice updateInterval or more")
	}
	if !l.yes(at + "on") {
		return
	}
	l.add(Warning, "two-leases", l.cfg.At(at+"on"), "is on: under hotcold there would be two leases, and after a planned switchover the node may wait for its own and end",
		"write on = false here, and hotcold.mutualExclusion.on = true in hotcold.conf")
	for _, key := range []string{"updateInterval", "waitInterval"} {
		if !written(l.cfg.At(at + key)) {
			l.missing("interval", at+key, "is missing; newer releases have no default for it", "write "+key+", in milliseconds")
		}
	}
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// unset tells the variables that are not set, where they are asked for.
func (l *linter) unset() {
	l.walk(l.cfg.Root(), func(v hocon.Value) {
		if v.Kind() != hocon.String || !unknown(v) {
			return
		}
		names := unsetIn(v.Origin())
		l.add(Warning, "unset", v, "hangs on "+strings.Join(names, " and ")+", not set in this environment; the node does not start without", "")
	})
}

// unsetIn are the names of the variables that a value came from.
func unsetIn(o hocon.Origin) []string {
	var names []string
	if o.Kind == hocon.FromEnv {
		names = append(names, o.EnvName)
	}
	for _, part := range o.Parts {
		for _, name := range unsetIn(part) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// walk calls a function for every value below one.
func (l *linter) walk(v hocon.Value, each func(hocon.Value)) {
	each(v)
	for _, key := range v.Keys() {
		l.walk(v.Get(key), each)
	}
	if items, err := v.List(); v.Kind() == hocon.List && err == nil {
		for _, item := range items {
			l.walk(item, each)
		}
	}
}
