package tui

import (
	"sort"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// msgList is one room's talk on the screen. What it costs depends on what is
// seen, never on how long the room is: rows are counted from what is on the
// screen, and there is no total.
//
// Where it stands is kept as an item and a place in its text, so that it stays
// there when lines come, when older ones are loaded above, and when the width
// changes. At the end it stays at the end.
type msgList struct {
	looks *looks
	loc   *time.Location

	top    *client.Item // the first one seen; nil: the list is at the end
	topSeq uint64
	topID  protocol.ID
	topOff int    // where in its text; dayOff: the day's row above it
	hint   int    // where top was last
	seen   uint64 // the newest seq when the end was left

	height int // as last drawn
	first  int // the first item last drawn
}

const dayOff = -1

func newMsgList(looks *looks, loc *time.Location) *msgList {
	return &msgList{looks: looks, loc: loc, first: 1} // not yet drawn, so not at the first item
}

// pos is a row of the talk: row r of item i. Where a day begins, its row is r 0
// of the first item of the day.
type pos struct{ i, r int }

func (a pos) before(b pos) bool { return a.i < b.i || a.i == b.i && a.r < b.r }

// dayRows is 1 where item i begins a day.
func (l *msgList) dayRows(room *client.Room, i int) int {
	if day(room, i, l.loc) != "" {
		return 1
	}
	return 0
}

func (l *msgList) rows(room *client.Room, i int) int {
	return l.dayRows(room, i) + len(l.looks.of(room.At(i)))
}

// up goes n rows back from p, to the first row at most, and reports how many it
// went.
func (l *msgList) up(room *client.Room, p pos, n int) (pos, int) {
	went := 0
	for n > p.r {
		if p.i == 0 {
			return pos{}, went + p.r
		}
		n -= p.r
		went += p.r
		p.i--
		p.r = l.rows(room, p.i)
	}
	return pos{p.i, p.r - n}, went + n
}

// down goes n rows on from p, to behind the last row at most.
func (l *msgList) down(room *client.Room, p pos, n int) pos {
	for p.i < room.Len() {
		rows := l.rows(room, p.i)
		if p.r+n < rows {
			return pos{p.i, p.r + n}
		}
		n -= rows - p.r
		p = pos{p.i + 1, 0}
	}
	return p
}

// end is where the list begins when the last row is at the bottom, and how many
// rows there are from there.
func (l *msgList) end(room *client.Room) (pos, int) {
	return l.up(room, pos{room.Len(), 0}, l.height)
}

// find returns where top is now: itself, or what stands nearest where it was.
func (l *msgList) find(room *client.Room) pos {
	i := l.hint
	if i >= room.Len() || room.At(i) != l.top {
		i = l.search(room)
	}
	if i >= room.Len() {
		return pos{i, 0}
	}
	l.hint, l.top = i, room.At(i)
	days := l.dayRows(room, i)
	if l.topOff == dayOff {
		return pos{i, 0}
	}
	rows := l.looks.of(l.top)
	r := sort.Search(len(rows), func(r int) bool { return rows[r].off > l.topOff }) - 1
	return pos{i, days + max(0, r)}
}

func (l *msgList) search(room *client.Room) int {
	from := sort.Search(len(room.Items), func(i int) bool { return room.Items[i].Entry.Seq >= l.topSeq })
	for i := from; i < len(room.Items) && room.Items[i].Entry.Seq == l.topSeq; i++ {
		if room.Items[i] == l.top {
			return i
		}
	}
	if l.top.Status != client.Said && l.top.Status != client.Notice {
		// It was on its way: it is still, or has its place by now.
		for i := room.Len() - 1; i >= max(0, len(room.Items)-1000); i-- {
			if room.At(i).Entry.ID == l.topID {
				return i
			}
		}
	}
	return from
}

// stand makes p the first row on the screen.
func (l *msgList) stand(room *client.Room, p pos) {
	end, _ := l.end(room)
	if !p.before(end) {
		l.toEnd()
		return
	}
	if l.top == nil {
		l.seen = room.LastSeq()
	}
	it := room.At(p.i)
	l.top, l.topSeq, l.topID, l.hint = it, it.Entry.Seq, it.Entry.ID, p.i
	if days := l.dayRows(room, p.i); p.r < days {
		l.topOff = dayOff
	} else {
		l.topOff = l.looks.of(it)[p.r-days].off
	}
}

func (l *msgList) toEnd() { l.top = nil }

func (l *msgList) atEnd() bool { return l.top == nil }

// scroll goes n rows on, or back when n is negative.
func (l *msgList) scroll(room *client.Room, n int) {
	if l.looks.items == nil || room.Len() == 0 {
		return
	}
	p, _ := l.end(room)
	if l.top != nil {
		p = l.find(room)
	}
	if n < 0 {
		p, _ = l.up(room, p, -n)
	} else {
		p = l.down(room, p, n)
	}
	l.stand(room, p)
}

func (l *msgList) page(room *client.Room, n int) { l.scroll(room, n*max(1, l.height-2)) }

func (l *msgList) home(room *client.Room) {
	if l.looks.items != nil && room.Len() > 0 {
		l.stand(room, pos{})
	}
}

// news counts what has come since the end was left.
func (l *msgList) news(room *client.Room) int {
	if l.top == nil {
		return 0
	}
	return len(room.Items) - sort.Search(len(room.Items), func(i int) bool { return room.Items[i].Entry.Seq > l.seen })
}

// draw draws the talk, its end at the bottom.
func (l *msgList) draw(p painter, room *client.Room) {
	l.height = p.h
	l.looks.setWidth(p.w)
	if p.w == 0 || p.h == 0 {
		return
	}
	at, rows := l.end(room)
	y := p.h - rows
	if l.top != nil {
		if top := l.find(room); top.before(at) {
			at, y = top, 0
		} else {
			l.toEnd()
		}
	}
	l.first = at.i
	for ; y < p.h && at.i < room.Len(); at.i++ {
		it := room.At(at.i)
		days := 0
		if name := day(room, at.i, l.loc); name != "" {
			days = 1
			if at.r == 0 {
				p.fill(0, y, '─', dim)
				p.centre(y, " "+fit(name, p.w-2)+" ", dim)
				at.r, y = 1, y+1
			}
		}
		for n := len(l.looks.of(it)); at.r-days < n && y < p.h; at.r++ {
			l.looks.drawRow(p, y, it, at.r-days, l.loc)
			y++
		}
		at.r = 0
	}
}
