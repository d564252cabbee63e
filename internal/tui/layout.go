package tui

import (
	"fmt"
	"strings"

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
// Where the rooms are not seen the header says what is unread in them, or the bar
// where there is no header.
type layout struct {
	screen                                          painter
	header, rooms, talk, people, bar, input, status painter
	firstRoom                                       int // the room in the first row of rooms
}

const (
	twoPanes   = 60
	threePanes = 100

	leastPane = 8
	leastTalk = 24 // columns; a pane that leaves less is not shown
	leastOver = 4  // rows of the talk; a layer that would have less gets the screen
)

// panes is what the user wants of the panes beside the talk.
type panes struct{ rooms, people pane }

// pane is what is wanted of one. The zero value leaves it to the screen's width.
type pane struct {
	wish  wish
	width int // columns; 0: as usual
}

type wish int

const (
	byWidth wish = iota
	wished
	unwished
)

// columns is how wide a pane is: 0 when it is not shown. free is what it and the
// talk have.
func (p pane) columns(usual, free int, fits bool) int {
	switch {
	case p.wish == unwished || p.wish == byWidth && !fits:
		return 0
	case p.width > 0:
		usual = p.width
	}
	n := min(usual, free-leastTalk)
	if n < leastPane {
		return 0
	}
	return n
}

func lay(p painter, inputRows int, panes panes) layout {
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
	if n := panes.rooms.columns(min(max(p.w/5, 14), 24)-1, p.w-1, p.w >= twoPanes); n > 0 {
		left = n + 1
		l.rooms = p.sub(0, top, n, bottom-top)
	}
	if n := panes.people.columns(min(p.w/5, 24)-2, p.w-left-3, p.w >= threePanes); n > 0 {
		right = p.w - n - 2
		l.people = p.sub(right+2, top, n, bottom-top)
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

// border is a line between panes that the mouse can move.
type border int

const (
	noBorder border = iota
	roomsBorder
	peopleBorder
)

// borderAt says which border is at a place of the screen.
func (l *layout) borderAt(x, y int) border {
	switch {
	case y < l.talk.y || y >= l.talk.y+l.talk.h:
	case l.rooms.w > 0 && x == l.rooms.x+l.rooms.w:
		return roomsBorder
	case l.people.w > 0 && x == l.people.x-2:
		return peopleBorder
	}
	return noBorder
}

// drag moves the border that the mouse holds, and reports whether it moved.
func (u *chat) drag(x, _ int) bool {
	l, was := &u.layout, u.panes
	switch u.held {
	case roomsBorder:
		most := l.screen.w - leastTalk - 1
		if l.people.w > 0 {
			most -= l.people.w + 3
		}
		u.panes.rooms.width = max(leastPane, min(x, most))
	case peopleBorder:
		most := l.screen.w - leastTalk - 3
		if l.rooms.w > 0 {
			most -= l.rooms.w + 1
		}
		u.panes.people.width = max(leastPane, min(l.screen.w-x-2, most))
	}
	return u.panes != was
}

// togglePane hides a pane that is seen, and shows one that is not.
func (u *chat) togglePane(p *pane) {
	seen := func(l layout) bool {
		if p == &u.panes.rooms {
			return l.rooms.w > 0
		}
		return l.people.w > 0
	}
	if seen(u.layout) {
		p.wish = unwished
		return
	}
	was := p.wish
	p.wish = wished
	if !seen(lay(u.layout.screen, 1, u.panes)) {
		p.wish = was
		u.flash("There is no room for it; Ctrl-K finds rooms and people", "There is no room for it")
	}
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
	switch full := u.over.(type) {
	case *copying, *wireView:
		u.layout = layout{screen: p}
		full.draw(p)
		return
	}
	l := lay(p, u.inputRows(p.w), u.panes)
	u.layout = l
	if !u.talkSeen() && l.talk.h < leastOver {
		u.over.draw(p)
		return
	}
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
	case room == nil || room.Len() == 0:
		u.drawWelcome(l.talk, room)
	default:
		u.list().draw(l.talk, room)
	}
	u.drawPopup(l.talk)
	u.drawBar(l.bar)
	u.drawInput(l.input)
	u.drawStatus(l.status)
	if u.over != nil {
		u.over.draw(l.talk) // at last: the cursor is where it wants it
	}
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
// where there are no panes, the room at the left, and at the right what is
// unread in the others and, if it fits, the server.
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
		elsewhere := u.elsewhereUnread()
		if len(u.st.Rooms) > 1 {
			elsewhere = strings.TrimSpace(plural(len(u.st.Rooms), "room", "rooms") + " " + elsewhere)
		}
		if name = fit(name, p.w/4); p.w < 30 && elsewhere != "" {
			name = ""
		}
		for _, s := range []string{name, elsewhere} {
			if s = fit(s, right-x-4); s != "" {
				right -= width(s)
				p.text(right, 0, s, reverse|bold)
				right -= 2
			}
		}
	}
	if room != nil && room.Count > 0 && u.layout.people.w == 0 && p.w >= twoPanes {
		people := plural(room.Count, "person", "people")
		right -= width(people)
		p.text(right, 0, people, reverse)
		right -= 2
	}
	left := p.sub(0, 0, right, 1)
	x = left.text(x, 0, fit(u.title(), left.w-x), reverse|bold)
	if room != nil && left.w-x > 8 {
		about := room.Topic
		if room.Private {
			about = strings.TrimSuffix("private · "+about, " · ")
		}
		left.text(x+2, 0, fit(about, left.w-x-2), reverse)
	}
}

// elsewhereUnread says what is unread in all rooms but this one: "+12 »2".
func (u *chat) elsewhereUnread() string {
	unread, mine := 0, 0
	for _, r := range u.st.Rooms {
		if r.Name != u.st.Active {
			unread += r.Unread
			mine += r.Mine
		}
	}
	switch {
	case unread == 0:
		return ""
	case mine == 0:
		return fmt.Sprintf("+%d", unread)
	}
	return fmt.Sprintf("+%d %s%d", unread, signForMe, mine)
}
