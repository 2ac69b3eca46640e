package hocon

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Limits bound what reading and resolving may cost, so that a small file cannot
// take the machine's memory. A field left at 0 has its default.
type Limits struct {
	// Depth is how deep objects and lists may be nested, each key of a dotted
	// path counted. Default 1000.
	Depth int

	// Values is how many values a document may hold, includes counted in.
	// Default 10 million.
	Values int

	// Output is how many bytes the resolved tree may have as JSON, roughly.
	// Substitutions that copy copies grow without bound otherwise. Default 256 MiB.
	Output int

	// File is how many bytes one file may have. Default 64 MiB.
	File int

	// IncludeDepth is how deep include statements may be nested. Default 50,
	// the limit of the reference implementation.
	IncludeDepth int

	// Includes is how many files may be included in all. Default 1000.
	Includes int
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{
		{&l.Depth, 1000},
		{&l.Values, 10_000_000},
		{&l.Output, 256 << 20},
		{&l.File, 64 << 20},
		{&l.IncludeDepth, 50},
		{&l.Includes, 1000},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}

// Option changes how a document is read.
type Option func(*reader)

// WithReadFile sets how files are read; by default from the file system. A file that
// does not exist must give an error that is fs.ErrNotExist.
func WithReadFile(read func(path string) ([]byte, error)) Option {
	return func(r *reader) { r.readFile = read }
}

// WithLimits sets what reading may cost. Resolve keeps to the limits of its
// first layer.
func WithLimits(l Limits) Option {
	return func(r *reader) { r.limits = l.withDefaults() }
}

// WithOriginKind sets what kind of place the document's values come from,
// FromFile otherwise: FromDefault marks a file of defaults.
func WithOriginKind(kind OriginKind) Option {
	return func(r *reader) { r.kind = kind }
}

// WithSecretPaths sets the paths right of which a fault quotes nothing. By default
// they are those of DefaultSecrets. See WithSecrets for what is resolved.
func WithSecretPaths(secret func(keys []string) bool) Option {
	return func(r *reader) { r.secret = secret }
}

// WithDir sets the directory that include file("x") starts from, which for a
// service is its working directory. By default it is the process's own.
func WithDir(dir string) Option {
	return func(r *reader) { r.dir = dir }
}

// Document is a file as it was parsed, with what it includes, before any
// substitution is resolved. It never changes and may be shared.
type Document struct {
	root   *node
	limits Limits
	values int
}

// ParseFile reads the file at path, and what it includes. The name's ending
// tells the language: .json and .properties are read as such, all else as
// HOCON. The error, if any, is of type Errors.
func ParseFile(path string, opts ...Option) (*Document, error) {
	r := newReader(opts)
	text, err := r.readFile(path)
	if err != nil {
		return nil, Errors{{Pos: Pos{File: path}, Text: readFault(err), Err: err}}
	}
	return r.document(path, text)
}

// Parse reads text that was found under name. The name stands in positions, its
// ending tells the language as with ParseFile, and files are included relative
// to its directory. The error, if any, is of type Errors.
func Parse(name string, text []byte, opts ...Option) (*Document, error) {
	return newReader(opts).document(name, text)
}

// reader is what the files of one document have in common.
type reader struct {
	readFile func(string) ([]byte, error)
	dir      string
	limits   Limits
	kind     OriginKind
	secret   func(keys []string) bool

	values int
	files  int      // included so far
	stack  []string // the files being parsed, the outermost first
	errs   Errors
}

func newReader(opts []Option) *reader {
	r := &reader{limits: Limits{}.withDefaults(), secret: DefaultSecrets().Path}
	r.readFile = r.readLimited
	for _, o := range opts {
		o(r)
	}
	return r
}

func (r *reader) record(e *Error) {
	if !r.full() {
		r.errs = append(r.errs, e)
	}
}

// full reports whether enough faults have been found.
func (r *reader) full() bool { return len(r.errs) >= maxFaults }

func (r *reader) document(name string, text []byte) (*Document, error) {
	root := r.parse(name, text, &parser{src: &source{name: name, kind: r.kind}})
	if err := r.errs.or(); err != nil {
		return nil, err
	}
	return &Document{root: root, limits: r.limits, values: r.values}, nil
}

// parse parses one file with a parser that knows where the file is included.
func (r *reader) parse(file string, text []byte, p *parser) *node {
	r.stack = append(r.stack, filepath.Clean(file))
	defer func() { r.stack = r.stack[:len(r.stack)-1] }()
	p.reader, p.file = r, file
	if len(text) > r.limits.File {
		r.record(&Error{Pos: Pos{File: p.src.name}, Text: errFileSize(r.limits.File).Error(), IncludedFrom: p.src.from})
		return &node{kind: nodeObject, src: p.src, obj: &object{}}
	}
	if isUTF16(text) {
		r.record(&Error{Pos: Pos{File: p.src.name}, Text: "want UTF-8, got UTF-16: save the file as UTF-8", IncludedFrom: p.src.from})
		return &node{kind: nodeObject, src: p.src, obj: &object{}}
	}
	p.lex = lexer{text: utf8Text(text), at: place{1, 1}}
	ext := filepath.Ext(file)
	if ext == ".properties" && !p.lenient {
		return p.properties()
	}
	p.strict = ext == ".json" && !p.lenient
	p.lex.comments = !p.strict
	return p.root()
}

// utf8Text makes text valid UTF-8, as Java reads it: each piece that is the
// beginning of no character becomes one U+FFFD.
func utf8Text(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			b.WriteRune(utf8.RuneError)
			size = badPrefix(text)
		} else {
			b.Write(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// badPrefix returns how many bytes text begins with that could still have become
// one character, and at least one.
func badPrefix(text []byte) int {
	if len(text) > 2 && text[0] == 0xed && text[1]&0xe0 == 0xa0 && text[2]&0xc0 == 0x80 {
		return 3 // half of a pair of surrogates
	}
	if len(text) > 1 && text[0] == 0xed && text[1]&0xe0 == 0xa0 {
		return 2
	}
	for n := min(3, len(text)); n > 1; n-- {
		// A prefix that more bytes could complete is not yet a full rune.
		if !utf8.FullRune(text[:n]) {
			return n
		}
	}
	return 1
}

// readLimited reads a file, and not the whole of one that is larger than any
// configuration: a device or the image of a disk may have been named by mistake.
func (r *reader) readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := int64(bytes.MinRead)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size += min(info.Size(), int64(r.limits.File)+1)
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	if _, err := b.ReadFrom(io.LimitReader(f, int64(r.limits.File)+1)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func errFileSize(limit int) error { return fmt.Errorf("the file is larger than %d bytes", limit) }

// isUTF16 recognises a file in UTF-16 by its byte order mark.
func isUTF16(text []byte) bool {
	return bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff})
}

// missing reports that a file is not there, which an include statement allows,
// as against one that cannot be read, which it does not.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// readFault says why a file cannot be read, without repeating its name.
func readFault(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return "the file cannot be read: " + pathErr.Err.Error()
	}
	return "the file cannot be read: " + err.Error()
}
