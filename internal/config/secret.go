package config

import (
	"fmt"
	"io"
	"log/slog"
)

// mask is what stands for a secret wherever one is printed.
const mask = "***"

// Secret is a text that no log, error or rendering may show. It prints as *** in every verb of package fmt, in JSON,
// in text encodings and in slog. Reveal is the only way out, and easy to grep for. An empty Secret prints as the
// empty text, since that there is no password is no secret and worth knowing.
//
// The text lies behind a pointer of a struct, so that neither a conversion (string(s)) nor a %v of a struct that
// holds a Secret in an unexported field, where fmt calls no methods, can show it. Secrets are compared with Equal.
type Secret struct {
	text *string
}

// NewSecret hides a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal is the text itself. Call it only where the secret is handed to the one who needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty says whether there is no secret.
func (s Secret) Empty() bool { return s.text == nil }

// Equal says whether both hide the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String is *** or, for the empty secret, the empty text.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return mask
}

// Format prints the mask whatever the verb and its flags, so that %x and %d do not show bytes either.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = `"` + text + `"`
	}
	// An error here is the writer's; fmt keeps it for the caller of Fprintf.
	_, _ = io.WriteString(f, text)
}

// MarshalJSON is the mask as a JSON text.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalText is the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is the mask, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
