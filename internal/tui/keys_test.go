package tui

import (
	"testing"

	"github.com/gdamore/tcell/v2"
)

// Every key in the table can be read, does one thing, and is what a terminal
// sends.
func TestTheTableOfKeys(t *testing.T) {
	taken := map[stroke]string{}
	for _, a := range actions {
		if a.name == "" || a.help == "" || a.do == nil {
			t.Errorf("%+v is not whole", a)
		}
		for _, key := range a.keys {
			s, err := parseKey(key)
			if err != nil {
				t.Error(err)
			}
			if other := taken[s]; other != "" {
				t.Errorf("%s does %s and %s", key, other, a.name)
			}
			taken[s] = a.name
		}
	}
}

func TestParseKey(t *testing.T) {
	for name, ev := range map[string]*tcell.EventKey{
		"Ctrl-K":      tcell.NewEventKey(tcell.KeyCtrlK, 'k', tcell.ModCtrl),
		"ctrl+k":      tcell.NewEventKey(tcell.KeyCtrlK, 0, tcell.ModNone),
		"Alt+Enter":   tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModAlt),
		"Shift+Tab":   tcell.NewEventKey(tcell.KeyBacktab, 0, tcell.ModNone),
		"Alt+m":       tcell.NewEventKey(tcell.KeyRune, 'm', tcell.ModAlt),
		"Alt+M":       tcell.NewEventKey(tcell.KeyRune, 'M', tcell.ModAlt),
		"?":           tcell.NewEventKey(tcell.KeyRune, '?', tcell.ModNone),
		"Alt+-":       tcell.NewEventKey(tcell.KeyRune, '-', tcell.ModAlt),
		"Ctrl+Alt+Up": tcell.NewEventKey(tcell.KeyUp, 0, tcell.ModAlt|tcell.ModCtrl),
		"F12":         tcell.NewEventKey(tcell.KeyF12, 0, tcell.ModNone),
		"Ctrl+Enter":  tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModCtrl),
	} {
		if s, err := parseKey(name); err != nil || s != struck(ev) {
			t.Errorf("%s is %+v, %v; the event is %+v", name, s, err, struck(ev))
		}
	}
	for _, name := range []string{"", "Ctrl-", "Hyper-K", "Ctrl-1", "F13", "two"} {
		if s, err := parseKey(name); err == nil {
			t.Errorf("%q is read as %+v", name, s)
		}
	}
}

func TestOtherKeys(t *testing.T) {
	m := newKeymap(map[string][]string{"quit": {"F1"}, "help": {}})
	if a := m.does[stroke{key: tcell.KeyF1}]; a == nil || a.name != "quit" {
		t.Errorf("F1 does %+v", a)
	}
	if a := m.does[stroke{key: tcell.KeyCtrlQ, mod: tcell.ModCtrl}]; a != nil {
		t.Errorf("Ctrl-Q still does %s", a.name)
	}
	if keys := newKeymap(map[string][]string{"help": {"Ctrl-Q"}}).keys; len(keys["quit"]) > 0 || len(keys["help"]) != 1 {
		t.Errorf("Ctrl-Q stands at quit %q and at help %q", keys["quit"], keys["help"])
	}
}
