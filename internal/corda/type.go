package corda

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hotcold/hotcold/hocon"
)

// field holds one value against its row.
func (l *linter) field(f Field, v hocon.Value) {
	if f.Deprecated != "" && f.Knows&l.edition != 0 {
		l.found = append(l.found, Finding{Warning, "deprecated", v.KeyPos(), v.Path(), "is deprecated", "in its place there is " + f.Deprecated})
	}
	if literal(v) || unknown(v) {
		return
	}
	if text := mistyped(f, v); text != "" {
		if v.String() != v.Reveal() {
			text = "want " + string(f.Kind) + ", and the secret is none"
		}
		l.add(Error, "type", v, text, "")
	}
}

// mistyped says what is wrong with a value by its kind, or "". It may quote the value.
func mistyped(f Field, v hocon.Value) string {
	switch f.Kind {
	case Bool:
		return textOf(second(v.Bool()))
	case Int:
		return textOf(second(v.Int()))
	case Float:
		return textOf(second(v.Float()))
	case Duration:
		return textOf(second(v.Duration(time.Millisecond)))
	case Port:
		n, err := v.Int()
		if err == nil && (n < 0 || n > 65535) {
			return fmt.Sprintf("want a port from 0 to 65535, got %d", n)
		}
		return textOf(err)
	case Object:
		if v.Kind() != hocon.Object {
			return "want an object, got " + v.Kind().String()
		}
		return ""
	case Objects, Texts, Addrs:
		return mistypedList(f, v)
	}
	if v.Kind() == hocon.Object || v.Kind() == hocon.List {
		return "want " + string(f.Kind) + ", got " + v.Kind().String()
	}
	return mistypedText(f, v)
}

func second[T any](_ T, err error) error { return err }

// textOf is the text of a fault without its place, which the finding has already.
func textOf(err error) string {
	if one, ok := err.(*hocon.Error); ok && one != nil {
		return one.Text
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func mistypedText(f Field, v hocon.Value) string {
	text := v.Reveal()
	switch f.Kind {
	case Address:
		return badAddress(text)
	case URL:
		if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" {
			return "want a URL, as in https://map.example.com"
		}
	case Choice:
		if !slices.Contains(f.Choices, text) {
			near := ""
			if n, ok := hocon.Nearest(text, f.Choices); ok {
				near = "; did you mean " + n + "?"
			}
			return fmt.Sprintf("want one of %s, got %q%s", strings.Join(f.Choices, ", "), v.String(), near)
		}
	}
	return ""
}

func mistypedList(f Field, v hocon.Value) string {
	items, err := v.List()
	if err != nil {
		return textOf(err)
	}
	for i, item := range items {
		text := ""
		switch {
		case literal(item) || unknown(item):
		case f.Kind == Objects && item.Kind() != hocon.Object:
			text = "want an object, got " + item.Kind().String()
		case f.Kind != Objects && (item.Kind() == hocon.Object || item.Kind() == hocon.List):
			text = "want a text, got " + item.Kind().String()
		case f.Kind == Addrs:
			text = badAddress(item.Reveal())
		}
		if text != "" {
			return fmt.Sprintf("element %d: %s", i, text)
		}
	}
	return ""
}

// badAddress says what is wrong with host:port, by the rules of the node, which reads it as part of a URI.
func badAddress(text string) string {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Sprintf("want host:port, got %q (an IPv6 address wants brackets, as in [::1]:10002)", text)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Sprintf("want a port from 0 to 65535, got %q", port)
	}
	switch {
	case host == "":
		return fmt.Sprintf("want host:port, got no host in %q", text)
	case strings.Contains(host, "_"):
		return fmt.Sprintf("a host with an underscore cannot be read by the node: %q", host)
	}
	return ""
}

// unspecified says whether an address is that of every interface; loopback whether only this machine reaches it.
func unspecified(address string) bool {
	ip, ok := hostOf(address)
	return ok && ip.IsUnspecified()
}

func loopback(address string) bool {
	ip, ok := hostOf(address)
	host, _, _ := net.SplitHostPort(address)
	return ok && ip.IsLoopback() || host == "localhost"
}

func hostOf(address string) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(host)
	return ip, err == nil
}
