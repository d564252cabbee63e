package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestWholeFile(t *testing.T) {
	f, mistakes := Parse("x/config.toml", []byte(`
nick = "ann"
theme = "mine"
[keys]
palette = "Ctrl-G"
send = ["Enter", "Ctrl-S"]
copy = []
[themes.mine]
base = "dark"
nicks = ["green", "cyan bold"]
[notify]
default = "all"
bell = false
terminal = "osc9"
desktop = false
hide_text = true
title = true
`))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	want := &File{Nick: "ann", Theme: "mine",
		Keys:   map[string][]string{"palette": {"Ctrl-G"}, "send": {"Enter", "Ctrl-S"}, "copy": {}},
		Themes: map[string]map[string][]string{"mine": {"base": {"dark"}, "nicks": {"green", "cyan bold"}}},
		Notify: Notify{Default: "all", Terminal: "osc9", HideText: true, Title: true}}
	f.name, f.lines = "", nil
	if !reflect.DeepEqual(f, want) {
		t.Errorf("read:\n%+v, want\n%+v", f, want)
	}
}

func TestDefaults(t *testing.T) {
	want := Notify{Default: "mentions", Bell: true, Desktop: true}
	for name, text := range map[string]string{"nothing": "", "a comment": "# nick = \"x\"\n", "empty tables": "[keys]\n[themes]\n[notify]\n"} {
		f, mistakes := Parse("config.toml", []byte(text))
		if len(mistakes) > 0 || f.Notify != want || f.Nick != "" || f.Theme != "" || len(f.Keys)+len(f.Themes) > 0 {
			t.Errorf("%s: %+v, %v", name, f, mistakes)
		}
	}
	f, mistakes := Read(filepath.Join(t.TempDir(), FileName))
	if len(mistakes) > 0 || f.Notify != want {
		t.Errorf("no file: %+v, %v", f, mistakes)
	}
}

func TestMistakes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no TOML", "nick = \"ann\"\ntheme = dark\n", "config.toml:2: "},
		{"twice", "nick = \"a\"\n\n[keys]\n[keys]\n", "config.toml:4: "},
		{"no end", "nick = \"ann\n", "config.toml:1: "},
		{"unknown", "\n\nnikc = \"ann\"\n", "config.toml:3: nikc: there is no such setting; did you mean nick?"},
		{"unknown, like nothing", "frobnicate = 1\n", "config.toml:1: frobnicate: there is no such setting; there are keys, nick, notify, theme, themes"},
		{"unknown in a table", "[notify]\nbell = true\n# beep\nbeep = true\n", "config.toml:4: notify.beep: there is no such setting; did you mean bell?"},
		{"number for a text", "nick = 5", "config.toml:1: nick: this is a text in quotation marks, not a number"},
		{"text for a truth", "[notify]\n\nbell = \"yes\"", "config.toml:3: notify.bell: this is true or false, without quotation marks, not a text"},
		{"a value that is none", "[notify]\ndefault = \"some\"", `config.toml:2: notify.default: this is one of "all", "mentions", "nothing"`},
		{"no table", "keys = 1", "config.toml:1: keys: this is a table: it begins with the line [keys]"},
		{"tables in a list", "nick = \"a\"\n[[themes]]\nbase = \"dark\"", "config.toml:2: themes: this is a table"},
		{"no theme", "[themes]\nmine = \"red\"", "config.toml:2: themes.mine: this is a table: it begins with the line [themes.mine]"},
		{"a list of numbers", "[keys]\nquit = [\"Ctrl-Q\",\n 1]", "config.toml:2: keys.quit: this is a text in quotation marks or a list of such"},
		{"in an inline table", "nick = \"a\"\nnotify = { bell = 1 }", "config.toml:2: notify.bell: this is true or false"},
		{"dotted", "nick = \"a\"\nnotify.bell = 1", "config.toml:2: notify.bell: "},
		{"a quoted table", "[themes]\n[themes.\"a b\"]\nbase = 1", "config.toml:3: themes.\"a b\".base: "},
		{"Windows lines", "nick = \"a\"\r\n\r\nbad = 1\r\n", "config.toml:3: bad: "},
		{"behind a BOM", "\ufeffnick = \"a\"\nbad = 1\n", "config.toml:2: bad: "},
		{"behind texts of several lines", "[keys]\na = [ # ]\n \"]\", ']',\n]\n[themes.x]\nbase = \"\"\"\n[y]\n\\\"\"\"\"\"\nplain = '''\nz = 1'''\n[notify]\nbell = 1", "config.toml:12: notify.bell: "},
		{"several", "b = 1\na = 2\nc = 3\n", "config.toml:1: b: there is no such setting; there are keys, nick, notify, theme, themes (and 2 more mistakes)"},
		{"a long line", "nick = \"a\"\n" + strings.Repeat("a.", MaxLine) + "a = 1", "config.toml:2: too long: a line has at most 1024 bytes"},
		{"too long", strings.Repeat("#", MaxSize+1), "config.toml: too long: more than 64 KiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, mistakes := Parse("/home/ann/config.toml", []byte(test.text))
			if got := mistakes.String(); !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("%q, want %q…", got, test.want)
			}
		})
	}
}

// A mistake leaves the rest as it was asked for.
func TestTheRestHolds(t *testing.T) {
	f, mistakes := Parse("config.toml", []byte("nick = \"ann\"\n[keys]\nquit = 1\nhelp = \"F2\"\n[notify]\nhide_text = true\nbell = 1\n"))
	if len(mistakes) != 2 || f.Nick != "ann" || !f.Notify.HideText || !f.Notify.Bell || len(f.Keys) != 1 {
		t.Errorf("%+v, %v", f, mistakes)
	}
	// Of a file that cannot be read nobody knows whether it asked for hidden text.
	if f, _ := Parse("config.toml", []byte("[notify]\nhide_text = true\nbell =")); !f.Notify.HideText || f.Notify.Default != "mentions" {
		t.Errorf("%+v", f.Notify)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if _, mistakes := Read(filepath.Dir(path)); !strings.Contains(mistakes.String(), "cannot be read: it is no file") {
		t.Errorf("a directory: %v", mistakes)
	}
	if err := os.WriteFile(path, []byte("nick = \"ann\"\nx = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, mistakes := Read(path); f.Nick != "ann" || !strings.HasPrefix(mistakes.String(), "config.toml:2: x: ") {
		t.Errorf("%+v, %v", f, mistakes)
	}
}

func TestWithNick(t *testing.T) {
	for _, test := range []struct{ before, after string }{
		{"", "nick = \"ann\"\n"},
		{"# mine\n[notify]\nbell = false", "nick = \"ann\"\n# mine\n[notify]\nbell = false"},
		{"\ufefftheme = \"dark\"\r\n", "\ufeffnick = \"ann\"\ntheme = \"dark\"\r\n"},
		{"nikc = 1", "nick = \"ann\"\nnikc = 1"},
		{"theme = ", ""},
		{"nick = 1", ""},
		{"nick = \"bob\"", ""},
	} {
		after, err := WithNick([]byte(test.before), "ann")
		if string(after) != test.after || (err != nil) != (test.after == "") {
			t.Errorf("%q becomes %q, %v, want %q", test.before, after, err, test.after)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"palette", "quit", "room-after", "room-before"}
	for name, want := range map[string]string{
		"palete": "did you mean palette?", "Quit": "did you mean quit?", "room_after": "did you mean room-after?",
		"x": "there are palette, quit, room-after, room-before", strings.Repeat("quit", 1000): "there are palette, quit, room-after, room-before",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("%.20q: %s, want %s", name, got, want)
		}
	}
}

// FuzzParse holds: whatever the file, there is an answer, in one line; and every
// key that TOML tells has a line.
func FuzzParse(f *testing.F) {
	f.Add("nick = \"ann\"\n[keys]\nquit = [\"a\", 'b']\n[themes.x]\nbase = \"\"\"\n\"\"\"\n[notify]\nbell = tru")
	f.Add("a.b = { c = [1, {d = 2}] } # x\n[[t]]\n'k' = 1979-05-27T07:32:00Z\n\"\\u00e9\" = 1")
	f.Fuzz(func(t *testing.T, text string) {
		file, mistakes := Parse("config.toml", []byte(text))
		if s := mistakes.String(); strings.ContainsAny(s, "\r\n") {
			t.Errorf("not one line: %q", s)
		}
		for _, m := range mistakes {
			if m.Line < 0 || m.Line > strings.Count(text, "\n")+1 {
				t.Errorf("line %d of %q", m.Line, text)
			}
			if m.Line == 0 && len(text) <= MaxSize {
				t.Errorf("%q has no line in %q", m, text)
			}
		}
		var top map[string]any
		if md, err := toml.Decode(text, &top); err == nil && (len(mistakes) == 0 || mistakes[0].Key != "") {
			for _, key := range md.Keys() {
				if file.Mistake("", key...).Line == 0 {
					t.Errorf("%q has no line in %q", key, text)
				}
			}
		}
	})
}
