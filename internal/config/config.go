// Package config reads the user's config.toml. Nobody needs to have one, and a
// mistake in it never stops a program: what is mistaken is told, with its line,
// and the default stands in for it.
//
//	nick  = "ann"
//	theme = "contrast"
//
//	[keys]                          # an action and its keys; [] takes all away
//	palette = "Ctrl-G"
//	send    = ["Enter", "Ctrl-S"]
//
//	[themes.mine]                   # a role and how it looks
//	base    = "dark"
//	warning = "bright-white bold on red"
//	nicks   = ["green", "cyan bold", "#ffaf00"]
//
//	[notify]
//	default   = "mentions"          # or "all", "nothing"
//	bell      = true
//	terminal  = ""                  # or "osc9", "osc777": by the terminal itself
//	desktop   = true
//	hide_text = false
//	title     = false               # the window's title counts what is unread
//
// This package knows the form of the file. Whether a name is that of an action, a
// key, a role or a theme is known to whoever has those; it says so with
// [File.Mistake].
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// FileName is what the file is called.
const FileName = "config.toml"

// MaxSize and MaxLine bound the file and its lines, in bytes: the TOML library
// takes minutes for a key of ten thousand parts.
const (
	MaxSize = 64 << 10
	MaxLine = 1 << 10
)

// File is what a config file says, and the defaults where it says nothing.
type File struct {
	Nick   string // "": none is given
	Theme  string // "": the default one
	Keys   map[string][]string
	Themes map[string]map[string][]string // by name and role
	Notify Notify

	name  string
	lines map[string]int // of the keys, by their paths
}

// Notify says how the user is told of what is new.
type Notify struct {
	Default  string // of which entries: "all", "mentions" or "nothing"
	Bell     bool
	Terminal string // how the terminal itself tells: "", "osc9" or "osc777"
	Desktop  bool
	HideText bool // say that there is something, not what
	Title    bool // count in the window's title what is unread
}

func defaults(name string) *File {
	return &File{Notify: Notify{Default: "mentions", Bell: true, Desktop: true}, name: filepath.Base(name)}
}

// Mistake is something in the file that cannot stand as it is.
type Mistake struct {
	File string
	Line int    // 0: the file as a whole
	Key  string // its path, as in notify.bell; "" where the file is no TOML
	Text string // what is wrong, and what would be right
}

func (m *Mistake) Error() string {
	s := m.File
	if m.Line > 0 {
		s += fmt.Sprintf(":%d", m.Line)
	}
	if m.Key != "" {
		s += ": " + m.Key
	}
	return s + ": " + m.Text
}

// Mistakes are all that were found, in the order of their lines.
type Mistakes []*Mistake

// String is one line: the first mistake, and how many there are.
func (m Mistakes) String() string {
	switch len(m) {
	case 0:
		return ""
	case 1:
		return m[0].Error()
	case 2:
		return m[0].Error() + " (and 1 more mistake)"
	}
	return fmt.Sprintf("%v (and %d more mistakes)", m[0], len(m)-1)
}

// Sort puts the mistakes in the order of their lines.
func (m Mistakes) Sort() {
	slices.SortStableFunc(m, func(a, b *Mistake) int { return a.Line - b.Line })
}

// Read reads the file at path. If there is none, the defaults stand.
func Read(path string) (*File, Mistakes) {
	data, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return defaults(path), nil
	case err != nil:
		f := unreadable(path)
		if p, ok := errors.AsType[*fs.PathError](err); ok {
			err = p.Err // the name stands there already
		}
		return f, Mistakes{{File: f.name, Text: fmt.Sprintf("cannot be read: %v", err)}}
	}
	return Parse(path, data)
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // reading a pipe might never end
		return nil, errors.New("it is no file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}

// unreadable is for a file of which nothing is known. It may have asked for hidden
// text, and to hide some is the smaller harm.
func unreadable(name string) *File {
	f := defaults(name)
	f.Notify.HideText = true
	return f
}

// Parse reads a file's contents. What has a mistake is left at its default.
func Parse(name string, data []byte) (*File, Mistakes) {
	f := unreadable(name)
	if len(data) > MaxSize {
		return f, Mistakes{{File: f.name, Text: fmt.Sprintf("too long: more than %d KiB", MaxSize>>10)}}
	}
	n := 0
	for line := range bytes.Lines(data) {
		if n++; len(line) > MaxLine {
			return f, Mistakes{{File: f.name, Line: n, Text: fmt.Sprintf("too long: a line has at most %d bytes", MaxLine)}}
		}
	}
	var top map[string]any
	if _, err := toml.Decode(string(data), &top); err != nil {
		m := &Mistake{File: f.name, Text: err.Error()}
		if p, ok := errors.AsType[toml.ParseError](err); ok {
			m.Line, m.Text = max(1, p.Position.Line), oneLine(p.Message)
		}
		return f, Mistakes{m}
	}
	f = defaults(name)
	f.lines = lines(string(data))
	r := reader{file: f}
	r.top(top)
	r.mistakes.Sort()
	return f, r.mistakes
}

// Mistake says that the value at a path is wrong, such as "keys", "palete".
func (f *File) Mistake(text string, path ...string) *Mistake {
	m := &Mistake{File: f.name, Key: toml.Key(path).String(), Text: oneLine(text)}
	for n := len(path); n > 0 && m.Line == 0; n-- { // within an inline table: where that is
		m.Line = f.lines[toml.Key(path[:n]).String()]
	}
	return m
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
