package tui

import (
	"strings"

	"lanchat/internal/client"
)

// tabbing is a completion under way: Tab again takes the next candidate.
type tabbing struct {
	candidates []string
	n          int
	from       int
}

// complete completes the word before the cursor, or takes the next candidate:
// commands at the beginning, rooms behind '#', nicks elsewhere.
func (e *editor) complete(st *client.State, room *client.Room) {
	t := e.tab
	if len(t.candidates) == 0 {
		t = candidates(e.text[:e.at], st, room)
		if len(t.candidates) == 0 {
			return
		}
	} else {
		t.n = (t.n + 1) % len(t.candidates)
	}
	e.text = e.text[:t.from] + t.candidates[t.n] + e.text[e.at:]
	e.at = t.from + len(t.candidates[t.n])
	if len(t.candidates) > 1 {
		e.tab = t
	} else {
		e.tab = tabbing{}
	}
}

func candidates(before string, st *client.State, room *client.Room) tabbing {
	t := tabbing{from: strings.LastIndexAny(before, " \n") + 1}
	word := before[t.from:]
	add := func(text, end string) {
		if len(text) >= len(word) && strings.EqualFold(text[:len(word)], word) {
			t.candidates = append(t.candidates, text+end)
		}
	}
	switch {
	case t.from == 0 && strings.HasPrefix(word, "/"):
		for _, c := range client.Commands {
			end := ""
			if c.Args != "" {
				end = " "
			}
			add("/"+c.Name, end)
		}
		return t
	case strings.HasPrefix(word, "#"):
		for _, r := range st.Rooms {
			if r.Direct.IsZero() {
				add("#"+r.Name, " ")
			}
		}
		return t
	case word == "" || room == nil:
		return t
	}
	at := ""
	if strings.HasPrefix(word, "@") {
		at = "@"
	}
	end := " "
	if t.from == 0 {
		end = ": "
	}
	for _, nick := range room.Nicks() {
		if nick != st.Me.Nick {
			add(at+nick, end)
		}
	}
	return t
}
