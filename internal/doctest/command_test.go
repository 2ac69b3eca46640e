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
	for _, name := range manual(t) {
		p := readPage(t, name)
		for _, w := range p.words() {
			if strings.HasPrefix(w.text, "hotcold ") && w.text != "hotcold { }" { // which is a block of the configuration
				checkCommand(t, helps, name, w.line, w.text)
			}
		}
		for _, b := range p.Blocks {
			if !b.Is("sh") {
				continue
			}
			for i, line := range strings.Split(b.Text, "\n") {
				checkLine(t, helps, name, b.Line+i, line)
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
		if name != "help" && !strings.Contains(name, " ") {
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
			for _, name := range words[1:] {
				target := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `:.*## `)
				if !strings.Contains(name, "=") && !target.MatchString(readFile(t, "Makefile")) {
					t.Errorf("%s:%d: make has no target %s", page, at, name)
				}
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
	words := strings.Fields(text)[1:]
	command := ""
	for len(words) > 0 && (command == "" || isGroup(helps[command])) && !strings.HasPrefix(words[0], "-") {
		command = strings.TrimSpace(command + " " + strings.TrimRight(words[0], ".,;:"))
		if _, ok := helps[command]; !ok {
			t.Errorf("%s:%d: there is no command %q", page, at, text)
			return
		}
		words = words[1:]
	}
	for _, word := range words {
		flag, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(flag, "--") && !regexp.MustCompile(`(^|\s)`+flag+`(\s|$)`).MatchString(helps[command]) {
			t.Errorf("%s:%d: %s: the command has no flag %s", page, at, text, flag)
		}
	}
}

// isGroup tells whether a command is there for those below it.
func isGroup(help string) bool { return strings.Contains(help, availableCommands) }

const availableCommands = "Available Commands:"

// helpOfCommands asks the program for its commands and what each says of itself.
func helpOfCommands(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	addHelp(t, all, nil)
	return all
}

// addHelp adds the commands below one, and those below them.
func addHelp(t *testing.T, all map[string]string, above []string) {
	t.Helper()
	entry := regexp.MustCompile(`(?m)^  ([a-z]+)  +\S`)
	help := ask(t, append(slices.Clone(above), "--help")...)
	if len(above) > 0 {
		all[strings.Join(above, " ")] = help
		if !isGroup(help) {
			return
		}
		_, help, _ = strings.Cut(help, availableCommands)
		help, _, _ = strings.Cut(help, "\n\n")
	} else {
		_, help, _ = strings.Cut(help, "Usage:") // the commands stand there in groups with names of their own
	}
	for _, found := range entry.FindAllStringSubmatch(help, -1) {
		if found[1] != "hotcold" {
			addHelp(t, all, append(slices.Clone(above), found[1]))
		}
	}
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
