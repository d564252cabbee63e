package tui

import (
	"fmt"

	"lanchat/internal/client"
)

// drawPeople lists who is in the active room; a guest has a ~, a bot says so.
func (u *chat) drawPeople(p painter) {
	room := u.room()
	if room == nil || p.h == 0 {
		return
	}
	if u.people == nil || u.peopleOf != room.Name {
		u.people, u.peopleOf = room.People(), room.Name
	}
	count := max(room.Count, len(u.people))
	p.text(0, 0, plural(count, "person", "people"), dim)
	y := 1
	for i, m := range u.people {
		if y == p.h-1 && count-i > 1 {
			break
		}
		nick := client.ShownNick(m.Nick, m.Guest)
		end := ""
		switch {
		case m.User == u.st.Me.User:
			end = " (you)"
		case m.Bot:
			end = " (bot)"
		}
		x := p.text(0, y, fit(nick, p.w-len(end)), nickInk(m.User))
		p.text(x, y, end, dim)
		count--
		y++
	}
	if count > 0 && y < p.h {
		p.text(0, y, fmt.Sprintf("and %d more", count), dim)
	}
}
