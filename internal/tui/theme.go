package tui

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lanchat/internal/config"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// ink says what a text on the screen is: a role, and what sets it off. A theme
// says how a role looks. What an ink means is said by a sign or a word as well.
type ink uint16

// The roles.
const (
	plain   ink = iota
	dim         // beside the talk: times, remarks, lines between panes
	warning     // what must not be overlooked
	fresh       // what is new: the unread line, counts
	code        // code, and text in ` `
	quote       // what a reply is to
	link
	chosen // the entry, or the row of a list, that keys act on
	nicks  // the first of nickInks roles for people's names
	roles  = nicks + nickInks
)

const nickInks = 10

// What sets a text off, to be added to a role.
const (
	bold ink = 1 << (iota + 8)
	reverse
	underline
)

// roleNames are what themes call the roles before nicks.
var roleNames = [nicks]string{"plain", "dim", "warning", "fresh", "code", "quote", "link", "chosen"}

// look is how a theme is written: for a role some words, such as "bold red on
// black". What is not said, a role has from plain, and "nicks" may have several
// looks, which people get in turn.
type look map[string][]string

// builtin are the themes that there are, the default one first. All but the
// default and none set the background too, so that each looks as it was made
// whatever the terminal's own colours are. They keep to the sixteen colours that
// every terminal has.
var builtin = []struct {
	name string
	what string // for the list of themes
	look look
}{
	// Of the sixteen those that are read well on light and on dark, so that the
	// terminal's own theme decides how they look.
	{"terminal", "the terminal's own colours", look{
		"dim": {"dim"}, "warning": {"bold red"}, "fresh": {"bold yellow"}, "code": {"cyan"}, "quote": {"dim"},
		"link": {"underline"}, "chosen": {"reverse"},
		"nicks": {"red", "green", "yellow", "magenta", "cyan", "bold red", "bold green", "bold yellow", "bold magenta", "bold cyan"},
	}},
	{"dark", "light on black", look{
		"plain": {"bright-white on black"}, "dim": {"white"}, "warning": {"bold bright-red"}, "fresh": {"bold bright-yellow"},
		"code": {"bright-cyan"}, "quote": {"white"}, "link": {"underline bright-cyan"}, "chosen": {"reverse"},
		"nicks": {"bright-red", "bright-green", "bright-yellow", "bright-magenta", "bright-cyan", "red", "green", "yellow", "magenta", "cyan"},
	}},
	{"light", "dark on white", look{
		"plain": {"black on bright-white"}, "dim": {"bright-black"}, "warning": {"bold red"}, "fresh": {"bold magenta"},
		"code": {"blue"}, "quote": {"bright-black"}, "link": {"underline blue"}, "chosen": {"reverse"},
		"nicks": {"red", "green", "blue", "magenta", "cyan", "bold red", "bold green", "bold blue", "bold magenta", "bold cyan"},
	}},
	{"contrast", "white and yellow on black, nothing faint", look{
		"plain": {"bright-white on black"}, "warning": {"bold black on bright-yellow"}, "fresh": {"bold bright-yellow"},
		"code": {"bright-yellow"}, "quote": {"bright-white"}, "link": {"underline bright-white"}, "chosen": {"bold black on bright-white"},
		"nicks": {"bold bright-white", "bold bright-yellow"},
	}},
	// What NO_COLOR gives.
	{"none", "no colour at all", look{
		"dim": {"dim"}, "warning": {"bold"}, "fresh": {"bold"}, "quote": {"dim"}, "link": {"underline"}, "chosen": {"reverse"},
	}},
}

// theme is how the roles look.
type theme struct {
	name   string
	what   string
	styles [roles]tcell.Style
}

func (t *theme) style(i ink) tcell.Style {
	st := t.styles[i&0xff]
	if i&bold != 0 {
		st = st.Bold(true)
	}
	if i&reverse != 0 {
		st = st.Reverse(true)
	}
	if i&underline != 0 {
		st = st.Underline(true)
	}
	return st
}

// ground gives a cleared screen the theme's background. Not by the screen's own
// style: a change of that would leave the cells as they are in which nothing else
// changes.
func (t *theme) ground(s tcell.Screen) {
	if st := t.style(plain); st != tcell.StyleDefault {
		s.Fill(' ', st)
	}
}

// newTheme makes a theme of its look. What cannot be read is told by wrong, and
// looks as plain does.
func newTheme(name, what string, l look, wrong func(role, text string)) *theme {
	t := &theme{name: name, what: what}
	read := func(role, words string, ground tcell.Style) tcell.Style {
		st, err := parseStyle(words, ground)
		if err != nil {
			wrong(role, err.Error())
		}
		return st
	}
	ground := tcell.StyleDefault
	for i, role := range roleNames {
		words := l[role]
		if len(words) > 1 {
			wrong(role, "a role has one look; only nicks have several")
		}
		t.styles[i] = ground
		if len(words) > 0 {
			t.styles[i] = read(role, words[0], ground)
		}
		if ink(i) == plain {
			ground = t.styles[plain]
		}
	}
	several := l["nicks"]
	if len(several) == 0 {
		several = []string{""}
	}
	if len(several) > nickInks {
		wrong("nicks", fmt.Sprintf("at most %d looks", nickInks))
	}
	for i := range several[:min(len(several), nickInks)] {
		t.styles[nicks+ink(i)] = read("nicks", several[i], ground)
	}
	for i := len(several); i < nickInks; i++ {
		t.styles[nicks+ink(i)] = t.styles[nicks+ink(i%len(several))]
	}
	return t
}

var colourNames = []string{"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"}

// parseColour reads one of the sixteen, "default", or #rrggbb, which a terminal of
// few colours shows as the nearest it has.
func parseColour(word string) (tcell.Color, bool) {
	if word == "default" {
		return tcell.ColorDefault, true
	}
	if hex, ok := strings.CutPrefix(word, "#"); ok && len(hex) == 6 {
		n, err := strconv.ParseUint(hex, 16, 32)
		return tcell.NewHexColor(int32(n)), err == nil
	}
	name, bright := strings.CutPrefix(word, "bright-")
	n := slices.Index(colourNames, name)
	if n < 0 {
		return tcell.ColorDefault, false
	}
	if bright {
		n += len(colourNames)
	}
	return tcell.PaletteColor(n), true
}

// parseStyle reads words such as "bold red on black". What they do not say is as
// in ground.
func parseStyle(words string, ground tcell.Style) (tcell.Style, error) {
	st := ground
	fields := strings.Fields(strings.ToLower(words))
	for i := 0; i < len(fields); i++ {
		switch word := fields[i]; word {
		case "bold":
			st = st.Bold(true)
		case "dim":
			st = st.Dim(true)
		case "italic":
			st = st.Italic(true)
		case "underline":
			st = st.Underline(true)
		case "reverse":
			st = st.Reverse(true)
		case "on":
			if i++; i == len(fields) {
				return ground, errors.New(`behind "on" stands the colour of the background`)
			}
			c, ok := parseColour(fields[i])
			if !ok {
				return ground, noColour(fields[i])
			}
			st = st.Background(c)
		default:
			c, ok := parseColour(word)
			if !ok {
				return ground, noColour(word)
			}
			st = st.Foreground(c)
		}
	}
	return st, nil
}

func noColour(word string) error {
	known := []string{"bold", "dim", "italic", "underline", "reverse", "on", "default"}
	for _, c := range colourNames {
		known = append(known, c, "bright-"+c)
	}
	return fmt.Errorf("%q is no colour and no attribute; %s", word, config.Suggest(word, append(known, "#rrggbb")))
}

var terminalTheme = builtinThemes()[0]

func builtinThemes() []*theme {
	var themes []*theme
	for _, b := range builtin {
		themes = append(themes, newTheme(b.name, b.what, b.look, func(string, string) {})) // a test holds them right
	}
	return themes
}

// ownThemes are those of the config file, made from their bases.
func ownThemes(f *config.File, wrong func(text string, path ...string)) []*theme {
	var themes []*theme
	for _, name := range slices.Sorted(maps.Keys(f.Themes)) {
		base, own := "terminal", f.Themes[name]
		if slices.Contains(builtinNames(), name) {
			wrong("there is a theme of this name already; take another name, and this one as its base", "themes", name)
			continue
		}
		if name == "" || strings.ContainsAny(name, " \t\r\n") {
			wrong("the name of a theme is one word", "themes", name)
			continue
		}
		l := look{}
		for _, role := range slices.Sorted(maps.Keys(own)) {
			known := append(slices.Clone(roleNames[:]), "nicks", "base")
			switch {
			case !slices.Contains(known, role):
				wrong("there is no such role; "+config.Suggest(role, known), "themes", name, role)
			case role != "base":
				l[role] = own[role]
			case len(own[role]) == 1 && slices.Contains(builtinNames(), own[role][0]):
				base = own[role][0]
			default:
				wrong("a base is one of "+strings.Join(builtinNames(), ", "), "themes", name, role)
			}
		}
		for _, b := range builtin {
			if b.name == base {
				whole := maps.Clone(b.look)
				maps.Copy(whole, l)
				themes = append(themes, newTheme(name, "your own", whole, func(role, text string) { wrong(text, "themes", name, role) }))
			}
		}
	}
	return themes
}

func builtinNames() (names []string) {
	for _, b := range builtin {
		names = append(names, b.name)
	}
	return names
}

// nickInk is a person's colour: the same in every room, every day.
func nickInk(u protocol.UserID) ink {
	return nicks + ink((int(u[0])+int(u[7])*3+int(u[15])*7)%nickInks)
}
