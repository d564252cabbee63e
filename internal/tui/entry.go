package tui

import (
	"fmt"
	"slices"
	"strings"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
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
	signChosen  = "▌"
	signReply   = "↪"
	signPrivate = "(p)"
)

// wording is what a line says, in whose name.
type wording struct {
	nick  string
	style ink // of the nick
	text  string
	tail  string // behind the text, dim
	body  ink
	sign  string
	reply bool
	why   string // a failure, and what to do about it
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
	if e.Bot && client.Counts(e.Kind) {
		w.tail = " (bot)"
	}
	if e.Edited {
		w.tail += " (edited)"
	}
	switch {
	case it.Status == client.Pending || it.Status == client.Acked:
		w.sign, w.body = signPending, dim
	case it.Status == client.Failed:
		w.sign, w.why = signFailed, "not sent: "+it.Err+" (Ctrl-T sends it again)"
	case it.Change != nil:
		w.change(it.Change)
	case it.ForMe:
		w.sign, w.style = signForMe, w.style|reverse
	}
	switch {
	case e.Gone && it.GoneBy != "":
		w.text, w.body, w.tail = "(deleted by "+it.GoneBy+")", dim, ""
	case e.Gone:
		w.text, w.body, w.tail = "(deleted)", dim, ""
	case e.Kind == protocol.KindAnnounce:
		w.nick, w.text, w.body = "-!", who+" announces: "+w.text, bold
	case e.Kind == protocol.KindDeed:
		w.nick, w.style, w.text, w.body = "-!", dim, who+" "+w.text, dim
	case e.Kind == protocol.KindAction:
		w.nick, w.text = "-*", who+" "+w.text // as with "--", nobody has this nick
	case e.Kind == protocol.KindTopic && e.Text == "":
		remark(who + " has removed the topic")
	case e.Kind == protocol.KindTopic:
		remark(who + " has set the topic: " + e.Text)
	default:
		w.reply = !e.Target.IsZero() || e.TargetSeq > 0
	}
	return w
}

// change words an edit or a deletion that is not in the log yet: as what will be,
// or why it will not.
func (w *wording) change(c *client.Change) {
	deletion := c.Kind == protocol.KindDelete
	switch {
	case c.Status == client.Failed && deletion:
		w.sign, w.why = signFailed, "not deleted: "+c.Err+" (Ctrl-T tries again)"
	case c.Status == client.Failed:
		w.sign, w.why = signFailed, "not changed: "+c.Err+" (Ctrl-T tries again)"
	case deletion:
		w.sign, w.body, w.tail = signPending, dim, " (being deleted)"
	default:
		w.sign, w.body, w.text = signPending, dim, c.Text
	}
}

// Where in an entry the rows begin that are not its text: before it and behind it,
// the same whatever the text becomes.
const (
	nameOff     = -2
	quoteOff    = -1
	reactionOff = 1 << 28
	whyOff      = 1 << 29
)

// looks caches the rows of items at one width. It is emptied when it holds
// maxLooks rows: what is on the screen is soon made again.
type looks struct {
	columns columns
	bare    bool            // no signs for the eye alone: the text is to be copied
	me      protocol.UserID // whose reactions are marked
	items   map[*client.Item][]row
	rows    int
}

const maxLooks = 20_000

func (l *looks) setWidth(width int) {
	if l.items != nil && l.columns.width == width {
		return
	}
	l.columns = columnsFor(width)
	if l.bare {
		l.columns = columns{width, 6, 0, 0}
	}
	l.items, l.rows = map[*client.Item][]row{}, 0
}

// setMe says whose screen this is.
func (l *looks) setMe(me protocol.UserID) {
	if l.me != me {
		l.me = me
		clear(l.items)
		l.rows = 0
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
	rows := l.wrap(it)
	l.items[it] = rows
	l.rows += len(rows)
	return rows
}

func (l *looks) wrap(it *client.Item) []row {
	w, c := word(it), l.columns
	rest := c.width - c.text
	first := c.width - c.first(w.nick)
	var rows []row
	if first < 8 && rest > first {
		// A nick as long as that has a row of its own.
		rows = append(rows, row{off: nameOff, role: nameRow})
		first = rest
	}
	if w.reply {
		rows = append(rows, row{off: quoteOff, role: quoteRow})
		first = rest
	}
	rows = l.body(rows, w, first, rest)
	if !it.Entry.Gone {
		rows = append(rows, l.reactions(it.Entry.Reactions, rest)...)
	}
	if w.why != "" {
		for _, r := range wrap(w.why, rest, rest) {
			rows = append(rows, row{text: r.text, off: whyOff + r.off, role: whyRow})
		}
	}
	return rows
}

// body adds the rows of the text.
func (l *looks) body(rows []row, w wording, first, rest int) []row {
	text := linked(strings.ReplaceAll(safetext.Text(w.text), "\t", "    "))
	parts := stretches(text)
	for i, s := range parts {
		from := len(rows)
		if s.code {
			if first < rest && len(rows) == 0 {
				rows = append(rows, row{off: nameOff, role: nameRow}) // the bar is to be straight
				from++
			}
			columns := rest
			if !l.bare {
				columns -= width(barCode)
			}
			rows = append(rows, wrapCode(text[s.from:s.to], columns)...)
		} else {
			prose := text[s.from:s.to]
			spans := spansIn(prose)
			if i == len(parts)-1 && w.tail != "" {
				spans = append(spans, span{len(prose), len(prose) + len(w.tail), dim})
				prose += w.tail
			}
			rows = append(rows, wrapClean(prose, first, rest)...)
			inked(rows[from:], spans)
		}
		for j := range rows[from:] {
			rows[from+j].off += s.from
		}
		first = rest
	}
	if last := parts[len(parts)-1]; last.code && w.tail != "" {
		tail := strings.TrimSpace(w.tail)
		rows = append(rows, row{text: tail, off: last.to + 1, spans: []span{{0, len(tail), dim}}})
	}
	return rows
}

// The left edge of code; a row that goes on with the line above has another.
const (
	barCode = "│ "
	barOn   = "│…"
)

// reactions lists them, one's own in brackets; a row breaks between two.
func (l *looks) reactions(list []protocol.Reaction, columns int) []row {
	var rows []row
	line := ""
	for i, r := range list {
		text := fmt.Sprintf("%s %d", fit(r.Text, 16), r.Count)
		if slices.Contains(r.By, l.me) {
			text = "[" + text + "]"
		}
		switch {
		case line == "":
			line = text
		case width(line)+2+width(text) <= columns:
			line += "  " + text
		default:
			rows = append(rows, row{text: line, off: reactionOff + i, role: reactionRow})
			line = text
		}
	}
	if line != "" {
		rows = append(rows, row{text: line, off: reactionOff + len(list), role: reactionRow})
	}
	return rows
}
