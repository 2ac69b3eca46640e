package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The manual page has every setting of the table once, and no other.
func TestManPageHasEverySettingOnceAndNoOther(t *testing.T) {
	var got []string
	for _, found := range regexp.MustCompile(`(?m)^\.TP\n\.B (hotcold\..+)$`).FindAllStringSubmatch(ManPage(), -1) {
		got = append(got, strings.ReplaceAll(found[1], `\-`, "-"))
	}
	if want := settingPaths(); !slices.Equal(got, want) {
		t.Errorf("the page has %q, the table %q", got, want)
	}
}

// No text of the table may become a request of roff by chance.
func TestManPageHasNoRequestsButItsOwn(t *testing.T) {
	own := []string{".TH", ".SH", ".PP", ".TP", ".B", ".BR", ".I", ".br"}
	for line := range strings.Lines(ManPage()) {
		request, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !slices.Contains(own, request) {
			t.Errorf("%q is read as a request", line)
		}
	}
}

// The schema has every setting of the table and no other.
func TestJSONSchemaHasEverySettingAndNoOther(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal([]byte(JSONSchema()), &root); err != nil {
		t.Fatal(err)
	}
	var got []string
	var walk func(path string, o map[string]any)
	walk = func(path string, o map[string]any) {
		properties, ok := o["properties"].(map[string]any)
		if named, is := o["additionalProperties"].(map[string]any); is && named["properties"] != nil {
			properties, ok = map[string]any{anyName: named}, true
		}
		if !ok {
			got = append(got, path)
			return
		}
		for key, child := range properties {
			walk(strings.TrimPrefix(path+"."+key, "."), child.(map[string]any))
		}
	}
	walk("", root)
	want := settingPaths()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the schema has %q, the table %q", got, want)
	}
}

func settingPaths() []string {
	var paths []string
	for _, s := range Settings() {
		paths = append(paths, s.Path)
	}
	return paths
}

func TestHotcoldReadsNoFieldThatIsNone(t *testing.T) {
	for path := range aliases() {
		if !ReadsOfNode(aliases()[path]) || ReadsOfNode(path) {
			t.Errorf("%s", path)
		}
	}
}
