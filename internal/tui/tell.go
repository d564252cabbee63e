package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
)

// Tell says how the user is told of what is for them while they look elsewhere.
// The zero value tells nothing; the marks beside the rooms are always there.
type Tell struct {
	Bell bool // once, when a burst begins
	// Terminal is the kind of notification that the terminal shows: "osc9",
	// "osc777", or "" for none.
	Terminal string
	// Desktop shows a notification. It is called by a goroutine of its own, one
	// call at a time; while it runs the newest notification waits, and older ones
	// are left out. Run waits for it at the end, so it must return in time.
	Desktop  func(title, text string)
	HideText bool // say that there is something, not what
	Title    bool // the window's title says how much is unread
}

// The kinds of Tell.Terminal.
const (
	TellOSC9   = "osc9"
	TellOSC777 = "osc777"
)

const (
	burstGap  = 3 * time.Second  // alerts that come closer are one burst
	burstMost = 15 * time.Second // after which a burst is told of though it goes on
	idleAfter = time.Minute      // without a key, where the terminal does not tell its focus

	maxNotice = 200 // bytes of a notification's text, and of its title
)

// teller gathers alerts to one notification a burst.
type teller struct {
	cfg    Tell
	ring   func()
	notify func(notice)
	title  func(string)

	first, last time.Time // of the burst
	burst       burst
	titled      string

	focusTold bool      // the terminal tells when it gets or loses the focus
	acted     time.Time // the last key or click
}

// start makes the teller speak through a terminal and the desktop. What it returns
// ends that.
func (t *teller) start(cfg Tell, s *screen, now time.Time) (end func()) {
	t.cfg, t.acted = cfg, now
	t.ring = func() { _ = s.Beep() }
	t.title = s.SetTitle
	end = func() {}
	var d *desk
	if cfg.Desktop != nil {
		d = newDesk(cfg.Desktop)
		end = d.close
	}
	t.notify = func(n notice) {
		if text := osc(cfg.Terminal, n); text != "" {
			s.write(text)
		}
		if d != nil {
			d.tell(n)
		}
	}
	return end
}

// notice is one notification.
type notice struct{ title, text string }

// burst is what has come and was not told of.
type burst struct {
	count, mine int
	last        client.Alert
	rooms       []string // their titles, up to a few
	nicks       []string
}

// few bounds what a notification names.
const few = 3

func (b *burst) add(a client.Alert) {
	b.count++
	if a.ForMe {
		b.mine++
	}
	b.last = a
	b.rooms = addOnce(b.rooms, a.Title)
	b.nicks = addOnce(b.nicks, client.ShownNick(a.Nick, a.Guest))
}

// addOnce adds a name, unless there are enough; the one past few says that there
// are more.
func addOnce(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	if len(names) > few {
		return names
	}
	return append(names, name)
}

// word says what has come.
func (b *burst) word(hide bool) notice {
	where := " in " + list(b.rooms, "rooms")
	if len(b.rooms) == 1 && strings.HasPrefix(b.rooms[0], "@") {
		where = ", to you alone"
	}
	from := list(b.nicks, "people")
	if b.count == 1 {
		n := notice{from + where, b.last.Text}
		if hide {
			n.text = "a new message"
		}
		return n
	}
	n := notice{fmt.Sprintf("%d new from %s%s", b.count, from, where), ""}
	switch {
	case !hide:
		n.text = client.ShownNick(b.last.Nick, b.last.Guest) + ": " + b.last.Text
	case b.mine > 0:
		n.text = fmt.Sprintf("%d for you", b.mine)
	default:
		n.text = fmt.Sprintf("%d new messages", b.count)
	}
	return n
}

func list(names []string, many string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n > few:
		return "several " + many
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// hear takes the alerts of a batch.
func (u *chat) hear() {
	t := &u.teller
	alerts := u.st.TakeAlerts()
	if u.elsewhere() {
		for _, a := range alerts {
			t.alert(a, u.now())
		}
	}
	t.due(u.now())
}

// elsewhere reports whether the user looks elsewhere. Where the terminal does not tell
// its focus (tmux mostly does not), somebody who presses no key for a while does.
func (u *chat) elsewhere() bool {
	if u.teller.focusTold {
		return u.st.Away
	}
	return u.now().Sub(u.teller.acted) > idleAfter
}

// focused takes what the terminal tells about its focus.
func (u *chat) focused(has bool) {
	u.teller.focusTold = true
	if has {
		u.teller.burst = burst{} // it is seen now
	}
	u.st.Apply(client.Focused{Has: has})
	u.settle()
}

func (t *teller) alert(a client.Alert, now time.Time) {
	if t.burst.count == 0 {
		t.first = now
	}
	if t.cfg.Bell && now.Sub(t.last) > burstGap {
		t.ring()
	}
	t.last = now
	t.burst.add(a)
}

// due tells of a burst that has ended, or has gone on for long.
func (t *teller) due(now time.Time) {
	if t.burst.count == 0 || now.Sub(t.last) < burstGap && now.Sub(t.first) < burstMost {
		return
	}
	n := t.burst.word(t.cfg.HideText)
	t.burst = burst{}
	if t.notify != nil {
		t.notify(n)
	}
}

// entitle sets the window's title when it is another one.
func (t *teller) entitle(u *chat) {
	if !t.cfg.Title || t.title == nil {
		return
	}
	unread := 0
	for _, r := range u.st.Rooms {
		unread += r.Mine
	}
	title := u.st.Server.Name + " — lanchat"
	if u.st.Server.Name == "" {
		title = "lanchat"
	}
	if unread > 0 {
		title = fmt.Sprintf("(%d) %s", unread, title)
	}
	if title != t.titled {
		t.titled = title
		// tcell takes $<…> in a title for a pause.
		t.title(strings.ReplaceAll(clip(safetext.Line(title), maxNotice), "$", ""))
	}
}

// osc is a notification as terminals take it; "" for a kind that there is not.
func osc(kind string, n notice) string {
	// What cleaned text has of controls are pictures; ';' parts the fields.
	field := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if r == ';' {
				return ','
			}
			if r < ' ' || r >= 0x7f && r < 0xa0 {
				return -1
			}
			return r
		}, safetext.Line(s))
		return clip(s, maxNotice)
	}
	switch kind {
	case TellOSC9:
		return "\x1b]9;" + field(n.title+": "+n.text) + "\x1b\\"
	case TellOSC777:
		return "\x1b]777;notify;" + field(n.title) + ";" + field(n.text) + "\x1b\\"
	}
	return ""
}

// clip cuts a text to so many bytes, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := 0
	for end < len(s) {
		cluster, _ := next(s[end:])
		if end+len(cluster) > most {
			break
		}
		end += len(cluster)
	}
	return s[:end] + "…"
}

// desk hands notifications to Tell.Desktop, off the event loop.
type desk struct {
	waiting chan notice // one at most
	done    chan struct{}
}

func newDesk(show func(title, text string)) *desk {
	d := &desk{waiting: make(chan notice, 1), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		for n := range d.waiting {
			show(n.title, n.text)
		}
	}()
	return d
}

// tell never waits. The event loop alone calls it.
func (d *desk) tell(n notice) {
	select {
	case <-d.waiting:
	default:
	}
	d.waiting <- n // there is room: nobody else puts something in
}

// close returns when the call under way has returned; what waits is left out.
func (d *desk) close() {
	select {
	case <-d.waiting:
	default:
	}
	close(d.waiting)
	<-d.done
}
