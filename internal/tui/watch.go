package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

// WatchConfig says what there is to watch.
type WatchConfig struct {
	Screen tcell.Screen // nil: the terminal
	// Found returns the servers found by now, always in the same order. It is called
	// as that of [PickConfig] is.
	Found    func() []Server
	Settings *Settings        // nil: the defaults
	Now      func() time.Time // nil: time.Now
}

// Watch shows the servers there are, as a table that follows them, until the user
// leaves ([ErrLeft]) or ctx ends (its cause).
func Watch(ctx context.Context, cfg WatchConfig) error {
	stage, err := newStage(cfg.Screen)
	if err != nil {
		return err
	}
	stage.dress(cfg.Settings)
	v := newWatcher(cfg)
	v.leave = stage.leave
	err = stage.run(ctx, v, looking(cfg.Found, func(found []Server) { v.found = found }))
	return ended(ctx, err, false)
}

// watcher is the table of servers.
type watcher struct {
	cfg   WatchConfig
	began time.Time
	found []Server
	top   int // the first line that is shown
	page  int // how many were, at the last draw
	leave func()
}

func newWatcher(cfg WatchConfig) *watcher {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &watcher{cfg: cfg, began: cfg.Now()}
}

func (v *watcher) key(ev *tcell.EventKey) {
	switch ev.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC, tcell.KeyCtrlQ:
		v.leave()
	case tcell.KeyUp, tcell.KeyCtrlP:
		v.top--
	case tcell.KeyDown, tcell.KeyCtrlN:
		v.top++
	case tcell.KeyPgUp:
		v.top -= v.page
	case tcell.KeyPgDn:
		v.top += v.page
	case tcell.KeyHome:
		v.top = 0
	case tcell.KeyEnd:
		v.top = len(v.found) * len(v.found) // the next draw puts it right
	case tcell.KeyRune:
		switch ev.Rune() {
		case 'q', 'Q':
			v.leave()
		case 'k':
			v.top--
		case 'j':
			v.top++
		}
	}
}

func (v *watcher) paste(string) {}

func (v *watcher) mouse(action tview.MouseAction, _, _ int) {
	switch action {
	case tview.MouseScrollUp:
		v.top--
	case tview.MouseScrollDown:
		v.top++
	}
}

// column is a column of the table behind the name, which takes what is left.
type column struct {
	head  string
	width int
	right bool
	cell  func(Server) string
}

const (
	leastName = 12
	maxAddr   = 45 // columns for an IPv6 address with its port; a zone may be cut
	keyColumn = 53 // six words of eight letters
)

// columns are those that fit, and the width of the name before them.
func (v *watcher) columns(w int) (cols []column, name int) {
	now := v.cfg.Now()
	addr := len("ADDRESS")
	for _, s := range v.found {
		addr = max(addr, width(s.Addr))
	}
	all := []column{
		{"ADDRESS", min(addr, maxAddr), false, func(s Server) string { return s.Addr }},
		{"PEOPLE", 6, true, func(s Server) string { return fmt.Sprint(s.People) }},
		{"HEARD", 6, true, func(s Server) string { return age(now, s.Seen) }},
		{"TRIP", 7, true, func(s Server) string { return trip(s.RoundTrip) }},
		{"NEEDS", 10, false, needs},
		{"KEY", keyColumn, false, func(s Server) string { return s.KeyWords }},
	}
	left := w - 2 // for the marks
	for _, c := range all {
		if c.head == "NEEDS" && !slices.ContainsFunc(v.found, func(s Server) bool { return needs(s) != "" }) {
			continue
		}
		if left-2-c.width < leastName {
			break
		}
		left -= 2 + c.width
		cols = append(cols, c)
	}
	return cols, left
}

// needs is what a newcomer needs.
func needs(s Server) string {
	switch {
	case s.Passphrase:
		return "passphrase"
	case s.NoGuests:
		return "a key"
	}
	return ""
}

// tableRow is a line of the table.
func tableRow(marks, name string, nameWidth int, cols []column, cell func(column) string) string {
	var b strings.Builder
	b.WriteString(marks + pad(name, nameWidth, false))
	for _, c := range cols {
		b.WriteString("  " + pad(cell(c), c.width, c.right))
	}
	return strings.TrimRight(b.String(), " ")
}

// pad makes a text so many columns wide.
func pad(s string, columns int, right bool) string {
	s = fit(s, columns)
	space := strings.Repeat(" ", max(0, columns-width(s)))
	if right {
		return space + s
	}
	return s + space
}

// lines are all servers, each with its warnings. Key words that have no column get a
// row: they are what tells two servers of one name apart.
func (v *watcher) lines(w int) (head string, lines []pickLine) {
	cols, name := v.columns(w)
	head = tableRow("  ", "NAME", name, cols, func(c column) string { return c.head })
	keyRow := len(cols) == 0 || cols[len(cols)-1].head != "KEY"
	claimed := twins(v.found)
	for _, s := range v.found {
		warnings := cautions(s, claimed)
		marks := []byte("  ")
		if len(warnings) > 0 {
			marks[0] = '!'
		}
		if s.Known {
			marks[1] = '*'
		}
		lines = append(lines, pickLine{tableRow(string(marks), s.Name, name, cols, func(c column) string { return c.cell(s) }), "", plain, -1})
		if len(cols) == 0 {
			lines = append(lines, pickLine{fit("  "+s.Addr, w), "", dim, -1})
		}
		if keyRow && s.KeyWords != "" {
			lines = append(lines, pickLine{fit("  key: "+s.KeyWords, w), "", dim, -1})
		}
		for _, text := range warnings {
			for _, r := range wrap("! "+text, w-2, w-2) {
				lines = append(lines, pickLine{"  " + r.text, "", warning, -1})
			}
		}
	}
	return head, lines
}

func (v *watcher) draw(all painter) {
	in, top, bottom := board(all, fmt.Sprintf("Servers on this network: %d", len(v.found)), v.hint)
	if len(v.found) == 0 {
		for i, r := range wrap(nothingFound(v.cfg.Now().Sub(v.began), false), in.w, in.w) {
			if top+i < bottom {
				in.text(0, top+i, r.text, dim)
			}
		}
		return
	}
	head, lines := v.lines(in.w)
	if bottom-top > 2 {
		in.text(0, top, head, dim)
		top++
	}
	v.page = max(1, bottom-top)
	v.top = max(0, min(v.top, len(lines)-v.page))
	for i, l := range lines[v.top:min(len(lines), v.top+v.page)] {
		in.text(0, top+i, l.text, l.ink)
	}
}

func (v *watcher) hint(w int) string {
	if w < 60 {
		return "* met before, q leaves"
	}
	return "* met before, ! see to its key, Up and Down move, q leaves"
}

// age words how long ago a server was heard.
func age(now, seen time.Time) string {
	switch ago := max(0, now.Sub(seen)); {
	case seen.IsZero():
		return ""
	case ago < time.Minute:
		return fmt.Sprintf("%d s", ago/time.Second)
	case ago < time.Hour:
		return fmt.Sprintf("%d min", ago/time.Minute)
	default:
		return fmt.Sprintf("%d h", ago/time.Hour)
	}
}

// trip words a round trip, of which nothing is known when it is 0.
func trip(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
