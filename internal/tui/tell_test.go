package tui

import (
	"context"
	"strings"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// told is a chat with a clock of the test's, and what it tells.
type told struct {
	*chat
	clock   time.Time
	rings   int
	notices []notice
	seq     uint64
}

func newTold(t *testing.T, cfg Tell) *told {
	u, _ := quiet()
	o := &told{chat: u, clock: u.now()}
	u.cfg.Now = func() time.Time { return o.clock }
	u.teller.cfg = cfg
	u.teller.ring = func() { o.rings++ }
	u.teller.notify = func(n notice) { o.notices = append(o.notices, n) }
	u.teller.title = func(s string) { t.Logf("title %q", s) }
	u.apply(evening())
	o.focused(false)
	o.wait(time.Minute)
	o.rings, o.notices = 0, nil
	o.seq = 100
	return o
}

func (o *told) wait(d time.Duration) {
	for end := o.clock.Add(d); o.clock.Before(end); {
		o.clock = o.clock.Add(500 * time.Millisecond)
		o.tick()
	}
}

func (o *told) hears(who protocol.Member, text string) {
	o.seq++
	o.apply(said(o.seq, who, text))
}

func TestABurstIsToldOnce(t *testing.T) {
	o := newTold(t, Tell{Bell: true})
	o.hears(bob, "ann: are you there?")
	if o.rings != 1 {
		t.Errorf("rung %d times at the first", o.rings)
	}
	o.wait(time.Second)
	o.hears(bob, "ann?")
	o.hears(bob, "not for her")
	o.wait(2 * time.Second)
	o.hears(bob, "ann!")
	if len(o.notices) != 0 {
		t.Errorf("told in the midst of it: %v", o.notices)
	}
	o.wait(4 * time.Second)
	if o.rings != 1 || len(o.notices) != 1 || o.notices[0] != (notice{"3 new from bob in #lobby", "bob: ann!"}) {
		t.Errorf("rung %d times, told %q", o.rings, o.notices)
	}
	o.wait(time.Minute)
	o.hears(dora, "ann, the pizza is here")
	o.wait(4 * time.Second)
	if o.rings != 2 || len(o.notices) != 2 || o.notices[1] != (notice{"dóra in #lobby", "ann, the pizza is here"}) {
		t.Errorf("rung %d times, told %q", o.rings, o.notices)
	}
	// One that does not end is told of all the same.
	for range 60 {
		o.hears(cem, "ann ann ann")
		o.wait(time.Second)
	}
	if n := len(o.notices) - 2; o.rings != 3 || n < 2 || n > 5 {
		t.Errorf("rung %d times, told %q", o.rings, o.notices[2:])
	}
}

func TestWhatIsTold(t *testing.T) {
	direct := protocol.DirectRoom(ann.User, dora.User)
	o := newTold(t, Tell{HideText: true})
	alone := func() []client.Event {
		o.seq++
		return []client.Event{client.Received{Message: &protocol.Entry{Room: direct, Seq: o.seq, ID: protocol.NewID(), User: dora.User, Nick: dora.Nick, Text: "secret", At: 1}}}
	}
	o.apply(alone())
	o.wait(4 * time.Second)
	o.apply(alone())
	o.hears(eve, "ann, secret")
	o.wait(4 * time.Second)
	if len(o.notices) != 2 || o.notices[0] != (notice{"dóra, to you alone", "a new message"}) || o.notices[1] != (notice{"2 new from dóra and eve in @dóra and #lobby", "2 for you"}) {
		t.Errorf("told %q", o.notices)
	}
	// Who looks is told nothing, and who comes back has seen what came.
	o.hears(eve, "ann, more")
	o.focused(true)
	o.wait(time.Minute)
	o.hears(eve, "ann, and more")
	o.apply(alone())
	o.wait(time.Minute)
	if len(o.notices) != 2 || o.rings != 0 {
		t.Errorf("told %q, rung %d times", o.notices, o.rings)
	}
}

// Who looks away and is spoken to within the same moment is told of it.
func TestTheFocusComesFirst(t *testing.T) {
	for range 20 { // of two things that are ready the pump takes either
		o := newTold(t, Tell{Bell: true})
		o.focused(true)
		focus, e := make(chan bool, 1), &still{events: make(chan client.Event, 1)}
		o.chat.focus, o.cfg.Engine = focus, e
		focus <- false
		e.events <- said(101, bob, "ann: are you there?")[0]
		ctx, end := context.WithCancel(t.Context())
		o.pump(ctx, func(_ bool, f func()) {
			f()
			if len(focus)+len(e.events) == 0 && o.st.Room("lobby").LastSeq() == 101 {
				end()
			}
		})
		if o.rings != 1 {
			t.Fatalf("rung %d times", o.rings)
		}
	}
}

func TestWithoutWordOfTheFocus(t *testing.T) {
	u, _ := quiet()
	clock, rings := u.now(), 0
	u.cfg.Now = func() time.Time { return clock }
	u.teller.cfg.Bell, u.teller.ring = true, func() { rings++ }
	u.apply(evening())
	rings = 0
	build := func(seq uint64) {
		u.apply([]client.Event{client.Received{Message: &protocol.Entry{Room: "build", Seq: seq, ID: protocol.NewID(), User: ci.User, Nick: "ci", Text: "ann: red", At: 1}}})
	}
	press(u, tcell.KeyLeft)
	build(2)
	if rings != 0 {
		t.Error("rung for somebody who is at the keys")
	}
	clock = clock.Add(2 * time.Minute)
	build(3)
	if rings != 1 {
		t.Errorf("rung %d times for somebody who has pressed nothing for two minutes", rings)
	}
}

func TestNotificationsAreCleaned(t *testing.T) {
	hostile := notice{"eve;x\x1b]52;c;YQ==\x07", "a;b\x07\x1b\\\u009c\u202e\n" + strings.Repeat("é", 500)}
	for _, kind := range []string{TellOSC9, TellOSC777} {
		out := osc(kind, hostile)
		body := strings.TrimSuffix(strings.TrimPrefix(out, "\x1b]"), "\x1b\\")
		if len(body) != len(out)-4 || strings.ContainsFunc(body, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e }) {
			t.Errorf("%s: %q", kind, out)
		}
		fields := map[string]int{TellOSC9: 2, TellOSC777: 4}[kind]
		if n := strings.Count(body, ";") + 1; n != fields || len(out) > 2*maxNotice+40 {
			t.Errorf("%s: %d fields, %d bytes: %q", kind, n, len(out), out)
		}
	}
	if out := osc("", hostile); out != "" {
		t.Errorf("nothing was asked for: %q", out)
	}
}

// speaker is a terminal that counts, and has a line past what is drawn.
type speaker struct {
	*shot
	beeps  chan struct{}
	lines  chan string
	titles chan string
	mouse  tcell.MouseFlags
}

func (s *speaker) EnableMouse(flags ...tcell.MouseFlags) {
	for _, f := range flags {
		s.mouse |= f
	}
}

func (s *speaker) Beep() error            { s.beeps <- struct{}{}; return nil }
func (s *speaker) Tty() (tcell.Tty, bool) { return &line{s: s}, true }
func (s *speaker) SetTitle(title string)  { s.titles <- title }

type line struct {
	tcell.Tty
	s *speaker
}

func (l *line) Write(b []byte) (int, error) {
	l.s.lines <- string(b)
	return len(b), nil
}

func TestFocusBellAndNotification(t *testing.T) {
	s := &speaker{shot: newShot(80, 24), beeps: make(chan struct{}, 100), lines: make(chan string, 100), titles: make(chan string, 100)}
	e := &still{events: make(chan client.Event, 100)}
	shown := make(chan notice)
	left := make(chan error, 1)
	cfg := Config{Engine: e, Screen: s, Room: "lobby", Tell: Tell{Bell: true, Terminal: TellOSC777, Title: true,
		Desktop: func(title, text string) { shown <- notice{title, text} }}}
	go func() { left <- Run(t.Context(), cfg) }()
	for _, ev := range evening() {
		e.events <- ev
	}
	s.see(t, "orders the pizza")
	s.post(tcell.NewEventFocus(false))
	s.keys("x") // behind the focus in the same queue
	s.see(t, "#lobby> x")
	for _, ev := range said(100, bob, "ann $<2000> \x1bhello") {
		e.events <- ev
	}
	<-s.beeps
	s.see(t, "hello")
	if line := <-s.lines; line != "\x1b]777;notify;bob in #lobby;ann $<2000> ␛hello\x1b\\" {
		t.Errorf("the terminal is told %q", line)
	}
	if n := <-shown; n.title != "bob in #lobby" {
		t.Errorf("the desktop is told %q", n)
	}
	var titles strings.Builder
	for len(s.titles) > 0 {
		titles.WriteString(<-s.titles + "\n")
	}
	if !strings.Contains(titles.String(), "(2) Hack Night — lanchat\n") {
		t.Errorf("titles: %s", titles.String())
	}
	s.post(tcell.NewEventFocus(true))
	if title := <-s.titles; title != "(1) Hack Night — lanchat" {
		t.Errorf("with the focus the title is %q", title)
	}
	s.press(tcell.KeyCtrlQ, tcell.ModCtrl)
	if err := <-left; err != nil {
		t.Error(err)
	}
	if s.mouse != tcell.MouseButtonEvents|tcell.MouseDragEvents {
		t.Errorf("the terminal is asked for %v", s.mouse)
	}
	if len(s.beeps) > 0 || len(s.lines) > 0 {
		t.Error("told twice")
	}
}

// A desktop that takes its time holds nobody up: the newest waits, others go.
func TestASlowDesktop(t *testing.T) {
	called, on := make(chan string), make(chan struct{})
	d := newDesk(func(title, _ string) { called <- title; <-on })
	d.tell(notice{title: "first"})
	if title := <-called; title != "first" {
		t.Errorf("shown %s", title)
	}
	d.tell(notice{title: "second"})
	d.tell(notice{title: "third"})
	on <- struct{}{}
	if title := <-called; title != "third" {
		t.Errorf("shown %s", title)
	}
	d.tell(notice{title: "never"})
	go func() { on <- struct{}{} }()
	d.close()
}
