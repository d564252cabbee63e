package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

// Server is one server that was found.
type Server struct {
	Name     string
	Addr     string
	KeyWords string // of its fingerprint
	People   int
	Warning  string // what the user should know before choosing it
}

// PickConfig says what there is to choose from.
type PickConfig struct {
	Screen tcell.Screen // nil: the terminal
	// Found returns the servers found by now. It is called a few times a second,
	// by another goroutine than Pick's caller, and must not block for long.
	Found func() []Server
	// Host is the name of the room that the user may host here; "": none.
	Host string
}

// Choice is what was chosen: to host, or a server.
type Choice struct {
	Host   bool
	Server Server
}

// Pick lets the user choose a server. What is found meanwhile appears in the
// list, and the choice stays on the server that it was on. The error is
// [ErrLeft] when the user leaves, ctx's cause when ctx ends.
func Pick(ctx context.Context, cfg PickConfig) (Choice, error) {
	stage, err := newStage(cfg.Screen)
	if err != nil {
		return Choice{}, err
	}
	p := &picker{host: cfg.Host, leave: stage.leave}
	err = stage.run(ctx, p, func(ctx context.Context, update func(bool, func())) {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			found := cfg.Found()
			update(true, func() { p.show(found) })
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return p.choice, ended(ctx, err, p.chosen)
}

const lookEvery = 250 * time.Millisecond

// ended is the error of a dialog.
func ended(ctx context.Context, err error, answered bool) error {
	switch {
	case err != nil || answered:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return ErrLeft
}

// picker is the list of servers. Where is -1 for hosting.
type picker struct {
	host   string
	found  []Server
	at     int
	moved  bool // by the user; until then the first server is marked
	choice Choice
	chosen bool
	leave  func()
	rows   []int // which entry stands in which row of the screen; -1: none
}

// show takes a new list, and stays on the server it was on.
func (p *picker) show(found []Server) {
	old, was := p.at, Server{}
	if old < len(p.found) {
		was = p.found[old]
	}
	onHost := old >= len(p.found)
	p.found = found
	p.at = 0
	switch {
	case !p.moved:
	case onHost:
		p.at = len(found)
	default:
		for i, s := range found {
			if s.Addr == was.Addr && s.KeyWords == was.KeyWords {
				p.at = i
			}
		}
	}
	p.move(0)
}

func (p *picker) count() int {
	if p.host != "" {
		return len(p.found) + 1
	}
	return len(p.found)
}

func (p *picker) move(n int) {
	p.at = min(max(0, p.at+n), max(0, p.count()-1))
	p.moved = p.moved || n != 0
}

func (p *picker) choose() {
	switch {
	case p.at < len(p.found):
		p.choice = Choice{Server: p.found[p.at]}
	case p.host != "":
		p.choice = Choice{Host: true}
	default:
		return
	}
	p.chosen = true
	p.leave()
}

func (p *picker) key(ev *tcell.EventKey) {
	switch ev.Key() {
	case tcell.KeyUp, tcell.KeyCtrlP, tcell.KeyBacktab:
		p.move(-1)
	case tcell.KeyDown, tcell.KeyCtrlN, tcell.KeyTab:
		p.move(1)
	case tcell.KeyHome:
		p.move(-p.count())
	case tcell.KeyEnd:
		p.move(p.count())
	case tcell.KeyEnter:
		p.choose()
	case tcell.KeyEscape, tcell.KeyCtrlC, tcell.KeyCtrlQ:
		p.leave()
	case tcell.KeyRune:
		switch ev.Rune() {
		case 'q', 'Q':
			p.leave()
		case 'k':
			p.move(-1)
		case 'j':
			p.move(1)
		case 'h', 'H':
			if p.host != "" {
				p.move(p.count())
			}
		}
	}
}

func (p *picker) paste(string) {}

func (p *picker) mouse(action tview.MouseAction, _, y int) {
	switch action {
	case tview.MouseScrollUp:
		p.move(-1)
	case tview.MouseScrollDown:
		p.move(1)
	case tview.MouseLeftDown, tview.MouseLeftDoubleClick:
		if y < len(p.rows) && p.rows[y] >= 0 {
			p.move(p.rows[y] - p.at)
			if action == tview.MouseLeftDoubleClick {
				p.choose()
			}
		}
	}
}

// twin reports whether another server has the same name and another key.
func (p *picker) twin(s Server) bool {
	for _, other := range p.found {
		if strings.EqualFold(other.Name, s.Name) && other.KeyWords != s.KeyWords {
			return true
		}
	}
	return false
}

// entry is the lines of entry i: the first is what it is.
func (p *picker) entry(i int) (what, right string, more []string) {
	if i == len(p.found) {
		return fmt.Sprintf("Host a room here: %s", p.host), "", nil
	}
	s := p.found[i]
	what, right = s.Name, plural(s.People, "person", "people")
	line := s.Addr
	if s.KeyWords != "" {
		line += "   key: " + s.KeyWords
	}
	more = append(more, line)
	if p.twin(s) {
		more = append(more, "! Another server has this name too: ask which key words are the right ones.")
	}
	if s.Warning != "" {
		more = append(more, "! "+s.Warning)
	}
	return what, right, more
}

func (p *picker) draw(all painter) {
	in := all.sub(2, 0, all.w-4, all.h)
	if all.w < 30 {
		in = all
	}
	top, bottom := 0, all.h
	if all.h >= 6 {
		in.text(0, 1, "Rooms on this network", bold)
		keys := "Enter chooses, Up and Down move, q leaves"
		in.text(0, all.h-1, fit(keys, in.w), dim)
		top, bottom = 3, all.h-2
	}
	type line struct {
		text, right string
		st          ink
		entry       int
	}
	var lines []line
	first, last := 0, 0 // of the marked entry
	for i := range p.count() {
		what, right, more := p.entry(i)
		mark, st := "  ", bold
		if i == p.at {
			mark, st, first = "▸ ", reverse|bold, len(lines)
		}
		if i == len(p.found) && len(p.found) == 0 {
			lines = append(lines, line{"Looking for rooms…", "", dim, -1}, line{"", "", plain, -1})
		}
		lines = append(lines, line{mark + what, right, st, i})
		for _, m := range more {
			st := dim
			if strings.HasPrefix(m, "! ") {
				st = warning
			}
			for _, r := range wrap(m, in.w-2, in.w-2) {
				lines = append(lines, line{"  " + r.text, "", st, i})
			}
		}
		if i == p.at {
			last = len(lines)
		}
		if all.h >= 12 {
			lines = append(lines, line{"", "", plain, -1})
		}
	}
	if len(lines) == 0 {
		lines = append(lines, line{"Looking for rooms…", "", dim, -1})
	}
	skip := min(max(0, last-(bottom-top)), first)
	p.rows = make([]int, all.h)
	for y := range p.rows {
		p.rows[y] = -1
	}
	for y := top; y < bottom && skip+y-top < len(lines); y++ {
		l := lines[skip+y-top]
		p.rows[y] = l.entry
		room := in.w - width(l.right)
		if l.right != "" {
			in.text(in.w-width(l.right), y, l.right, plain)
			room -= 2
		}
		in.text(0, y, fit(l.text, room), l.st)
	}
}
