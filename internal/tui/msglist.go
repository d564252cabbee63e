package tui

import (
	"sort"
	"time"

	"lanchat/internal/client"
)

// msgList is one room's talk on the screen. What it costs depends on what is
// seen, never on how long the room is: rows are counted from what is on the
// screen, and there is no total.
//
// Where it stands is kept as an item and a place in its text, so that it stays
// there when lines come, when older ones are loaded above, when an entry changes,
// and when the width does. At the end it stays at the end.
type msgList struct {
	looks *looks
	loc   *time.Location

	standing bool // at top; false: at the end
	top      mark // the first item seen
	topOff   int  // where in its text; dayOff, lineOff: in the rows above it
	seen     uint64
	hold     bool // stand still at the end, too

	opened bool  // the room was just gone to: what is new comes first
	chosen *mark // drawn as chosen; nil: nothing

	height int            // as last drawn
	first  int            // the first item last drawn
	last   int            // and the last one
	shown  []*client.Item // by row
}

// Places above an item's own rows.
const (
	dayOff  = -4
	lineOff = -3
)

func newMsgList(looks *looks, loc *time.Location) *msgList {
	return &msgList{looks: looks, loc: loc, first: 1} // not yet drawn, so not at the first item
}

// pos is a row of the talk: row r of item i. Where a day begins, its row is the
// first of the first item of the day; then comes the unread line, when it stands
// there; then the item's own rows.
type pos struct{ i, r int }

func (a pos) before(b pos) bool { return a.i < b.i || a.i == b.i && a.r < b.r }

// heads counts the rows above item i that belong to it: the day's, and the unread
// line's.
func (l *msgList) heads(room *client.Room, i int) (days, lines int) {
	if day(room, i, l.loc) != "" {
		days = 1
	}
	if lineBefore(room, i) {
		lines = 1
	}
	return days, lines
}

func (l *msgList) rows(room *client.Room, i int) int {
	days, lines := l.heads(room, i)
	return days + lines + len(l.looks.of(room.At(i)))
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
	i, same := l.top.find(room)
	if i >= room.Len() || !same {
		return pos{i, 0}
	}
	days, lines := l.heads(room, i)
	switch l.topOff {
	case dayOff:
		return pos{i, 0}
	case lineOff:
		return pos{i, days}
	}
	rows := l.looks.of(room.At(i))
	r := sort.Search(len(rows), func(r int) bool { return rows[r].off > l.topOff }) - 1
	return pos{i, days + lines + max(0, r)}
}

// at is the first row on the screen.
func (l *msgList) at(room *client.Room) pos {
	end, _ := l.end(room)
	if l.standing {
		if p := l.find(room); p.before(end) {
			return p
		}
	}
	return end
}

// stand makes p the first row on the screen.
func (l *msgList) stand(room *client.Room, p pos) {
	if end, _ := l.end(room); !p.before(end) {
		if p = end; !l.hold {
			l.toEnd()
			return
		}
	}
	if p.i >= room.Len() {
		return
	}
	if !l.standing {
		l.standing, l.seen = true, room.LastSeq()
	}
	l.top = markOf(room, p.i)
	switch days, lines := l.heads(room, p.i); {
	case p.r < days:
		l.topOff = dayOff
	case p.r < days+lines:
		l.topOff = lineOff
	default:
		l.topOff = l.looks.of(room.At(p.i))[p.r-days-lines].off
	}
}

func (l *msgList) toEnd() { l.standing, l.opened = false, false }

func (l *msgList) atEnd() bool { return !l.standing }

// ready reports whether the list was drawn, so that there are rows to count.
func (l *msgList) ready(room *client.Room) bool {
	return l.looks.items != nil && room.Len() > 0
}

// scroll goes n rows on, or back when n is negative.
func (l *msgList) scroll(room *client.Room, n int) {
	if !l.ready(room) {
		return
	}
	l.opened = false
	p := l.at(room)
	if n < 0 {
		p, _ = l.up(room, p, -n)
	} else {
		p = l.down(room, p, n)
	}
	l.stand(room, p)
}

func (l *msgList) page(room *client.Room, n int) { l.scroll(room, n*max(1, l.height-2)) }

func (l *msgList) home(room *client.Room) {
	if l.ready(room) {
		l.opened = false
		l.stand(room, pos{})
	}
}

// show scrolls as little as it takes to have all of item i on the screen, or its
// beginning when it is higher than that.
func (l *msgList) show(room *client.Room, i int) {
	if !l.ready(room) {
		return
	}
	top := l.at(room)
	start := pos{i, 0}
	if days, lines := l.heads(room, i); i == top.i && top.r <= days+lines {
		start.r = top.r // what stands above it need not be seen
	}
	if start.before(top) {
		l.stand(room, start)
		return
	}
	bottom, _ := l.up(room, pos{i + 1, 0}, l.height)
	if start.before(bottom) {
		bottom = start
	}
	if top.before(bottom) {
		l.stand(room, bottom)
	}
}

// span is the first item on the screen and the last.
func (l *msgList) span(room *client.Room) (first, last int) {
	top := l.at(room)
	return top.i, min(l.down(room, top, max(0, l.height-1)).i, room.Len()-1)
}

// draw draws the talk, its end at the bottom.
func (l *msgList) draw(p painter, room *client.Room) {
	l.height = p.h
	l.looks.setWidth(p.w)
	if p.w == 0 || p.h == 0 || room.Len() == 0 {
		return
	}
	if l.opened {
		l.openAtLine(room)
	}
	chosen := -1
	if l.chosen != nil {
		if i, same := l.chosen.find(room); same {
			chosen = i
			if first, last := l.span(room); i < first || i > last {
				l.show(room, i) // lines that came have moved it off
			}
		}
	}
	at, rows := l.end(room)
	y := p.h - rows
	if l.standing {
		if top := l.find(room); top.before(at) {
			at, y = top, 0
		} else if !l.hold {
			l.toEnd()
		}
	}
	l.first = at.i
	l.shown = l.shown[:0]
	drawn := func(it *client.Item) {
		for len(l.shown) < y {
			l.shown = append(l.shown, nil)
		}
		l.shown = append(l.shown, it)
		y++
	}
	for ; y < p.h && at.i < room.Len(); at.i++ {
		l.last = at.i
		name, head := day(room, at.i, l.loc), 0
		rule := func(text string, st ink) {
			if at.r == head {
				if !l.looks.bare {
					p.fill(0, y, '─', st)
				}
				p.centre(y, " "+fit(text, p.w-2)+" ", st)
				at.r++
				drawn(nil)
			}
			head++
		}
		if name != "" {
			rule(name, dim)
		}
		if lineBefore(room, at.i) {
			rule(lineText(room, at.i), fresh)
		}
		it := room.At(at.i)
		for n := len(l.looks.of(it)); at.r-head < n && y < p.h; at.r++ {
			l.looks.drawRow(p, y, rowAt{room, it, at.r - head, at.i == chosen}, l.loc)
			drawn(it)
		}
		at.r = 0
	}
	if l.last < len(room.Items) {
		l.seen = max(l.seen, room.Items[l.last].Entry.Seq)
	}
}

// itemAt is what was drawn in a row of the list; nil where nothing was.
func (l *msgList) itemAt(y int) *client.Item {
	if y < 0 || y >= len(l.shown) {
		return nil
	}
	return l.shown[y]
}
