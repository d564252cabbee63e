package tui

import (
	"fmt"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// layout is where things are on the screen:
//
//	header  server, room, topic
//	rooms │ talk │ people        people from 100 columns, rooms from 60
//	bar     who is writing, a word to the user, how much is new below
//	input   the room it goes to, and 1 to a third of the height
//	status  the connection
//
// When it gets low, the header goes first, then the status, the bar, the talk.
type layout struct {
	screen                                          painter
	header, rooms, talk, people, bar, input, status painter
	firstRoom                                       int // the room in the first row of rooms
}

const (
	twoPanes   = 60
	threePanes = 100
)

func lay(p painter, inputRows int) layout {
	l := layout{screen: p}
	top, bottom := 0, p.h
	take := func(rows int) painter { // from the bottom
		bottom -= rows
		return p.sub(0, bottom, p.w, rows)
	}
	if p.h >= 4 {
		l.status = take(1)
	}
	l.input = take(min(inputRows, max(1, p.h/3)))
	if p.h >= 5 {
		l.bar = take(1)
	}
	if p.h >= 8 {
		l.header = p.sub(0, 0, p.w, 1)
		top = 1
	}
	left, right := 0, p.w
	if p.w >= twoPanes {
		left = min(max(p.w/5, 14), 24)
		l.rooms = p.sub(0, top, left-1, bottom-top)
	}
	if p.w >= threePanes {
		right = p.w - min(p.w/5, 24)
		l.people = p.sub(right+2, top, p.w-right-2, bottom-top)
	}
	l.talk = p.sub(left, top, right-left, bottom-top)
	if left > 0 {
		l.talk = p.sub(left+1, top, right-left-1, bottom-top)
	}
	if right < p.w {
		l.talk.w = max(0, l.talk.w-1) // not up to the line
	}
	return l
}

// prompt says which room the input goes to.
func (u *chat) prompt(w int) string {
	if w < 24 {
		return "> "
	}
	return fit(u.title(), w/4) + "> "
}

// title is what people call the active room.
func (u *chat) title() string {
	if r := u.room(); r != nil {
		return r.Title
	}
	if _, _, direct := protocol.ParseDirectRoom(u.st.Active); direct {
		return "@…"
	}
	return "#" + u.st.Active
}

func (u *chat) draw(p painter) {
	prompt := u.prompt(p.w)
	indent := width(prompt)
	l := lay(p, u.input().rows(p.w-indent))
	u.layout = l
	u.drawHeader(l.header)
	u.drawRooms(l.rooms)
	if l.rooms.w > 0 {
		p.sub(l.rooms.w, l.rooms.y, 1, l.rooms.h).vline(0)
	}
	if l.people.w > 0 {
		p.sub(l.people.x-2, l.people.y, 1, l.people.h).vline(0)
		u.drawPeople(l.people)
	}
	room := u.room()
	switch {
	case u.over != nil:
		u.over.draw(l.talk)
	case room == nil || room.Len() == 0:
		u.drawWelcome(l.talk, room)
	default:
		u.list().draw(l.talk, room)
	}
	u.drawBar(l.bar)
	l.input.text(0, 0, prompt, bold)
	u.input().draw(l.input.sub(indent, 0, l.input.w-indent, l.input.h))
	u.drawStatus(l.status)
}

// drawWelcome fills the place of a talk that has not begun.
func (u *chat) drawWelcome(p painter, room *client.Room) {
	var lines []string
	switch {
	case room != nil && room.Older:
		lines = []string{"Loading…"}
	case room != nil:
		lines = []string{"Nothing has been said in " + room.Title + " yet.", "", "Write a line and press Enter.", "F1 shows the keys and the commands."}
	case u.st.Link.Phase == client.Connecting:
		lines = []string{"Connecting…"}
	case u.st.Link.Phase == client.Ended:
		lines = []string{"There is no connection, and no further try will be made:", fmt.Sprint(u.st.Link.Err), "", "/quit leaves."}
	case u.st.Link.Phase != client.Up:
		lines = []string{"Connecting again…"}
	case len(u.st.Rooms) > 0 || u.st.Active == u.cfg.Room:
		lines = []string{"Going to " + u.title() + " …"}
	default:
		lines = []string{"You are in no room.", "", "/join ROOM goes to one, /rooms shows those there are."}
	}
	var rows []row
	for _, line := range lines {
		rows = append(rows, wrap(line, p.w-2, p.w-2)...)
	}
	y := max(0, (p.h-len(rows))/2)
	for i, r := range rows {
		p.centre(y+i, r.text, dim)
	}
}

// drawHeader names the server above the rooms, and the room above its talk;
// where there are no panes, the room at the left and the server at the right.
func (u *chat) drawHeader(p painter) {
	if p.h == 0 {
		return
	}
	p.fill(0, 0, ' ', reverse)
	name, room := u.st.Server.Name, u.room()
	x, right := 1, p.w-1
	if u.layout.rooms.w > 0 {
		p.text(1, 0, fit(name, u.layout.rooms.w-1), reverse)
		x = u.layout.talk.x
	} else {
		name = fit(name, p.w/4)
		right -= width(name)
		p.text(right, 0, name, reverse)
		right -= 2
	}
	if room != nil && room.Count > 0 && u.layout.people.w == 0 && p.w >= twoPanes {
		people := plural(room.Count, "person", "people")
		right -= width(people)
		p.text(right, 0, people, reverse)
		right -= 2
	}
	left := p.sub(0, 0, right, 1)
	x = left.text(x, 0, u.title(), reverse|bold)
	if room != nil && room.Topic != "" {
		left.text(x+2, 0, fit(room.Topic, left.w-x-2), reverse)
	}
}
