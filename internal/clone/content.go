package clone

import (
	"errors"
	"io"
)

// Content reads a small file that is listed, if it is still what was listed.
func Content(s Side, e Entry) ([]byte, error) {
	f, err := s.Open(e.Path)
	if err != nil {
		return nil, on(s, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, e.Size+1))
	if err != nil {
		return nil, on(s, err)
	}
	if !Is(e, text) {
		return nil, on(s, errors.New("it changed while it was read: try again"))
	}
	return text, nil
}

// Is tells whether a content is the one that an entry stands for.
func Is(e Entry, content []byte) bool {
	return int64(len(content)) == e.Size && digestOf(content) == e.SHA256
}
