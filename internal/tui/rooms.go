package tui

import (
	"strconv"

	"lanchat/internal/client"
)

// drawRooms lists the rooms: a sign and bold for the active one, the number of
// unread lines, and a sign before it when one of them is for this user.
func (u *chat) drawRooms(p painter) {
	rooms := u.st.Rooms
	first := 0
	for i, r := range rooms {
		if r.Name == u.st.Active {
			first = max(0, i-p.h+1)
		}
	}
	u.layout.firstRoom = first
	for y := 0; y < p.h && first+y < len(rooms); y++ {
		u.drawRoom(p, y, rooms[first+y], first+y+1)
	}
}

// unread words the number of a room's unread lines.
func unread(r *client.Room) string {
	count := strconv.Itoa(min(r.Unread, 999))
	if r.Unread > 999 {
		count += "+"
	}
	if r.Mine > 0 {
		count = signForMe + count
	}
	return count
}

func (u *chat) drawRoom(p painter, y int, r *client.Room, n int) {
	st, mark := plain, " "
	if r.Name == u.st.Active {
		st, mark = bold, "▸"
	}
	right := p.w
	if r.Unread > 0 {
		count := bold
		if r.Mine > 0 {
			count = warning
		}
		st = st | bold
		right = p.right(y, unread(r), count) - 1
	}
	left := p.sub(0, y, right, 1)
	x := left.text(0, 0, mark, st)
	if n <= 9 {
		x = left.text(x, 0, strconv.Itoa(n)+" ", dim)
	} else {
		x += 2
	}
	title := r.Title
	if r.Private {
		title += " " + signPrivate
	}
	left.text(x, 0, fit(title, left.w-x), st)
}
