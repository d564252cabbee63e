package tui

import (
	"context"
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
	Known    bool // it was met before, under this name and with this key
	Seen     time.Time
	// RoundTrip is how long it took to answer; 0: that is not known.
	RoundTrip  time.Duration
	Passphrase bool   // it asks for one
	NoGuests   bool   // it admits nobody without a key
	Warning    string // what the user should know before choosing it
}

// PickConfig says what there is to choose from.
type PickConfig struct {
	Screen tcell.Screen // nil: the terminal
	// Found returns the servers found by now. It is called a few times a second,
	// by another goroutine than Pick's caller, and must not block for long. Nil:
	// nobody is looked for.
	Found func() []Server
	// Host is a name for the room that the user may host here; "": none may be.
	Host      string
	CheckName func(name string) error // why a room cannot be called that; nil: it can
	// CheckAddress says why this is neither a HOST:PORT nor a name; nil: that is
	// not known. Without it no address can be typed in.
	CheckAddress func(text string) error
	Settings     *Settings        // nil: the defaults
	Now          func() time.Time // nil: time.Now
}

// Choice is what was chosen: a server of the list, one that was typed in, or to
// host a room.
type Choice struct {
	Host    bool
	Name    string // of the room to host
	Address string // as it was typed in
	Server  Server
}

// Pick lets the user choose a server. What is found meanwhile appears in the
// list, and the choice stays on the server that it was on. The error is
// [ErrLeft] when the user leaves, ctx's cause when ctx ends.
func Pick(ctx context.Context, cfg PickConfig) (Choice, error) {
	stage, err := newStage(cfg.Screen)
	if err != nil {
		return Choice{}, err
	}
	stage.dress(cfg.Settings)
	p := newPicker(cfg)
	p.leave = stage.leave
	err = stage.run(ctx, p, looking(cfg.Found, p.show))
	return p.choice, ended(ctx, err, p.chosen)
}

// looking shows what is found, again and again: the time passes too.
func looking(found func() []Server, show func([]Server)) feeder {
	return func(ctx context.Context, update func(bool, func())) {
		if found == nil {
			return
		}
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			now := found()
			update(true, func() { show(now) })
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
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

// hintAfter is how long nothing may be found before it is said why that may be.
const hintAfter = 3 * time.Second

// picker is the list of servers, and below it what else can be done. at counts
// through both.
type picker struct {
	cfg    PickConfig
	began  time.Time
	found  []Server
	more   []another
	at     int
	moved  bool // by the user; until then the first server is marked
	asking *asking
	choice Choice
	chosen bool
	leave  func()
	rows   []int // which entry stands in which row of the screen; -1: none
}

// another is a row below the servers. It asks for a word.
type another struct {
	what   string
	letter rune
	ask    string // what to type in
	first  string // what stands there already
	check  func(string) error
	choose func(word string) Choice
}

// asking is a word being typed into one of these rows.
type asking struct {
	input editor
	wrong string
}

func newPicker(cfg PickConfig) *picker {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &picker{cfg: cfg, began: cfg.Now()}
	if cfg.Host != "" {
		p.more = append(p.more, another{"Host a room here: " + cfg.Host, 'h', "Its name: ", cfg.Host, cfg.CheckName,
			func(name string) Choice { return Choice{Host: true, Name: name} }})
	}
	if cfg.CheckAddress != nil {
		p.more = append(p.more, another{"Another address…", 'a', "HOST:PORT or a name: ", "", cfg.CheckAddress,
			func(address string) Choice { return Choice{Address: address} }})
	}
	return p
}

// show takes a new list, and stays on the server it was on.
func (p *picker) show(found []Server) {
	old, was := p.at, Server{}
	if old < len(p.found) {
		was = p.found[old]
	}
	below := old - len(p.found)
	p.found = found
	p.at = 0
	switch {
	case !p.moved:
	case below >= 0:
		p.at = len(found) + below
	default:
		for i, s := range found {
			if s.Addr == was.Addr && s.KeyWords == was.KeyWords {
				p.at = i
			}
		}
	}
	p.move(0)
}

func (p *picker) count() int { return len(p.found) + len(p.more) }

func (p *picker) move(n int) {
	p.at = min(max(0, p.at+n), max(0, p.count()-1))
	p.moved = p.moved || n != 0
}

func (p *picker) choose() {
	switch {
	case p.at < len(p.found):
		p.done(Choice{Server: p.found[p.at]})
	case p.at < p.count():
		p.moved = true // what is found now must not take the row away
		p.asking = &asking{}
		p.asking.input.insert(p.more[p.at-len(p.found)].first)
	}
}

func (p *picker) done(c Choice) {
	p.choice, p.chosen = c, true
	p.leave()
}

// askKey is for the word that is being typed.
func (p *picker) askKey(ev *tcell.EventKey) {
	a, m := p.asking, p.more[p.at-len(p.found)]
	a.wrong = ""
	switch ev.Key() {
	case tcell.KeyEscape:
		p.asking = nil
	case tcell.KeyCtrlC, tcell.KeyCtrlQ:
		p.leave()
	case tcell.KeyHome:
		a.input.at = 0
	case tcell.KeyEnd:
		a.input.at = len(a.input.text)
	case tcell.KeyEnter:
		word := strings.TrimSpace(a.input.text)
		if word == "" {
			a.wrong = "Something is needed here"
		} else if err := checked(m.check, word); err != nil {
			a.wrong = sentence(err)
		} else {
			p.done(m.choose(word))
		}
	default:
		a.input.key(ev)
	}
}

func checked(check func(string) error, word string) error {
	if check == nil {
		return nil
	}
	return check(word)
}

func (p *picker) key(ev *tcell.EventKey) {
	if p.asking != nil {
		p.askKey(ev)
		return
	}
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
		switch r := ev.Rune(); r {
		case 'q', 'Q':
			p.leave()
		case 'k':
			p.move(-1)
		case 'j':
			p.move(1)
		default:
			for i, m := range p.more {
				if m.letter == r {
					p.move(len(p.found) + i - p.at)
					p.choose()
				}
			}
		}
	}
}

func (p *picker) paste(text string) {
	if p.asking != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
		p.asking.input.insert(line)
	}
}

func (p *picker) mouse(action tview.MouseAction, _, y int) {
	if p.asking != nil {
		return
	}
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

// twins are the names, folded, that several servers with different keys have.
func twins(found []Server) map[string]bool {
	first, claimed := map[string]string{}, map[string]bool{}
	for _, s := range found {
		name := folded(s.Name)
		if key, was := first[name]; was && key != s.KeyWords {
			claimed[name] = true
		}
		first[name] = s.KeyWords
	}
	return claimed
}

// folded makes names equal that differ in case only. By way of the capital, since
// some letters have two small ones.
func folded(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// cautions are what one should know before choosing a server.
func cautions(s Server, claimed map[string]bool) (texts []string) {
	if claimed[folded(s.Name)] {
		texts = append(texts, "Another server has this name too: ask which key words are the right ones.")
	}
	if s.Warning != "" {
		texts = append(texts, s.Warning)
	}
	return texts
}
