package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// show keeps what is in force for `hotcold config show`.
func (d *decoder) show(path string, value any) { d.shown[path] = fmt.Sprint(value) }

// path reads a path and makes it absolute from the base directory. An empty text is no path.
func (d *decoder) path(setting string) string {
	text := d.text(setting)
	if text == "" {
		return ""
	}
	text = d.absolute(text)
	d.show(setting, text)
	return text
}

// absolute makes a path absolute from the base directory.
func (d *decoder) absolute(path string) string { return absoluteFrom(d.baseDir, path) }

// absoluteFrom makes a path absolute and clean.
func absoluteFrom(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}

// address reads host:port. An empty text is no address.
func (d *decoder) address(path string) string {
	_, v := d.setting(path)
	if !written(v) {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		d.fail(err)
		return ""
	}
	if text == "" {
		return ""
	}
	if _, err := parseHostPort(text); err != nil {
		d.fail(v.Errorf("want host:port, %v", err))
		return ""
	}
	d.show(path, text)
	return text
}

// addresses reads a list of host:port.
func (d *decoder) addresses(path string) []string {
	_, v := d.setting(path)
	if !written(v) {
		return nil
	}
	items, err := v.List()
	if err != nil {
		d.fail(err)
		return nil
	}
	var texts []string
	for _, item := range items {
		text, err := item.Text()
		if err != nil {
			d.fail(err)
			continue
		}
		if _, err := parseHostPort(text); err != nil {
			d.fail(item.Errorf("want host:port, %v", err))
			continue
		}
		texts = append(texts, text)
	}
	d.show(path, strings.Join(texts, ", "))
	return texts
}

// parseHostPort reads host:port with a port that can be dialled. Its error does not quote the text.
func parseHostPort(text string) (HostPort, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return HostPort{}, fmt.Errorf("got no port (an IPv6 address wants brackets, [::1]:10002)")
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 1 || number > 65535 {
		return HostPort{}, fmt.Errorf("got a port that is not a number from 1 to 65535")
	}
	return HostPort{Host: host, Port: number}, nil
}

// httpURL reads a URL of HTTP. A URL is shown in logs and in what an agent says of itself, so one that holds a
// password is refused; for that reason its faults do not quote it.
func (d *decoder) httpURL(path string) string {
	_, v := d.setting(path)
	if !written(v) {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		d.fail(err)
		return ""
	}
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		d.fail(v.Errorf("want a URL that begins with http:// or https:// and a host"))
		return ""
	}
	if u.User != nil {
		d.fail(v.Errorf("want a URL without a user or password, since it is shown in logs; a check that needs one can be a command"))
		return ""
	}
	d.show(path, text)
	return text
}

func (d *decoder) regexp(path string) *regexp.Regexp {
	text := d.text(path)
	if text == "" {
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		_, v := d.setting(path)
		d.fail(v.Errorf("want a regular expression (RE2): %v", err))
	}
	return re
}

// shell runs a command that was written as one text.
func shell(line string) []string { return []string{"/bin/sh", "-c", line} }

// command reads a list of program and arguments, or a text for the shell. An empty one is none. A program with a
// slash is relative to dir.
func (d *decoder) command(path, dir string) []string {
	_, v := d.setting(path)
	if !written(v) {
		return nil
	}
	var words []string
	if v.Kind() == hocon.List {
		var err error
		if words, err = v.Strings(); err != nil {
			d.fail(err)
			return nil
		}
		if len(words) > 0 && words[0] == "" {
			d.fail(v.Errorf("want a program as the first item, got an empty text"))
			return nil
		}
	} else {
		line, err := v.Text()
		if err != nil {
			d.fail(v.Errorf("want a list of program and arguments, or one text for /bin/sh -c"))
			return nil
		}
		if strings.TrimSpace(line) != "" {
			words = shell(line)
		}
	}
	for _, word := range words {
		if strings.ContainsRune(word, 0) {
			d.fail(v.Errorf("holds a zero byte, which no argument can"))
			return nil
		}
	}
	if len(words) == 0 {
		return nil
	}
	if strings.Contains(words[0], "/") {
		words[0] = absoluteFrom(dir, words[0])
	}
	d.show(path, fmt.Sprintf("%q", words))
	return words
}

// environment reads names with texts. The preset's come first; the written ones win over them.
func (d *decoder) environment(path string) map[string]Secret {
	env := map[string]Secret{}
	var names []string
	for _, v := range []hocon.Value{d.defaults.At(path), d.cfg.At(path)} {
		if !written(v) {
			continue
		}
		if v.Kind() != hocon.Object {
			d.fail(v.Errorf("want an object of names with texts, as in { JAVA_HOME = \"/opt/java\" }"))
			continue
		}
		for _, name := range v.Keys() {
			item := v.Get(name)
			text, err := unmasked(item)
			switch {
			case err != nil:
				d.fail(err)
				continue
			case name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(text, 0):
				d.fail(item.Errorf("want a name without = and a text without zero bytes"))
				continue
			}
			if _, ok := env[name]; !ok {
				names = append(names, name+"="+mask)
			}
			env[name] = NewSecret(text)
		}
	}
	if v := d.cfg.At(path); written(v) {
		d.where[path], d.origins[path] = Pos(v.Pos()), v.Origin()
	}
	d.shown[path] = strings.Join(names, " ")
	return env
}

// unmasked reads a text that may be a secret. What is made of it must not be shown but as a Secret.
func unmasked(v hocon.Value) (string, error) {
	if v.IsSecret() && (v.Kind() == hocon.String || v.Kind() == hocon.Number || v.Kind() == hocon.Bool) {
		return v.Reveal(), nil
	}
	return v.Text()
}

// secret reads a text that is never shown.
func (d *decoder) secret(path string) Secret {
	_, v := d.setting(path)
	if !written(v) {
		return Secret{}
	}
	text, err := unmasked(v)
	d.fail(err)
	secret := NewSecret(text)
	d.show(path, secret)
	return secret
}

// secretFile reads the file that a setting names.
func (d *decoder) secretFile(path string) Secret {
	name := d.path(path)
	if name == "" {
		return Secret{}
	}
	closed := os.FileMode(nobodyElse)
	if dir, ok := d.env.Lookup("CREDENTIALS_DIRECTORY"); ok && dir != "" && filepath.Dir(name) == filepath.Clean(dir) {
		closed = noStranger
	}
	secret, err := readSecretFile(name, closed)
	if err != nil {
		_, v := d.setting(path)
		d.fail(v.Errorf("%v", err))
	}
	d.show(path, name)
	return secret
}
