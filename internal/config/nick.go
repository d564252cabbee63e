package config

import (
	"bytes"
	"errors"
	"fmt"
)

// WithNick is a file's contents with a nick added, and all else as it was: nil for
// a file that is not there yet. It is an error when the file cannot be read or has
// a nick already.
func WithNick(data []byte, nick string) ([]byte, error) {
	f, mistakes := Parse(FileName, data)
	if f.Nick != "" {
		return nil, errors.New("there is a nick already")
	}
	for _, m := range mistakes {
		if m.Key == "" || m.Key == "nick" {
			return nil, m
		}
	}
	// At the top: further down it would belong to a table.
	bom := []byte("\ufeff")
	rest, hasBOM := bytes.CutPrefix(data, bom)
	var out bytes.Buffer
	if hasBOM {
		out.Write(bom)
	}
	fmt.Fprintf(&out, "nick = %q\n", nick)
	out.Write(rest)
	if f, _ := Parse(FileName, out.Bytes()); f.Nick != nick {
		return nil, fmt.Errorf("%q cannot be written there", nick)
	}
	return out.Bytes(), nil
}
