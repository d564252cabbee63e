package config

import (
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// deepest is how long the paths are whose lines are kept; ours are shorter.
const deepest = 4

// lines finds the line of each key and table, by its path: the TOML library does
// not tell. text is TOML that the library has read without a complaint. Keys of
// inline tables are not in it.
func lines(text string) map[string]int {
	found := map[string]int{}
	s := &scanner{rest: strings.TrimPrefix(text, "\ufeff"), line: 1}
	note := func(key toml.Key, from, line int) { // a.b = 1 makes a too
		for n := from + 1; n <= min(len(key), deepest); n++ {
			if path := key[:n].String(); found[path] == 0 {
				found[path] = line
			}
		}
	}
	var table toml.Key
	for s.rest != "" {
		line := s.line
		switch {
		case strings.IndexByte(" \t\r\n", s.rest[0]) >= 0:
			s.skip(1)
		case s.rest[0] == '#':
			s.comment()
		case s.rest[0] == '[':
			s.skip(1)
			if strings.HasPrefix(s.rest, "[") {
				s.skip(1)
			}
			table = s.key()
			note(table, 0, line)
			s.value() // what closes it
		default:
			key := append(table[:len(table):len(table)], s.key()...)
			note(key, len(table), line)
			s.skip(1) // =
			s.value()
		}
	}
	return found
}

// scanner walks through TOML. Every step takes at least a byte, or the rest.
type scanner struct {
	rest string
	line int
}

func (s *scanner) skip(n int) {
	n = min(n, len(s.rest))
	s.line += strings.Count(s.rest[:n], "\n")
	s.rest = s.rest[n:]
}

func (s *scanner) comment() {
	if n := strings.IndexByte(s.rest, '\n'); n >= 0 {
		s.skip(n)
		return
	}
	s.skip(len(s.rest))
}

// key reads a dotted key, up to what follows it.
func (s *scanner) key() (key toml.Key) {
	for s.rest != "" {
		switch c := s.rest[0]; c {
		case ' ', '\t', '.':
			s.skip(1)
		case '"', '\'':
			quoted := s.str()
			name, err := strconv.Unquote(quoted)
			if c == '\'' || err != nil {
				name = strings.Trim(quoted, quoted[:1])
			}
			key = append(key, name)
		default:
			n := strings.IndexAny(s.rest, " \t.=]\"'\r\n#")
			if n == 0 {
				return key
			}
			if n < 0 {
				n = len(s.rest)
			}
			key = append(key, s.rest[:n])
			s.skip(n)
		}
	}
	return key
}

// value skips a value: the line's rest, and further lines that belong to it.
func (s *scanner) value() {
	for depth := 0; s.rest != ""; {
		switch s.rest[0] {
		case '"', '\'':
			s.str()
			continue
		case '#':
			s.comment()
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '\n':
			if depth <= 0 {
				return
			}
		}
		s.skip(1)
	}
}

// str skips a string and returns it with its quotation marks.
func (s *scanner) str() string {
	quote := s.rest[:1]
	escapes := quote == `"`
	if strings.HasPrefix(s.rest, strings.Repeat(quote, 3)) {
		quote = s.rest[:3]
	}
	for n := len(quote); n < len(s.rest); n++ {
		if escapes && s.rest[n] == '\\' {
			n++
			continue
		}
		if !strings.HasPrefix(s.rest[n:], quote) {
			continue
		}
		n += len(quote)
		for len(quote) == 3 && n < len(s.rest) && s.rest[n] == quote[0] {
			n++ // a quotation mark or two before those that end it
		}
		out := s.rest[:n]
		s.skip(n)
		return out
	}
	out := s.rest
	s.skip(len(out))
	return out
}
