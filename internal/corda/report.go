package corda

import (
	"bytes"
	"encoding/json"

	"github.com/hotcold/hotcold/hocon"
)

// Report is what one machine tells the other of its configuration: all that
// somebody wrote, resolved, as JSON with secrets as ***.
func (n *Node) Report() json.RawMessage {
	var b bytes.Buffer
	text := n.Config.Render(hocon.RenderOptions{JSON: true})
	if err := json.Compact(&b, []byte(text)); err != nil {
		panic("compact a report: " + err.Error()) // it was written a line before
	}
	return b.Bytes()
}

// Reported reads what a machine told of its configuration; name says which. All
// secrets in it are ***, so that none differs from another.
func Reported(name string, report []byte) (*Node, error) {
	doc, err := hocon.Parse(name, report, hocon.WithSecretPaths(Secrets().Path))
	if err != nil {
		return nil, err
	}
	config, err := hocon.Resolve(hocon.Layers{doc}, hocon.WithSecrets(Secrets()))
	return &Node{File: name, Config: config}, err
}
