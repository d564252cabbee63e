package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

// WireRow is one datagram or one frame, as the wire view shows it.
type WireRow struct {
	At     time.Time
	Sent   bool
	Head   string   // what it is, in a line
	Notes  []string // how it came: what was lost before it, by which reads; always shown
	Detail []string // its fields, shown when asked for
	Loud   bool     // lost, doubled, late or sent again
}

// WireSource is what was recorded of the wire. It is asked on the event loop at
// each draw of a wire view, and at no other time; nothing in it may wait.
type WireSource interface {
	// Rows returns at most so many rows of a column behind the number after, the
	// oldest first, and the number of the last one, or after when there is none. Of
	// what is no longer kept the newest rows are returned: numbers count on.
	Rows(stream bool, after uint64, most int) (rows []WireRow, last uint64)
	// Totals are a few lines for the head of each column.
	Totals() (udp, tcp []string)
}

// WireConfig says what there is to watch.
type WireConfig struct {
	Screen   tcell.Screen // nil: the terminal
	Source   WireSource
	Title    string    // above the columns; "": none
	Settings *Settings // nil: the defaults
	Now      func() time.Time
}

// Wire shows the datagrams and the stream side by side until the user leaves
// ([ErrLeft]) or ctx ends (its cause).
func Wire(ctx context.Context, cfg WireConfig) error {
	stage, err := newStage(cfg.Screen)
	if err != nil {
		return err
	}
	stage.dress(cfg.Settings)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	v := newWireView(cfg.Source, cfg.Title, cfg.Now().Location())
	err = stage.run(ctx, &wireScreen{v, stage.leave}, func(ctx context.Context, update func(bool, func())) {
		tick := time.NewTicker(wireEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				update(true, func() {})
			case <-ctx.Done():
				return
			}
		}
	})
	return ended(ctx, err, false)
}

const wireEvery = 100 * time.Millisecond

// wireScreen is a wire view that has the terminal for itself.
type wireScreen struct {
	*wireView
	leave func()
}

func (s *wireScreen) key(ev *tcell.EventKey) {
	if !s.wireView.key(ev) {
		s.leave()
	}
}

func (s *wireScreen) mouse(action tview.MouseAction, x, y int) {
	switch action {
	case tview.MouseScrollUp:
		s.choose(x, y)
		s.wheel(-3)
	case tview.MouseScrollDown:
		s.choose(x, y)
		s.wheel(3)
	case tview.MouseLeftDown:
		s.choose(x, y)
	}
}

// wireView is the two columns. It is a layer over the chat, too.
type wireView struct {
	source WireSource
	title  string
	u      *chat // nil: it has the terminal for itself
	udp    *wireColumn
	tcp    *wireColumn
	tcpHas bool // the keys that scroll are the right column's
	paused bool
	detail bool
	totals [2][]string
}

func newWireView(source WireSource, title string, zone *time.Location) *wireView {
	return &wireView{source: source, title: title,
		udp: &wireColumn{name: "UDP, datagrams", zone: zone}, tcp: &wireColumn{name: "TCP, frames", stream: true, zone: zone}}
}

// openWire opens the view over the chat.
func (u *chat) openWire() {
	if u.cfg.Wire == nil {
		u.say("Nothing of the wire is recorded here")
		return
	}
	v := newWireView(u.cfg.Wire, "", u.now().Location())
	v.u = u
	u.over = v
}

// column is the one that the keys scroll.
func (v *wireView) column() *wireColumn {
	if v.tcpHas {
		return v.tcp
	}
	return v.udp
}

// key is false for a key that closes the view.
func (v *wireView) key(ev *tcell.EventKey) bool {
	if v.u != nil {
		switch a := v.u.keys.does[struck(ev)]; {
		case a == nil:
		case a.name == "quit":
			a.do(v.u)
			return true
		case a.name == "wire" || a.name == "close" || a.name == "clear":
			return false
		}
	}
	c := v.column()
	page := max(1, c.page-1)
	switch ev.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC, tcell.KeyCtrlQ, tcell.KeyF2:
		return false
	case tcell.KeyUp, tcell.KeyCtrlP:
		c.scroll(-1)
	case tcell.KeyDown, tcell.KeyCtrlN:
		c.scroll(1)
	case tcell.KeyPgUp:
		c.scroll(-page)
	case tcell.KeyPgDn:
		c.scroll(page)
	case tcell.KeyHome:
		c.scroll(-len(c.rows))
	case tcell.KeyEnd:
		c.follow()
	case tcell.KeyTab, tcell.KeyBacktab:
		v.tcpHas = !v.tcpHas
	case tcell.KeyLeft:
		v.tcpHas = false
	case tcell.KeyRight:
		v.tcpHas = true
	case tcell.KeyEnter:
		v.detail = !v.detail
	case tcell.KeyRune:
		switch ev.Rune() {
		case 'q', 'Q':
			return false
		case 'd', 'D':
			v.detail = !v.detail
		case 'p', 'P', ' ':
			v.paused = !v.paused
		case 'k':
			c.scroll(-1)
		case 'j':
			c.scroll(1)
		}
	}
	return true
}

func (v *wireView) paste(string)   {}
func (v *wireView) wheel(rows int) { v.column().scroll(rows) }

// click, of a chat's mouse, is choose.
func (v *wireView) click(x, y int) { v.choose(x, y) }

// choose gives the keys to the column at a place of the screen.
func (v *wireView) choose(x, y int) {
	switch {
	case v.udp.place.has(x, y):
		v.tcpHas = false
	case v.tcp.place.has(x, y):
		v.tcpHas = true
	}
}

const (
	besideWidth = 70 // columns of a screen from which on the two stand side by side
	belowHeight = 16 // rows from which on they stand one below the other
)

func (v *wireView) draw(p painter) {
	if !v.paused {
		v.totals[0], v.totals[1] = v.source.Totals()
		v.udp.pull(v.source)
		v.tcp.pull(v.source)
	}
	top, bottom := 0, p.h
	if v.title != "" && p.h >= 8 {
		p.text(0, 0, fit(v.title, p.w), bold)
		top = 1
	}
	if p.h >= 5 {
		bottom--
		p.text(0, bottom, fit(v.hint(p.w), p.w), dim)
	}
	v.udp.place, v.tcp.place = painter{}, painter{}
	in := p.sub(0, top, p.w, bottom-top)
	switch {
	case p.w >= besideWidth:
		left := (p.w - 1) / 2
		in.sub(left, 0, 1, in.h).vline(0)
		v.drawColumn(v.udp, v.totals[0], in.sub(0, 0, left, in.h), !v.tcpHas)
		v.drawColumn(v.tcp, v.totals[1], in.sub(left+1, 0, in.w-left-1, in.h), v.tcpHas)
	case in.h >= belowHeight:
		v.drawColumn(v.udp, v.totals[0], in.sub(0, 0, in.w, in.h/2), !v.tcpHas)
		v.drawColumn(v.tcp, v.totals[1], in.sub(0, in.h/2, in.w, in.h-in.h/2), v.tcpHas)
	case v.tcpHas:
		v.drawColumn(v.tcp, v.totals[1], in, true)
	default:
		v.drawColumn(v.udp, v.totals[0], in, true)
	}
}

// drawColumn draws the head of a column, what was counted, and its rows.
func (v *wireView) drawColumn(c *wireColumn, totals []string, p painter, has bool) {
	c.place = p
	head, ink := c.name, reverse
	if has {
		head, ink = "▸ "+head, reverse|bold
	}
	p.fill(0, 0, ' ', reverse)
	p.text(0, 0, fit(head, p.w), ink)
	if state := c.state(); state != "" && width(head)+width(state)+2 < p.w {
		p.right(0, state, reverse|bold)
	}
	y := 1
	for _, line := range totals {
		for _, r := range wrap(line, p.w, p.w) {
			if y < p.h/2 {
				p.text(0, y, r.text, dim)
				y++
			}
		}
	}
	c.draw(p.sub(0, y, p.w, p.h-y), v.detail)
}

func (v *wireView) hint(w int) string {
	pause, detail := "p pauses", "d fields"
	if v.paused {
		pause = "PAUSED, p goes on"
	}
	if v.detail {
		detail = "d hides fields"
	}
	parts := []string{pause, detail, "Tab other side", "PgUp, PgDn scroll", "Esc leaves"}
	if w < 60 {
		parts = []string{pause, detail, "Tab", "Esc"}
	}
	return strings.Join(parts, " · ")
}

// wireColumn is one of the two.
type wireColumn struct {
	name   string
	stream bool
	zone   *time.Location
	rows   []WireRow
	last   uint64 // the number of the last of rows
	lost   uint64 // rows that were never seen here: they were no longer kept
	stands uint64 // the number of the row at the bottom, while it stands still; 0: it follows
	page   int    // rows shown at the last draw
	place  painter
}

const maxWireRows = 1000

// pull takes what is new.
func (c *wireColumn) pull(s WireSource) {
	rows, last := s.Rows(c.stream, c.last, maxWireRows)
	if len(rows) == 0 {
		return
	}
	if c.last > 0 {
		c.lost += last - c.last - uint64(len(rows))
	}
	c.rows, c.last = append(c.rows, rows...), last
	if over := len(c.rows) - maxWireRows; over > 0 {
		c.rows = append(make([]WireRow, 0, 2*maxWireRows), c.rows[over:]...)
	}
}

func (c *wireColumn) follow() { c.stands = 0 }

// scroll moves by so many rows; at the newest one the column follows again.
func (c *wireColumn) scroll(n int) {
	if len(c.rows) == 0 {
		return
	}
	at := c.bottom() + n
	if c.stands = c.number(max(0, at)); at >= len(c.rows)-1 {
		c.follow()
	}
}

// number is the number of a row.
func (c *wireColumn) number(i int) uint64 { return c.last - uint64(len(c.rows)-1-i) }

// bottom is the row that is the last one shown.
func (c *wireColumn) bottom() int {
	newest := len(c.rows) - 1
	if c.stands == 0 {
		return newest
	}
	if behind := c.last - c.stands; behind < uint64(len(c.rows)) {
		return newest - int(behind)
	}
	return 0
}

// state says where the column stands.
func (c *wireColumn) state() string {
	if c.stands == 0 {
		return ""
	}
	return fmt.Sprintf("%d newer ▼ ", len(c.rows)-1-c.bottom())
}
