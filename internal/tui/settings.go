package tui

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"lanchat/internal/config"
)

// Settings are what the user's config file says about the screen: its themes and
// its keys. They do not change.
type Settings struct {
	themes   []*theme
	theme    *theme
	keys     *keymap
	noColour bool
}

// NewSettings makes settings from a config file, and finds what is mistaken in it.
// For that the default stands, so that the settings can be used in any case. With
// noColour there are no colours, whatever the file says.
func NewSettings(f *config.File, noColour bool) (*Settings, config.Mistakes) {
	var mistakes config.Mistakes
	wrong := func(text string, path ...string) { mistakes = append(mistakes, f.Mistake(text, path...)) }
	s := &Settings{themes: append(builtinThemes(), ownThemes(f, wrong)...), noColour: noColour}
	s.theme = s.themes[0]
	if f.Theme != "" {
		if th := s.find(f.Theme); th != nil {
			s.theme = th
		} else {
			wrong("there is no such theme; "+config.Suggest(f.Theme, s.names()), "theme")
		}
	}
	if noColour {
		s.theme = s.find("none")
	}
	s.keys = newKeymap(ownKeys(f, wrong))
	mistakes.Sort()
	return s, mistakes
}

func defaultSettings() *Settings {
	s, _ := NewSettings(&config.File{}, false) // a test holds the tables right
	return s
}

// dress gives a dialog's stage its theme.
func (s *stage) dress(settings *Settings) {
	if settings != nil {
		s.theme = settings.theme
	}
}

// ownKeys are the keys of the config file that can be read.
func ownKeys(f *config.File, wrong func(text string, path ...string)) map[string][]string {
	own := map[string][]string{}
	taken := map[stroke]string{}
	for _, name := range slices.Sorted(maps.Keys(f.Keys)) {
		if !slices.ContainsFunc(actions, func(a action) bool { return a.name == name }) {
			var known []string
			for _, a := range actions {
				known = append(known, a.name)
			}
			wrong("there is no such action; "+config.Suggest(name, known), "keys", name)
			continue
		}
		keys := []string{}
		for _, key := range f.Keys[name] {
			s, err := parseKey(key)
			switch other := taken[s]; {
			case err != nil:
				wrong(err.Error(), "keys", name)
			case other != "" && other != name:
				wrong(fmt.Sprintf("%s stands at keys.%s too", key, other), "keys", name)
			default:
				taken[s] = name
				keys = append(keys, key)
			}
		}
		// Whose keys are all mistaken keeps those it had.
		if len(keys) > 0 || len(f.Keys[name]) == 0 {
			own[name] = keys
		}
	}
	return own
}

func (s *Settings) names() (names []string) {
	for _, th := range s.themes {
		names = append(names, th.name)
	}
	return names
}

func (s *Settings) find(name string) *theme {
	i := slices.IndexFunc(s.themes, func(th *theme) bool { return th.name == name })
	if i < 0 {
		return nil
	}
	return s.themes[i]
}

// setTheme is /theme: it changes the theme at once, and without a name tells
// which there are.
func (u *chat) setTheme(name string) error {
	s := u.settings
	if name == "" {
		var b strings.Builder
		for _, th := range s.themes {
			mark := " "
			if th == u.theme {
				mark = "▸"
			}
			fmt.Fprintf(&b, "%s %-10s %s\n", mark, th.name, th.what)
		}
		u.remark("Themes:\n" + b.String() + "/theme NAME changes it; the line theme = \"NAME\" in " + config.FileName + " makes it stay.")
		return nil
	}
	th := s.find(strings.ToLower(name))
	switch {
	case th == nil:
		return fmt.Errorf("there is no theme %s; %s", name, config.Suggest(name, s.names()))
	case s.noColour && th.name != "none":
		return errors.New("NO_COLOR is set, so there are no colours")
	}
	u.wear(th)
	u.say("The theme is %s: %s", th.name, th.what)
	return nil
}
