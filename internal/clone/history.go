package clone

import "time"

// Told is what one of two machines had from some time on.
type Told struct {
	At time.Time
	// Here: it is this machine's, and not the other's.
	Here     bool
	Manifest Manifest
}

// Since says since when two machines have differed in a file, by what they told,
// the oldest first. The zero time means that they never were alike as far back as that goes.
func Since(told []Told, path string) time.Time {
	var here, there *Manifest
	var since time.Time
	alike := true // before anything is known, nothing differs
	for i, t := range told {
		if t.Here {
			here = &told[i].Manifest
		} else {
			there = &told[i].Manifest
		}
		if here == nil || there == nil {
			continue
		}
		if differs(*here, *there, path) {
			if alike {
				since, alike = t.At, false
			}
			continue
		}
		alike = true
	}
	if alike {
		return time.Time{}
	}
	return since
}

func differs(here, there Manifest, path string) bool {
	a, ok := here.At(path)
	b, both := there.At(path)
	return ok != both || a.SHA256 != b.SHA256 || a.Link != b.Link || a.Mode != b.Mode
}
