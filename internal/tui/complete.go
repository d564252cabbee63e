package tui

import (
	"slices"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// offer is something that a word may become.
type offer struct {
	text string
	end  string // behind it, when it is taken
	note string // beside it in the list
}

const (
	maxOffers   = 100
	recentItems = 500 // so far back somebody has spoken lately
	listAgain   = 30 * time.Second
)

// offers lists what the word before the cursor may become, and where it
// begins. Unless asked is true it does so for words only that begin with a sign.
func (u *chat) offers(before string, asked bool) (from int, list []offer) {
	from = strings.LastIndexAny(before, " \n\t") + 1
	word := before[from:]
	switch {
	case word == "":
	case from == 0 && isCommand(word):
		list = u.commandsLike(word)
	case openFence(before):
	case word[0] == '@':
		list = u.nicksLike("@", word[1:], " ")
	case word[0] == '#':
		list = u.roomsLike("#", word[1:])
	case word[0] == ':' && len(word) > 2:
		list = emojiLike(word[1:])
	case !asked:
	case strings.EqualFold(before[:from], "/join "):
		list = u.roomsLike("", word)
	case from == 0:
		list = u.nicksLike("", word, ": ")
	default:
		list = u.nicksLike("", word, " ")
	}
	return from, list
}

// startsLike reports whether a text begins with a word, whatever the case.
func startsLike(text, word string) bool {
	return len(text) >= len(word) && strings.EqualFold(text[:len(word)], word)
}

func (u *chat) commandsLike(word string) (list []offer) {
	for _, c := range u.offered() {
		if !startsLike(c.name, word[1:]) {
			continue
		}
		end := ""
		if c.args != "" {
			end = " "
		}
		list = append(list, offer{"/" + c.name, end, strings.TrimSpace(c.args + "  " + c.help)})
	}
	return list
}

// nicksLike lists people: those who spoke last in this room first, then the others
// by name.
func (u *chat) nicksLike(sign, word, end string) (list []offer) {
	room := u.room()
	if room == nil {
		return nil
	}
	seen := map[string]bool{u.st.Me.Nick: true}
	add := func(nick, note string) {
		if startsLike(nick, word) && !seen[nick] {
			seen[nick] = true
			list = append(list, offer{sign + nick, end, note})
		}
	}
	for i := len(room.Items) - 1; i >= max(0, len(room.Items)-recentItems); i-- {
		if it := room.Items[i]; it.Status == client.Said && !it.Mine {
			add(it.Entry.Nick, "")
		}
	}
	for _, m := range u.roster(room) {
		if len(list) >= maxOffers {
			break
		}
		add(m.Nick, guestNote(m))
	}
	return list
}

func guestNote(m protocol.Member) string {
	switch {
	case m.Bot:
		return "bot"
	case m.Guest:
		return "guest"
	case m.Role != protocol.RoleNone:
		return string(m.Role)
	}
	return ""
}

// roster is the people of the room by name. It is sorted anew when somebody comes
// or goes, not at every key.
func (u *chat) roster(room *client.Room) []protocol.Member {
	if u.people == nil || u.peopleOf != room.Name {
		u.people, u.peopleOf = room.People(), room.Name
	}
	return u.people
}

// roomsLike lists the joined rooms, then those that the server has told of.
func (u *chat) roomsLike(sign, word string) (list []offer) {
	var names []string
	add := func(name, note string) {
		if startsLike(name, word) && !slices.Contains(names, name) && len(list) < maxOffers {
			names = append(names, name)
			list = append(list, offer{sign + name, " ", note})
		}
	}
	for _, r := range u.st.Rooms {
		if r.Direct.IsZero() {
			add(r.Name, r.Topic)
		}
	}
	for _, r := range u.st.Listed {
		add(r.Room, r.Topic)
	}
	if u.st.Link.Phase == client.Up && (u.roomsAsked.IsZero() || u.now().Sub(u.roomsAsked) > listAgain) {
		if _, err := u.ask(&protocol.Rooms{}); err == nil {
			u.roomsAsked = u.now()
		}
	}
	return list
}
