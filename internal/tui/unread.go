package tui

import (
	"fmt"
	"slices"

	"lanchat/internal/client"
)

// lineBefore reports whether the unread line stands above item i. Where what lies
// before it is not held, its place is not, and there is none.
func lineBefore(room *client.Room, i int) bool {
	if room.Line == 0 || i >= len(room.Items) || room.Items[i].Entry.Seq <= room.Line {
		return false
	}
	if i == 0 {
		return !room.Older || room.Items[0].Entry.Seq == room.Line+1
	}
	return room.Items[i-1].Entry.Seq <= room.Line
}

// maxCounted is how many items are looked at to count what is new, at most: they
// are counted at each draw, and nobody reads the difference.
const maxCounted = 2000

// counts is true for what somebody else has said.
func counts(it *client.Item) bool {
	return it.Status == client.Said && !it.Mine && !it.Entry.Gone && client.Counts(it.Entry.Kind)
}

// newBehind counts what others have said behind a seq, and what of it is for this
// user; all is false when there is more than it looked at.
func newBehind(room *client.Room, seq uint64) (n, forMe int, all bool) {
	from := max(0, len(room.Items)-maxCounted)
	for _, it := range slices.Backward(room.Items[from:]) {
		if it.Entry.Seq <= seq {
			return n, forMe, true
		}
		if counts(it) {
			n++
			if it.ForMe {
				forMe++
			}
		}
	}
	return n, forMe, from == 0
}

// lineText is what the unread line says. Item i is the first one behind it.
func lineText(room *client.Room, i int) string {
	if room.Missed == 0 {
		return "new"
	}
	text := fmt.Sprintf("%d missed", room.Missed)
	if n, _, all := newBehind(room, room.Line); all && n > room.Missed {
		text += fmt.Sprintf(", %d new", n-room.Missed)
	}
	return text
}

// openAtLine has a room stand, when it is gone to, so that what is new is on the
// screen from its beginning: at the end when all of it fits there. That is done
// again until all of the room has come, or somebody scrolls.
func (l *msgList) openAtLine(room *client.Room) {
	if !l.ready(room) || l.height == 0 {
		return
	}
	i := firstFrom(room, room.Line+1)
	if lineBefore(room, i) {
		days, _ := l.heads(room, i)
		line := pos{i, days}
		if end, _ := l.end(room); line.before(end) {
			above, _ := l.up(room, line, min(2, l.height/4)) // what it goes on from
			l.stand(room, above)
			l.seen = room.Line
		}
	}
	l.opened = room.LastSeq() < room.Head
}

// news counts what others have said that was not on the screen yet, below it, and
// what of it is for this user; more is true when there is more than was counted.
func (l *msgList) news(room *client.Room) (n, forMe int, more bool) {
	if !l.standing {
		return 0, 0, false
	}
	n, forMe, all := newBehind(room, l.seen)
	return n, forMe, !all
}
