package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// JSONEqual wants one value of a JSON answer to be a certain text. Jolokia
// tells the state of a Corda node at "value.Value", and "STARTED" is well.
type JSONEqual struct {
	// Path leads to the value: keys and, in arrays, indexes, with dots between.
	Path string
	// Want is the value as text: a string without its quotes, a number as it
	// stands in the answer, true, false or null.
	Want string
}

func parseJSON(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // 7 and 7.0 are different texts; a float would hide that
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the first value")
	}
	return tree, nil
}

// mismatch tells what differs, or nothing if the value is as wanted.
func (j JSONEqual) mismatch(tree any) string {
	at := tree
	for key := range strings.SplitSeq(j.Path, ".") {
		next, ok := child(at, key)
		if !ok {
			return fmt.Sprintf("answered without a value at %s, want %q", j.Path, j.Want)
		}
		at = next
	}
	got, ok := scalar(at)
	switch {
	case !ok:
		return fmt.Sprintf("%s is not a single value, want %q", j.Path, j.Want)
	case got != j.Want:
		return fmt.Sprintf("%s is %q, want %q", j.Path, shorten(got, 80), j.Want)
	}
	return ""
}

func child(at any, key string) (any, bool) {
	switch v := at.(type) {
	case map[string]any:
		next, ok := v[key]
		return next, ok
	case []any:
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case nil:
		return "null", true
	}
	return "", false
}

// shorten keeps the first n bytes, cut between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
