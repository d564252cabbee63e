package tui

import (
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// columns says how a line of talk is laid out in a given width. A line is
//
//	15:04       ann  hello
//
// with the nicks flush right where there is room, and otherwise one behind the
// other. What follows on further rows stands under the text, so that no text can
// look like a line of somebody else's.
type columns struct {
	width int
	time  int // columns for the time and a space; 0: none
	nick  int // columns for nicks; 0: as many as the nick has
	text  int // where further rows begin
}

func columnsFor(width int) columns {
	switch {
	case width >= 56:
		return columns{width, 6, 11, 6 + 11 + 2}
	case width >= 30:
		return columns{width, 6, 0, 8}
	default:
		return columns{width, 0, 0, 2}
	}
}

// first is where the text begins behind a nick.
func (c columns) first(nick string) int {
	return c.time + max(c.nick, width(nick)) + 2
}

// The signs between nick and text. A colour may say the same, never more.
const (
	signSaid    = " "
	signPending = "…"
	signFailed  = "✗"
	signForMe   = "»"
)

// wording is what a line says, in whose name.
type wording struct {
	nick  string
	style ink // of the nick
	text  string
	body  ink
	sign  string
}

// word puts an item into words.
func word(it *client.Item) wording {
	e := &it.Entry
	who := client.ShownNick(e.Nick, e.Guest)
	w := wording{nick: who, style: nickInk(e.User), text: e.Text, body: plain, sign: signSaid}
	remark := func(text string) {
		// No nick begins with '-', so nobody can be taken for this.
		w.nick, w.style, w.text, w.body = "--", dim, text, dim
	}
	if it.Status == client.Notice {
		remark(e.Text)
		return w
	}
	switch e.Kind {
	case protocol.KindAction:
		w.nick, w.text = "-*", who+" "+e.Text // as with "--", nobody has this nick
	case protocol.KindTopic:
		if e.Text == "" {
			remark(who + " has removed the topic")
		} else {
			remark(who + " has set the topic: " + e.Text)
		}
	case protocol.KindEdit:
		remark(who + " has changed a message: " + e.Text)
	case protocol.KindDelete:
		remark(who + " has removed a message")
	case protocol.KindReaction:
		remark(who + " answers with " + e.Text)
	}
	switch {
	case it.Status == client.Pending || it.Status == client.Acked:
		w.sign, w.body = signPending, dim
	case it.Status == client.Failed:
		w.sign = signFailed
	case it.ForMe:
		w.sign, w.style = signForMe, w.style|reverse
	}
	return w
}

// looks caches the rows of items at one width. It is emptied when it holds
// maxLooks rows: what is on the screen is soon made again.
type looks struct {
	columns columns
	items   map[*client.Item][]row
	rows    int
}

const maxLooks = 20_000

func (l *looks) setWidth(width int) {
	if l.items == nil || l.columns.width != width {
		l.columns = columnsFor(width)
		l.items, l.rows = map[*client.Item][]row{}, 0
	}
}

func (l *looks) of(it *client.Item) []row {
	if rows, ok := l.items[it]; ok {
		return rows
	}
	if l.rows > maxLooks {
		clear(l.items)
		l.rows = 0
	}
	w, c := word(it), l.columns
	first := c.width - c.first(w.nick)
	var rows []row
	if first < 8 && c.width-c.text > first {
		// A nick as long as that has a row of its own.
		rows = append(rows, row{})
		first = c.width - c.text
	}
	rows = append(rows, wrap(w.text, first, c.width-c.text)...)
	if it.Status == client.Failed {
		for _, r := range wrap("not sent: "+it.Err+" (Ctrl-T takes it back)", c.width-c.text, c.width-c.text) {
			rows = append(rows, row{text: r.text, off: len(w.text) + 1 + r.off, why: true})
		}
	}
	l.items[it] = rows
	l.rows += len(rows)
	return rows
}

// drawRow draws row n of an item at y.
func (l *looks) drawRow(p painter, y int, it *client.Item, n int, loc *time.Location) {
	rows, c := l.of(it), l.columns
	w := word(it)
	x := c.text
	if n == 0 {
		if c.time > 0 && it.Entry.At != 0 {
			p.text(0, y, time.Unix(0, it.Entry.At).In(loc).Format("15:04"), dim)
		}
		x = c.time + max(0, c.nick-width(w.nick))
		x = p.text(x, y, w.nick, w.style)
		sign := w.sign
		if sign == signSaid && c.nick == 0 && w.nick[0] != '-' {
			sign = ":"
		}
		st := plain
		if sign == signFailed || sign == signForMe {
			st = warning
		}
		x = p.text(x, y, sign, st) + 1
	}
	st := w.body
	if rows[n].why {
		st = warning
	}
	p.text(x, y, rows[n].text, st)
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
