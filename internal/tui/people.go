package tui

import (
	"fmt"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// drawPeople lists who is in the active room; a guest has a ~, an op an @, an
// admin an &, a bot says so.
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
		nick := client.RoleSign(m.Role) + client.ShownNick(m.Nick, m.Guest)
		end := ""
		switch {
		case m.User == u.st.Me.User:
			end = " (you)"
		case m.Role != protocol.RoleNone:
			end = " (" + string(m.Role) + ")"
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

// clickPerson opens the talk with whom row y of the pane names; its other rows
// lead to the palette, which has everybody.
func (u *chat) clickPerson(y int) {
	room, rows := u.room(), u.layout.people.h
	if room == nil || u.peopleOf != room.Name {
		return
	}
	i := y - 1
	more := y == rows-1 && max(room.Count, len(u.people))-i > 1
	if i < 0 || more || i >= len(u.people) {
		u.openPalette(string(signPerson))
		return
	}
	u.talkTo(u.people[i])
}
