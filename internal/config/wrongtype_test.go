package config

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever is written where a setting wants something else, there is one fault, at that place and under that path.
func TestValuesOfAnotherKindAreFaults(t *testing.T) {
	// What each type cannot be read from.
	wrong := map[Type][]string{
		TypeBool: {"maybe", "7", "[]", "{ a = 1 }"}, TypeText: {"[a]", "{ a = 1 }"}, TypeChoice: {"[a]", "{ a = 1 }", "other"},
		TypeInt: {"many", "1.5", "true", "[1]", "{ a = 1 }"}, TypeDuration: {"soon", "5 parsecs", "true", "[1]", "{ a = 1 }"},
		TypeSize: {"large", "5 s", "true", "[1]", "{ a = 1 }"}, TypePath: {"[a]", "{ a = 1 }"}, TypeAddress: {"nowhere", "[a]", "{ a = 1 }"},
		TypeAddrs: {"\"a:1\"", "[nowhere]", "[[a]]", "{ a = 1 }"}, TypeURL: {"nowhere", "[a]", "{ a = 1 }"},
		TypePatterns: {"a", "[[a]]", "[/etc]", "[\"../up\"]", "[\"[\"]", "{ a = 1 }"},
		TypeRegexp:   {"\"(\"", "[a]", "{ a = 1 }"}, TypeCommand: {"[[a]]", "[\"\"]", "[a, \"b\\u0000\"]", "{ a = 1 }"},
		TypeEnv: {"a", "[a]", "{ A = [1] }", "{ \"A=B\" = 1 }", "{ A = \"\\u0000\" }"}, TypeSecret: {"[a]", "{ a = 1 }"},
		TypeIP: {"example.com", "\"\"", "\"10.0.0.0/8\"", "[a]", "{ a = 1 }"}, TypeNets: {"10.0.0.1", "[home]", "[\"10.0.0.0/40\"]", "[[a]]", "{ a = 1 }"},
		TypeTexts: {"a", "[[a]]", "[\"\\u0000\"]", "{ a = 1 }"},
	}
	r := newRoom(t)
	for _, s := range Settings() {
		if len(wrong[s.Type]) == 0 {
			t.Errorf("%s: there is no wrong value for %s in this test", s.Path, s.Type)
		}
		for _, value := range wrong[s.Type] {
			path := sampleNames().Replace(s.Path)
			text := fmt.Sprintf("%s%s%s = %s\n", least, named, path, value)
			got := r.faults(text)
			if len(got) != 1 || !strings.HasPrefix(got[0], "hotcold.conf:3:") || !strings.Contains(got[0], path) {
				t.Errorf("%s = %s: got %d faults:\n%s", path, value, len(got), strings.Join(got, "\n"))
			}
		}
	}
}
