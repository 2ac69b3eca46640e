package doctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCommandsAndFlagsOfTheManualExist(t *testing.T) {
	helps := helpOfCommands(t)
	for _, name := range manual() {
		p := readPage(t, name)
		for _, w := range p.words() {
			if strings.HasPrefix(w.text, "hotcold ") {
				checkCommand(t, helps, name, w.line, w.text)
			}
		}
		for _, b := range p.blocks {
			if !b.is("sh") {
				continue
			}
			for i, line := range strings.Split(b.text, "\n") {
				checkLine(t, helps, name, b.line+i, line)
			}
		}
	}
}

func TestTheReadmeListsEveryCommand(t *testing.T) {
	var got []string
	for _, cells := range readPage(t, "README.md").table(t, "command") {
		got = append(got, strings.TrimPrefix(strings.Trim(cells[0], "`"), "hotcold "))
	}
	var want []string
	for name := range helpOfCommands(t) {
		if name != "help" {
			want = append(want, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the commands are %q, and README.md lists %q", want, got)
	}
}

// checkLine looks at a line of a block for the shell.
func checkLine(t *testing.T, helps map[string]string, page string, at int, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, "#")
	for command := range strings.SplitSeq(strings.ReplaceAll(line, "&&", ";"), ";") {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "hotcold":
			checkCommand(t, helps, page, at, strings.TrimSpace(command))
		case "make":
			target := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:.*## `)
			if !target.MatchString(readFile(t, "Makefile")) {
				t.Errorf("%s:%d: make has no target %s", page, at, words[1])
			}
		}
		for _, word := range words {
			if strings.HasPrefix(word, "packaging/") {
				if _, err := os.Stat(filepath.Join(root, word)); err != nil {
					t.Errorf("%s:%d: %v", page, at, err)
				}
			}
		}
	}
}

// checkCommand looks a command and its flags up in the program's own help.
func checkCommand(t *testing.T, helps map[string]string, page string, at int, text string) {
	t.Helper()
	words := strings.Fields(text)
	help, ok := helps[strings.TrimRight(words[1], ".,;:")]
	if !ok {
		t.Errorf("%s:%d: there is no command %q", page, at, text)
		return
	}
	if len(words) > 2 && strings.Contains(help, "Available Commands:") && !strings.HasPrefix(words[2], "-") &&
		!regexp.MustCompile(`(?m)^  `+regexp.QuoteMeta(strings.TrimRight(words[2], ".,;:"))+`  +\S`).MatchString(help) {
		t.Errorf("%s:%d: there is no command %q", page, at, text)
	}
	for _, word := range words[2:] {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "--") && !regexp.MustCompile(`(^|\s)`+flag+`(\s|$)`).MatchString(help) {
			t.Errorf("%s:%d: %s: the command has no flag %s", page, at, text, flag)
		}
	}
}

// helpOfCommands asks the program for its commands and what each says of itself.
func helpOfCommands(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	entry := regexp.MustCompile(`(?m)^  ([a-z]+)  +\S`)
	help := ask(t, "--help")
	_, list, _ := strings.Cut(help, "Usage:")
	for _, found := range entry.FindAllStringSubmatch(list, -1) {
		if found[1] != "hotcold" {
			help := ask(t, found[1], "--help")
			if _, group, ok := strings.Cut(help, "Available Commands:"); ok {
				group, _, _ = strings.Cut(group, "\n\n")
				for _, sub := range entry.FindAllStringSubmatch(group, -1) {
					help += ask(t, found[1], sub[1], "--help")
				}
			}
			all[found[1]] = help
		}
	}
	return all
}

// ask runs the program and returns its standard output.
func ask(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command(binary, args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("hotcold %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
