package hocon

import "strings"

// Nearest returns the known key that a misspelt one most likely stands for, and
// false when none is near. Letter case counts little, and two letters changed
// over count as one slip. Of two keys equally near the one listed first is taken.
func Nearest(key string, known []string) (string, bool) {
	best, found := "", false
	least := 1 // up to two letters, only case may differ
	if len(key) > 2 {
		least = max(1, len(key)/3) + 1
	}
	for _, k := range known {
		if k == key {
			continue
		}
		if d := distance(strings.ToLower(key), strings.ToLower(k)); d < least {
			best, found, least = k, true, d
		}
	}
	return best, found
}

// distance counts the slips between two words: letters put in, left out,
// replaced, or changed over with their neighbour.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before := make([]int, len(t)+1)
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(s); i++ {
		next := make([]int, len(t)+1)
		next[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(t)]
}
