package config

import (
	"slices"
	"strings"
)

// legalNameOrder is the order in which Corda writes the parts of a name.
func legalNameOrder() []string { return []string{"CN", "OU", "O", "L", "ST", "C"} }

// canonicalLegalName writes an X.500 name in one way: parts in Corda's order, keys in capitals, one comma and one
// blank between parts. The two machines may spell the name differently in their files, and the lease must not take
// them for two pairs: two leases would be two nodes. A text that is no such name is only trimmed.
func canonicalLegalName(name string) string {
	type part struct{ key, value string }
	var parts []part
	for _, text := range splitUnescaped(name, ',') {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return strings.TrimSpace(name)
		}
		parts = append(parts, part{strings.ToUpper(strings.TrimSpace(key)), strings.TrimSpace(value)})
	}
	order := legalNameOrder()
	rank := func(p part) int {
		if i := slices.Index(order, p.key); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(parts, func(a, b part) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.key, b.key)
	})
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.key + "=" + p.value
	}
	return strings.Join(texts, ", ")
}

// splitUnescaped splits at a separator that has no backslash before it and stands outside of double quotes.
func splitUnescaped(text string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}
