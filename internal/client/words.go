package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lanchat/protocol"
)

// FoundList words the answer to /search: the newest last, where one reads on.
func (s *State) FoundList(m *protocol.Found) string {
	if len(m.Entries) == 0 {
		return "Nothing was found."
	}
	var b strings.Builder
	if m.More {
		b.WriteString("… and older ones; more words, or before:DATE, narrow the search\n")
	}
	for i, e := range slices.Backward(m.Entries) {
		title := "#" + e.Room
		if r := s.Room(e.Room); r != nil {
			title = r.Title
		}
		fmt.Fprintf(&b, "%s %s <%s> %s", time.Unix(0, e.At).Format("2006-01-02 15:04"), title, ShownNick(e.Nick, e.Guest), e.Text)
		if i > 0 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// RoomList words the answer to /rooms; "": there is nothing to say.
func (s *State) RoomList(m *protocol.Rooms) string {
	if m.Direct {
		return s.directList(m)
	}
	var b strings.Builder
	for i, r := range m.Rooms {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "#%s, %d here, %d entries", r.Room, r.Count, r.Head)
		if r.Private {
			b.WriteString(", private")
		}
		if r.Topic != "" {
			fmt.Fprintf(&b, ": %s", r.Topic)
		}
	}
	if m.More {
		b.WriteString("\n… and more")
	}
	return b.String()
}

// Whois words the answer to /whois.
func Whois(m *protocol.Whois) string {
	var b strings.Builder
	b.WriteString(ShownNick(m.Nick, m.Guest))
	if m.Role != protocol.RoleNone {
		b.WriteString(", " + string(m.Role))
	}
	if m.Bot {
		b.WriteString(", bot")
	}
	if m.Guest {
		b.WriteString(", a guest: no key proves the nick")
	}
	b.WriteString("\n  user id " + m.User.String())
	if m.Bound != 0 {
		b.WriteString("\n  nick bound since " + time.Unix(0, m.Bound).Format(time.DateOnly))
	}
	switch {
	case m.Here:
		b.WriteString("\n  here")
		if len(m.Rooms) > 0 {
			b.WriteString(", in #" + strings.Join(m.Rooms, ", #"))
		}
		if m.More {
			b.WriteString(" and more")
		}
	case m.Seen != 0:
		b.WriteString("\n  last seen " + time.Unix(0, m.Seen).Format("2006-01-02 15:04"))
	}
	if len(m.Addrs) > 0 {
		b.WriteString("\n  from " + strings.Join(m.Addrs, ", "))
	}
	return b.String()
}

// mentions reports whether a text has the nick as a word of its own, in
// whatever case, with or without an @.
func mentions(text, nick string) bool {
	if nick == "" {
		return false
	}
	text, nick = strings.ToLower(text), strings.ToLower(nick)
	for from := 0; ; {
		i := strings.Index(text[from:], nick)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(nick)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !inWord(before) && !inWord(after) {
			return true
		}
		from = start + 1
	}
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// Nicks lists the nicks known in a room, for completion.
func (r *Room) Nicks() []string {
	nicks := map[string]struct{}{}
	for _, m := range r.Members {
		nicks[m.Nick] = struct{}{}
	}
	return slices.Sorted(maps.Keys(nicks))
}
