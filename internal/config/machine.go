package config

import (
	"log/slog"
	"net"
	"strconv"
)

// minKeyLength keeps a key from being guessed.
const minKeyLength = 16

func (d *decoder) drive() Drive {
	const at = "hotcold.drive."
	return Drive{
		Path: d.path(at + "path"), EpochFile: d.path(at + "epochFile"),
		Type: d.choice(at + "type"), Source: d.text(at + "source"), HangLimit: d.duration(at + "hangLimit"),
	}
}

func (d *decoder) log() Log {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return Log{Level: levels[d.choice("hotcold.log.level")], Format: d.choice("hotcold.log.format")}
}

// listen reads a listener of HTTP and refuses one that strangers could ask.
func (d *decoder) listen(at string) Listen {
	key := d.secretFile
	if at != "hotcold.listen." {
		key = d.frontSecret
	}
	l := Listen{
		TLS: TLS{
			Certificate: d.path(at + "tls.certificate"),
			Key:         d.path(at + "tls.key"),
			ClientCA:    d.path(at + "tls.clientCA"),
		},
		Key: key(at + "keyFile"),
	}
	if n := len(l.Key.Reveal()); n > 0 && n < minKeyLength {
		_, v := d.setting(at + "keyFile")
		d.fail(v.Errorf("the key has %d characters, want at least %d", n, minKeyLength))
	}
	if t := l.TLS; (t.Certificate == "") != (t.Key == "") || t.ClientCA != "" && t.Certificate == "" {
		_, v := d.setting(at + "tls.certificate")
		for _, path := range []string{at + "tls.key", at + "tls.clientCA"} {
			if !written(v) {
				_, v = d.setting(path)
			}
		}
		d.fail(v.Errorf("want both %stls.certificate and %stls.key", at, at))
	}
	l.Address = d.listenAddress(at, l)
	return l
}

// listenAddress reads the address and holds it against what protects it.
func (d *decoder) listenAddress(at string, l Listen) string {
	path := at + "address"
	text := d.text(path)
	_, v := d.setting(path)
	if text == "" || text == "off" {
		return ""
	}
	host, port, err := net.SplitHostPort(text)
	// Port 0 is good for a listener: the system chooses one.
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		d.fail(v.Errorf("want host:port or off, as in 127.0.0.1:4653"))
		return ""
	}
	if isLoopback(host) {
		return text
	}
	switch {
	case l.TLS.Certificate == "":
		d.fail(v.Errorf("other machines can reach this address, so it wants %stls.certificate and key, and tls.clientCA or keyFile; or listen on 127.0.0.1", at))
	case l.TLS.ClientCA == "" && l.Key.Empty() && !d.isWritten(at+"keyFile"):
		d.fail(v.Errorf("other machines can reach this address, so callers must prove themselves: want %stls.clientCA or %skeyFile; or listen on 127.0.0.1", at, at))
	}
	return text
}

// probeAddress reads where the agent tells anybody whether this machine is hot. That it is plain HTTP is why it tells
// nothing else.
func (d *decoder) probeAddress() string {
	const path = "hotcold.listen.probe"
	text := d.text(path)
	if text == "" || text == "off" {
		return ""
	}
	_, port, err := net.SplitHostPort(text)
	// Port 0 is good for a test: the system chooses one.
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		_, v := d.setting(path)
		d.fail(v.Errorf("want host:port or off, as in 0.0.0.0:4655"))
		return ""
	}
	return text
}

// checkPorts refuses one port for both listeners: the second one could not be opened.
func (d *decoder) checkPorts(l Listen) {
	if l.Address == "" || l.Probe == "" {
		return
	}
	_, one, _ := net.SplitHostPort(l.Address) // both have been taken apart before
	_, other, _ := net.SplitHostPort(l.Probe)
	if one == other && one != "0" {
		_, v := d.setting("hotcold.listen.probe")
		d.fail(v.Errorf("hotcold.listen.address has the port %s already", one))
	}
}

// isLoopback says whether only this machine can reach a host. A name is taken at its word only if it is localhost.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
