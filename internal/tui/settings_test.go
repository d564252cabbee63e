package tui

import (
	"os"
	"strings"
	"testing"

	"lanchat/internal/config"

	"github.com/gdamore/tcell/v2"
)

// settingsOf reads a config file; the mistakes come one a line.
func settingsOf(t testing.TB, text string, noColour bool) (*Settings, string) {
	t.Helper()
	f, mistakes := config.Parse("config.toml", []byte(text))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	s, mistakes := NewSettings(f, noColour)
	var all []string
	for _, m := range mistakes {
		all = append(all, m.Error())
	}
	return s, strings.Join(all, "\n")
}

func TestMistakesInTheSettings(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"action", "[keys]\n\nrety = \"Ctrl-Y\"", "config.toml:3: keys.rety: there is no such action; did you mean retry?"},
		{"key", "[keys]\nquit = [\"Ctrl-Q\", \"Ctrl-1\"]", "config.toml:2: keys.quit: \"Ctrl-1\" is no key that a terminal tells: with Ctrl go the letters"},
		{"one key twice", "[keys]\nquit = \"F2\"\nhelp = \"f2\"", "config.toml:2: keys.quit: F2 stands at keys.help too"},
		{"theme", "theme = \"drak\"", "config.toml:1: theme: there is no such theme; did you mean dark?"},
		{"base", "[themes.x]\nbase = \"blue\"", "config.toml:2: themes.x.base: a base is one of terminal, dark, light, contrast, none"},
		{"role", "[themes.x]\nwaring = \"red\"", "config.toml:2: themes.x.waring: there is no such role; did you mean warning?"},
		{"colour", "[themes.x]\n\nplain = \"rde on black\"", "config.toml:3: themes.x.plain: \"rde\" is no colour and no attribute; did you mean red?"},
		{"background", "[themes.x]\nplain = \"red on\"", "config.toml:2: themes.x.plain: behind \"on\" stands the colour of the background"},
		{"a bad number", "[themes.x]\nnicks = [\"red\", \"#12345g\"]", "config.toml:2: themes.x.nicks: \"#12345g\" is no colour and no attribute; "},
		{"several looks", "[themes.x]\nplain = [\"red\", \"blue\"]", "config.toml:2: themes.x.plain: a role has one look; only nicks have several"},
		{"a known name", "[themes.dark]\nplain = \"red\"", "config.toml:1: themes.dark: there is a theme of this name already"},
		{"two words", "[themes.\"a b\"]\nplain = \"red\"", "config.toml:1: themes.\"a b\": the name of a theme is one word"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, got := settingsOf(t, test.text, false)
			if !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("%q, want %q…", got, test.want)
			}
		})
	}
}

func TestTheThemes(t *testing.T) {
	for _, b := range builtin {
		newTheme(b.name, b.what, b.look, func(role, text string) { t.Errorf("%s, %s: %s", b.name, role, text) })
		for role := range b.look {
			if !strings.Contains(strings.Join(append(roleNames[:], "nicks"), " "), role) {
				t.Errorf("%s has %s, which is no role", b.name, role)
			}
		}
	}
	for _, th := range builtinThemes() {
		for i, st := range th.styles {
			fg, bg, attr := st.Decompose()
			for _, c := range []tcell.Color{fg, bg} {
				if c != tcell.ColorDefault && (c < tcell.PaletteColor(0) || c > tcell.PaletteColor(15)) {
					t.Errorf("%s, role %d: %v is none of the sixteen colours", th.name, i, c)
				}
				if th.name == "none" && c != tcell.ColorDefault {
					t.Errorf("none, role %d has the colour %v", i, c)
				}
			}
			if fg == bg && fg != tcell.ColorDefault {
				t.Errorf("%s, role %d cannot be seen", th.name, i)
			}
			if th.name == "contrast" && attr&tcell.AttrDim != 0 {
				t.Errorf("contrast, role %d is dim", i)
			}
		}
	}
}

func TestAnOwnTheme(t *testing.T) {
	s, mistakes := settingsOf(t, "theme = \"mine\"\n[themes.mine]\nbase = \"dark\"\nplain = \"yellow on blue\"\nwarning = \"bold #ff0000\"\nnicks = [\"red\", \"green\"]", false)
	if mistakes != "" || s.theme.name != "mine" {
		t.Fatalf("%s, %s", s.theme.name, mistakes)
	}
	def := tcell.StyleDefault
	for role, want := range map[ink]tcell.Style{
		plain:     def.Foreground(tcell.ColorOlive).Background(tcell.ColorNavy),
		warning:   def.Foreground(tcell.NewHexColor(0xff0000)).Background(tcell.ColorNavy).Bold(true),
		dim:       def.Foreground(tcell.ColorSilver).Background(tcell.ColorNavy), // dark's, on this ground
		nicks + 3: def.Foreground(tcell.ColorGreen).Background(tcell.ColorNavy),
	} {
		if got := s.theme.style(role); got != want {
			t.Errorf("role %d: %+v, want %+v", role, got, want)
		}
	}
}

// /theme changes every cell at once; with NO_COLOR no cell ever has a colour.
func TestThemeCommand(t *testing.T) {
	g := newGrid(t, 80, 24)
	u, _ := quiet()
	u.apply(evening())
	g.draw(u)
	styles := func() map[tcell.Style]int {
		g.draw(u)
		found := map[tcell.Style]int{}
		for y := range 24 {
			for x := 0; x < 80; {
				_, st, n := g.Get(x, y)
				found[st]++
				x += max(1, n)
			}
		}
		return found
	}
	if err := u.setTheme("light"); err != nil {
		t.Fatal(err)
	}
	for st := range styles() {
		if _, bg, _ := st.Decompose(); bg != tcell.ColorWhite {
			t.Errorf("in the light theme there is the background %v", bg)
		}
	}
	if err := u.setTheme("lihgt"); err == nil || !strings.Contains(err.Error(), "did you mean light?") {
		t.Errorf("lihgt: %v", err)
	}
	if err := u.setTheme(""); err != nil || !strings.Contains(u.room().Items[len(u.room().Items)-1].Entry.Text, "▸ light") {
		t.Errorf("the list: %v", err)
	}

	u.settings, _ = settingsOf(t, "theme = \"dark\"", true)
	if u.settings.theme.name != "none" {
		t.Errorf("with NO_COLOR the theme is %s", u.settings.theme.name)
	}
	if err := u.setTheme("dark"); err == nil {
		t.Error("with NO_COLOR there is a dark theme")
	}
	u.wear(u.settings.theme)
	for st := range styles() {
		if fg, bg, _ := st.Decompose(); fg != tcell.ColorDefault || bg != tcell.ColorDefault {
			t.Errorf("with NO_COLOR there is the style %+v", st)
		}
	}
}

func TestHelpFindsAndQuestionMark(t *testing.T) {
	g := newGrid(t, 80, 24)
	u, _ := quiet()
	u.apply(evening())
	key := func(k tcell.Key, r rune) { u.key(tcell.NewEventKey(k, r, 0)) }
	text := func() string {
		g.draw(u)
		var b strings.Builder
		for y := range 24 {
			for x := 0; x < 80; {
				str, _, n := g.Get(x, y)
				b.WriteString(str)
				x += max(1, n)
			}
			b.WriteByte('\n')
		}
		return b.String()
	}
	key(tcell.KeyRune, '?')
	if u.over == nil {
		t.Fatal("? in an empty input opens no help")
	}
	for _, r := range "unread" {
		key(tcell.KeyRune, r)
	}
	if s := text(); !strings.Contains(s, "Alt+n") || strings.Contains(s, "Ctrl-Q") || !strings.Contains(s, "Find: unread") {
		t.Errorf("what has “unread”:\n%s", s)
	}
	for range "xx" {
		key(tcell.KeyRune, 'x')
	}
	if s := text(); !strings.Contains(s, "Nothing here has “unreadxx”") {
		t.Errorf("nothing is found:\n%s", s)
	}
	key(tcell.KeyEscape, 0)
	if s := text(); u.over == nil || !strings.Contains(s, "Keys") {
		t.Errorf("Esc shows all again:\n%s", s)
	}
	key(tcell.KeyRune, '?')
	if u.over != nil || u.input().text != "?" {
		t.Errorf("? again: %v, the input has %q", u.over, u.input().text)
	}
	key(tcell.KeyRune, '?')
	if u.over != nil || u.input().text != "??" {
		t.Errorf("? in a text: %v, the input has %q", u.over, u.input().text)
	}
}

// The README names every action, theme and role that the config file can have.
func TestTheReadmeHasAllNames(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := append(builtinNames(), roleNames[:]...)
	for _, a := range actions {
		names = append(names, a.name)
	}
	_, section, _ := strings.Cut(string(readme), "### Configure")
	section, _, _ = strings.Cut(section, "\n### ")
	for _, name := range names {
		if !strings.Contains(section, "`"+name+"`") {
			t.Errorf("the README does not say that there is `%s`", name)
		}
	}
	_, example, _ := strings.Cut(section, "```toml\n")
	example, _, _ = strings.Cut(example, "```")
	if _, mistakes := settingsOf(t, example, false); mistakes != "" || example == "" {
		t.Errorf("the example in the README: %s", mistakes)
	}
}
