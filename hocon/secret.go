package hocon

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"unicode"
)

// mask is what stands for a secret wherever one is printed.
const mask = "***"

// Secrets are the rules by which a value is a secret. The taint follows the value:
// what is made of a secret by ${} or by concatenation is one too.
type Secrets struct {
	// Path tells whether the value at a path is a secret, with all that is below
	// it. It is asked for every path from the root down. Nil means none.
	Path func(keys []string) bool

	// Env tells whether the environment variable of that name holds a secret. Nil
	// means none.
	Env func(name string) bool
}

// DefaultSecrets are the rules where no others are given. A key or a variable is
// that of a secret when its name has the word password, passphrase, passwd, secret,
// token, credential or private key in it, and is not that of a file, a path or a
// setting about one; everything under dataSourceProperties is secret.
func DefaultSecrets() Secrets {
	return Secrets{
		Path: func(keys []string) bool {
			key := keys[len(keys)-1]
			return key == "dataSourceProperties" || strings.HasPrefix(key, "dataSourceProperties.") || namesSecret(key)
		},
		Env: namesSecret,
	}
}

// namesSecret recognises a name by the words in it.
func namesSecret(name string) bool {
	// Most keys are plain words: look before letters are put together.
	flat := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == '.' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
	for _, about := range []string{"file", "path", "dir", "directory", "class", "length", "timeout", "interval", "name", "type"} {
		if strings.HasSuffix(flat, about) {
			return false
		}
	}
	for _, word := range []string{"password", "passphrase", "passwd", "secret", "token", "credential", "privatekey"} {
		if strings.Contains(flat, word) {
			return true
		}
	}
	return false
}

func (s Secrets) path(keys []string) bool { return s.Path != nil && len(keys) > 0 && s.Path(keys) }

// along tells whether a path leads to or through a secret.
func (s Secrets) along(keys []string) bool {
	for i := range keys {
		if s.path(keys[:i+1]) {
			return true
		}
	}
	return false
}

func (s Secrets) env(name string) bool { return s.Env != nil && s.Env(name) }

// urlSecrets are the places of secrets inside an address: the value of a parameter
// that names one, and the password between a user and a host. In a JDBC address a
// parameter may stand behind a question mark, an ampersand, a semicolon, a comma or
// an opening parenthesis.
var urlSecrets = regexp.MustCompile(`(?i)([?&;,(][^=?&;,()\s]*(?:password|passphrase|passwd|pwd|secret|token|credential)[^=?&;,()\s]*=)[^&;,)\s]*|(//[^/:@\s]*:)[^/\s]*(@)|(^jdbc:oracle:[^/@]*:[^/@]*/)[^@]*(@)`)

// maskURL hides what is secret inside of an address. Text that is none is returned
// as it is.
func maskURL(text string) string {
	if !strings.Contains(text, ":") && !strings.Contains(text, "=") {
		return text
	}
	return urlSecrets.ReplaceAllString(text, "$1$2$4"+mask+"$3$5")
}

// Secret is a text that no log, error or rendering may show. It prints as *** in
// every verb of package fmt, in JSON, in text encodings and in slog. The empty Secret
// prints as the empty text: that there is no password is worth knowing.
//
// The text lies behind a pointer, so that neither a conversion nor a %v of a struct
// with a Secret in an unexported field, where fmt calls no methods, can show it.
type Secret struct{ text *string }

// NewSecret hides a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text itself. Call it only where the secret is handed to the one
// who needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.text == nil }

// Equal reports whether both hide the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String returns ***, or nothing for the empty Secret.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return mask
}

// Format prints the mask whatever the verb, so that %x and %d show no bytes either.
func (s Secret) Format(f fmt.State, verb rune) { printMasked(f, verb, s.String()) }

// MarshalJSON returns the mask as a JSON text.
func (s Secret) MarshalJSON() ([]byte, error) { return appendJSONString(nil, s.String()), nil }

// MarshalText returns the mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns the mask, for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// printMasked prints text that is masked already.
func printMasked(f fmt.State, verb rune, text string) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = string(appendJSONString(nil, text))
	}
	// An error here is the writer's; fmt keeps it for the caller of Fprintf.
	_, _ = io.WriteString(f, text)
}
