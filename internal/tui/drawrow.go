package tui

import (
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// rowAt is one row that is to be drawn: row n of an item of a room.
type rowAt struct {
	room   *client.Room
	it     *client.Item
	n      int
	chosen bool
}

// drawRow draws a row at y.
func (l *looks) drawRow(p painter, y int, at rowAt, loc *time.Location) {
	it, c := at.it, l.columns
	rows := l.of(it)
	r, w := rows[at.n], word(it)
	in := func(i ink) ink { return i }
	sign := w.sign
	if sign == signSaid && c.nick == 0 && w.nick[0] != '-' {
		sign = ":"
	}
	if at.chosen {
		in = func(i ink) ink { return chosen | i&(bold|underline) }
		p.fill(0, y, ' ', chosen)
		if c.time > 0 {
			p.text(c.time-1, y, signChosen, chosen)
		} else if at.n == 0 {
			sign = signChosen // there is no room but between the nick and the text
		} else {
			p.text(0, y, signChosen, chosen)
		}
	}
	x := c.text
	if at.n == 0 {
		if c.time > 0 && it.Entry.At != 0 {
			p.text(0, y, time.Unix(0, it.Entry.At).In(loc).Format("15:04"), in(dim))
		}
		x = c.time + max(0, c.nick-width(w.nick))
		x = p.text(x, y, w.nick, in(w.style))
		st := plain
		if sign == signFailed || sign == signForMe {
			st = warning
		}
		x = p.text(x, y, sign, in(st)) + 1
	}
	spans := r.spans
	if at.chosen {
		spans = nil
	}
	switch r.role {
	case nameRow:
	case quoteRow:
		p.text(x, y, fit(signReply+" "+origin(at.room, it), p.w-x), in(quote))
	case codeRow, codeOn:
		if bar := barCode; !l.bare {
			if r.role == codeOn {
				bar = barOn
			}
			x = p.text(x, y, bar, in(dim))
		}
		p.text(x, y, r.text, in(code))
	case whyRow:
		p.text(x, y, r.text, in(warning))
	default:
		p.spans(x, y, r.text, in(w.body), spans)
	}
}

// origin words what an item is a reply to, as far as it is held.
func origin(room *client.Room, it *client.Item) string {
	to := heldTarget(room, it)
	if to == nil {
		return "an earlier message"
	}
	if to.Entry.Gone {
		return "a deleted message"
	}
	text := safetext.Text(to.Entry.Text)
	if to.Entry.Kind == protocol.KindAction {
		return client.ShownNick(to.Entry.Nick, to.Entry.Guest) + " " + firstLine(text)
	}
	return client.ShownNick(to.Entry.Nick, to.Entry.Guest) + ": " + firstLine(text)
}

// firstLine is the first line that says something; an ellipsis says that there are
// more.
func firstLine(text string) string {
	text = strings.TrimSpace(text)
	if rest, code := strings.CutPrefix(text, fence); code {
		text = strings.TrimLeft(rest, "`")
	}
	line, more, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if strings.TrimSpace(more) != "" {
		line += " …"
	}
	return line
}

// heldTarget is the entry that an item is a reply to; nil when it is not held.
func heldTarget(room *client.Room, it *client.Item) *client.Item {
	if it.Entry.TargetSeq > 0 {
		if i := room.Find(it.Entry.TargetSeq); i >= 0 {
			return room.Items[i]
		}
		return nil
	}
	if it.Status == client.Said {
		return nil // the log has it no more
	}
	// A reply under way has no answer from the server yet: what one replies to is
	// among what one has seen.
	for i := len(room.Items) - 1; i >= max(0, len(room.Items)-2000); i-- {
		if room.Items[i].Entry.ID == it.Entry.Target {
			return room.Items[i]
		}
	}
	return nil
}

// day names the day that begins with an item, or returns "".
func day(room *client.Room, i int, loc *time.Location) string {
	at := room.At(i).Entry.At
	if at == 0 {
		return ""
	}
	t := time.Unix(0, at).In(loc)
	for j := i - 1; j >= 0; j-- {
		before := room.At(j).Entry.At
		if before == 0 {
			continue
		}
		b := time.Unix(0, before).In(loc)
		if b.YearDay() == t.YearDay() && b.Year() == t.Year() {
			return ""
		}
		break
	}
	return t.Format("Monday, 2 January 2006")
}
