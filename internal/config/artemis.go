package config

import (
	"encoding/xml"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// brokerXML is the part of a broker's etc/broker.xml that says where it listens.
type brokerXML struct {
	Acceptors []struct {
		Name string `xml:"name,attr"`
		URL  string `xml:",chardata"`
	} `xml:"core>acceptors>acceptor"`
}

// artemisPorts finds the ports of an Artemis broker. Without a file there are none; a file that cannot be read is
// warned of, since the broker itself will say what is wrong with it.
func (d *decoder) artemisPorts(f *nodeFacts) {
	path := filepath.Join(d.baseDir, "etc", "broker.xml")
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var broker brokerXML
	if err == nil {
		err = xml.Unmarshal(content, &broker)
	}
	if err != nil {
		d.warnings = append(d.warnings, Warning{Pos: Pos{File: path}, Text: "cannot be read, so the broker's ports are not known: " + err.Error()})
		return
	}
	for _, a := range broker.Acceptors {
		_, rest, _ := strings.Cut(strings.TrimSpace(a.URL), "://")
		if end := strings.IndexAny(rest, "?;"); end >= 0 {
			rest = rest[:end]
		}
		if at := f.add(a.Name, rest); f.acceptor == "" {
			f.acceptor = at
		}
	}
}
