package cloudinit

import (
	"github.com/hotcold/hotcold/hocon"
)

// LiteralSecrets finds the secrets that stand in a configuration file as they are. What comes from the environment or
// from another file is none of it.
func LiteralSecrets(name string, text []byte) error {
	// Includes are left out: only this file goes onto the machine.
	nothing := func(string) ([]byte, error) { return nil, nil }
	doc, err := hocon.Parse(name, text, hocon.WithReadFile(nothing))
	if err != nil {
		return err
	}
	// Every variable is there, and says nothing: a secret that is not empty stands in the file.
	cfg, err := hocon.Resolve(hocon.Layers{doc}, hocon.Env(func(string) (string, bool) { return "", true }), hocon.WithSecrets(hocon.DefaultSecrets()))
	if err != nil {
		return err
	}
	var errs hocon.Errors
	walk(cfg.Root(), &errs)
	if len(errs) == 0 {
		return nil
	}
	return errs
}

func walk(v hocon.Value, errs *hocon.Errors) {
	switch v.Kind() {
	case hocon.Object:
		for _, key := range v.Keys() {
			walk(v.Get(key), errs)
		}
		return
	case hocon.Null, hocon.Bool:
		return
	case hocon.List:
		items, err := v.List()
		if err != nil {
			return
		}
		for _, item := range items {
			walk(item, errs)
		}
		return
	}
	secret := v.IsSecret()
	// What is shown of an address is masked where it holds a password.
	literal := v.Reveal() != "" && (secret || v.String() != v.Reveal())
	// A value that is beaten by a later one stands in the file all the same.
	if literal || secret && len(v.Origin().Shadows) > 0 {
		*errs = append(*errs, v.Errorf("a secret stands in the file, which goes onto the machines as it is; want ${NAME} once, or a file that only the node's user may read"))
	}
}
