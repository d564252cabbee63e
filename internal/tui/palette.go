package tui

import (
	"fmt"
	"slices"
	"strings"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// palette is the one list of everything one can go to or do: rooms, people,
// commands and what keys do. A few letters of a name find it.
type palette struct {
	u     *chat
	input editor
	all   []candidate
	shown []int // of all, the best first
	query string

	at, top int // in shown
	moved   bool
	list    painter // as last drawn

	asked  uint32 // the request for rooms that is under way
	listed int    // rooms that the server has named
}

// maxListed bounds the rooms that are asked for; who has more types more.
const maxListed = 10_000

// The signs of the kinds. As the first character of a query a sign keeps to its
// kind.
const (
	signRoom    = '#'
	signPerson  = '@'
	signCommand = '/'
	signAction  = '>'
)

// candidate is one row of the palette.
type candidate struct {
	sign  byte
	name  string
	about string // said beside it
	end   string // said at the right edge

	letters []rune // of the name
	also    string // found by the words it has, after those found by name

	room    string          // to go to
	person  protocol.Member // to talk to
	command string          // to carry out or, with a space at the end, to write on
	action  *action
}

// openPalette opens the palette with the beginning of a query.
func (u *chat) openPalette(query string) {
	p := &palette{u: u}
	p.gather()
	p.input.set(query)
	p.search()
	if ref, err := u.ask(&protocol.Rooms{}); err == nil {
		p.asked = ref
	}
	u.over = p
}

func (p *palette) add(c candidate) {
	c.letters, c.also = lettersOf(c.name), strings.ToLower(c.also)
	p.all = append(p.all, c)
}

// gather collects what is known by now: what is likely meant stands first.
func (p *palette) gather() {
	u := p.u
	rooms := slices.Clone(u.st.Rooms)
	slices.SortStableFunc(rooms, func(a, b *client.Room) int { return urgency(b) - urgency(a) })
	talks := map[protocol.UserID]bool{u.st.Me.User: true}
	for _, r := range rooms {
		c := candidate{sign: signRoom, name: strings.TrimPrefix(r.Title, "#"), about: r.Topic, also: r.Topic, room: r.Name}
		if !r.Direct.IsZero() {
			c.sign, c.name = signPerson, strings.TrimPrefix(r.Title, "@")
			talks[r.Direct] = true
		}
		p.add(c)
	}
	var people []protocol.Member
	for _, r := range rooms {
		for _, m := range r.Members {
			if !talks[m.User] {
				talks[m.User] = true
				people = append(people, m)
			}
		}
	}
	slices.SortFunc(people, func(a, b protocol.Member) int {
		if n := strings.Compare(a.Nick, b.Nick); n != 0 {
			return n
		}
		return strings.Compare(string(a.User[:]), string(b.User[:]))
	})
	for _, m := range people {
		about := ""
		switch {
		case m.Guest:
			about = "a guest"
		case m.Bot:
			about = "a bot"
		}
		p.add(candidate{sign: signPerson, name: client.ShownNick(m.Nick, m.Guest), about: about, person: m})
	}
	for _, c := range p.u.offered() {
		p.addCommand(c.name, c.args, c.help)
	}
	for i := range actions {
		a := &actions[i]
		if slices.Contains(ofInput, a.name) {
			continue
		}
		p.add(candidate{sign: signAction, name: strings.ReplaceAll(a.name, "-", " "), about: a.help, also: a.help,
			end: strings.Join(p.u.keys.keys[a.name], ", "), action: a})
	}
}

// ofInput are the actions that mean something while one writes only.
var ofInput = []string{"send", "newline", "complete", "up", "down", "history-back", "history-on", "home", "end", "close", "palette"}

func (p *palette) addCommand(name, args, help string) {
	c := candidate{sign: signCommand, name: name, about: help, also: help, command: "/" + name}
	if args != "" {
		c.command += " "
	}
	p.add(c)
}

func urgency(r *client.Room) int {
	switch {
	case r.Mine > 0:
		return 2
	case r.Unread > 0:
		return 1
	}
	return 0
}

// answer takes a page of the server's rooms, and asks for the next.
func (p *palette) answer(m *protocol.Rooms) {
	if m.Ref != p.asked {
		return
	}
	p.asked = 0
	if m.Direct {
		p.addDirects(m)
		return
	}
	for _, r := range m.Rooms {
		if p.u.st.Room(r.Room) == nil {
			about := plural(int(r.Count), "person", "people")
			if r.Topic != "" {
				about += ": " + r.Topic
			}
			p.add(candidate{sign: signRoom, name: r.Room, about: about, also: r.Topic, room: r.Room})
		}
	}
	p.listed += len(m.Rooms)
	p.again()
	if n := len(m.Rooms); m.More && n > 0 && p.listed < maxListed {
		if ref, err := p.u.ask(&protocol.Rooms{After: m.Rooms[n-1].Room}); err == nil {
			p.asked = ref
		}
	} else if directs := p.u.st.DirectsRequest(); directs != nil {
		if ref, err := p.u.ask(directs); err == nil {
			p.asked = ref
		}
	}
}

// addDirects takes the user's newest direct talks; with those of people who are here one
// talks by their names.
func (p *palette) addDirects(m *protocol.Rooms) {
	here := map[string]bool{}
	for i := range p.all {
		if c := &p.all[i]; !c.person.User.IsZero() {
			here[protocol.DirectRoom(p.u.st.Me.User, c.person.User)] = true
		}
	}
	for i := range m.Rooms {
		r := &m.Rooms[i]
		if p.u.st.Room(r.Room) != nil || here[r.Room] {
			continue
		}
		about := "a direct talk"
		if r.Head > r.Read {
			about += fmt.Sprintf(", %d new", r.Head-r.Read)
		}
		p.add(candidate{sign: signPerson, name: strings.TrimPrefix(p.u.st.DirectTitle(r), "@"), about: about, room: r.Room})
	}
	p.again()
}

// search ranks what fits the input.
func (p *palette) search() {
	query := strings.ToLower(strings.TrimSpace(p.input.text))
	if query == p.query && p.shown != nil {
		return
	}
	// What did not fit less does not fit more.
	narrows := p.query != "" && strings.HasPrefix(query, p.query)
	p.query, p.at = query, 0
	if narrows {
		p.rank(len(p.shown), func(n int) int { return p.shown[n] })
	} else {
		p.rank(len(p.all), func(n int) int { return n })
	}
}

// rank makes shown of what fits among count candidates.
func (p *palette) rank(count int, nth func(int) int) {
	name, sign := p.query, byte(0)
	if name != "" && strings.IndexByte("#@/>", name[0]) >= 0 {
		name, sign = strings.TrimSpace(name[1:]), name[0]
	}
	letters := lettersOf(strings.ReplaceAll(name, " ", ""))
	ranks := make([]int64, 0, count) // the worth, and behind it the place in all
	for n := range count {
		i := nth(n)
		c := &p.all[i]
		if sign != 0 && c.sign != sign {
			continue
		}
		worth := 2*fuzzy(letters, c.letters) + 1
		if worth < 0 && beginsWord(c.also, name) {
			worth = 0
		}
		if worth >= 0 {
			ranks = append(ranks, int64(worth)<<32|int64(len(p.all)-i))
		}
	}
	slices.Sort(ranks)
	shown := make([]int, 0, len(ranks))
	for _, rank := range slices.Backward(ranks) {
		shown = append(shown, len(p.all)-int(rank&(1<<32-1)))
	}
	p.shown = shown
}

// again ranks anew when there are more candidates; the choice stays.
func (p *palette) again() {
	chosen := -1
	if p.moved && p.at < len(p.shown) {
		chosen = p.shown[p.at]
	}
	p.rank(len(p.all), func(n int) int { return n })
	p.at = max(0, slices.Index(p.shown, chosen))
}

func (p *palette) move(n int) {
	p.at = min(max(0, p.at+n), max(0, len(p.shown)-1))
	p.moved = true
}

func (p *palette) key(ev *tcell.EventKey) bool {
	if a := p.u.keys.does[struck(ev)]; a != nil && (a.name == "palette" || a.name == "close" || a.name == "clear" || a.name == "quit") {
		return false
	}
	switch ev.Key() {
	case tcell.KeyUp, tcell.KeyCtrlP, tcell.KeyBacktab:
		p.move(-1)
	case tcell.KeyDown, tcell.KeyCtrlN, tcell.KeyTab:
		p.move(1)
	case tcell.KeyPgUp:
		p.move(-max(1, p.list.h-1))
	case tcell.KeyPgDn:
		p.move(max(1, p.list.h-1))
	case tcell.KeyHome:
		p.input.at = 0
	case tcell.KeyEnd:
		p.input.at = len(p.input.text)
	case tcell.KeyEnter:
		p.choose()
		return p.u.over == p
	default:
		if p.input.key(ev) {
			p.edited()
		}
	}
	return true
}

func (p *palette) edited() {
	p.moved = false
	p.search()
}

func (p *palette) paste(text string) {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	p.input.insert(line)
	p.edited()
}

func (p *palette) wheel(rows int) { p.move(rows) }

func (p *palette) click(x, y int) {
	if n := p.top + y - p.list.y; p.list.has(x, y) && n < len(p.shown) {
		p.at = n
		p.choose()
	}
}

// choose does what the chosen row says. It closes the palette first: what is
// done may open something else.
func (p *palette) choose() {
	if p.at >= len(p.shown) {
		return
	}
	u, c := p.u, &p.all[p.shown[p.at]]
	u.over = nil
	switch {
	case c.action != nil:
		c.action.do(u)
	case strings.HasSuffix(c.command, " "):
		u.begin(c.command)
	case c.command != "":
		u.carryOut(c.command)
	case c.room != "":
		u.goTo(c.room)
	default:
		u.talkTo(c.person)
	}
}

// begin puts the beginning of a command into the input. What was being written
// goes where Ctrl-P finds it.
func (u *chat) begin(command string) {
	if s := u.subject(); s != nil && s.edit {
		u.endSubject()
	}
	e := u.input()
	if was := strings.TrimSpace(e.text); was != "" && !strings.HasPrefix(was, "/") {
		u.past.add(e.text)
		u.say("What you were writing is in the history")
	}
	e.set(command)
}

// carryOut does a command as if it was entered; what is being written stays.
func (u *chat) carryOut(command string) {
	if room := u.st.Active; u.do(command) {
		u.sent(room)
	}
}

// goTo goes to a room, and joins it first where that is needed.
func (u *chat) goTo(room string) {
	if u.st.Room(room) == nil {
		if err := u.cfg.Engine.Join(room); err != nil {
			u.say("%s", sentence(err))
			return
		}
	}
	u.open(room)
}

// talkTo opens the direct talk with somebody.
func (u *chat) talkTo(m protocol.Member) {
	switch {
	case m.User == u.st.Me.User:
		u.say("That is you")
	case u.st.Me.Guest:
		u.say("Guests have no direct talks: a key says who is who, and you came without one")
	case m.Guest:
		u.say("%s is a guest, and guests have no direct talks: nothing proves who they are", m.Nick)
	default:
		u.goTo(protocol.DirectRoom(u.st.Me.User, m.User))
	}
}

func (p *palette) draw(all painter) {
	rows := all.h
	if hint := fit("# rooms, @ people, / commands, > keys; Enter goes there, Esc closes", all.w); all.h >= 4 {
		rows--
		all.text(0, rows, hint, dim)
	}
	p.list = all.sub(0, 1, all.w, rows-1)
	p.top = max(0, min(p.top, p.at), p.at-p.list.h+1)
	for y := range p.list.h {
		if p.top+y < len(p.shown) {
			p.drawRow(p.list.sub(0, y, p.list.w, 1), &p.all[p.shown[p.top+y]], p.top+y == p.at)
		}
	}
	if len(p.shown) == 0 {
		p.list.text(2, 0, fit("Nothing here is called that", p.list.w-2), dim)
	}
	x := all.text(0, 0, "Find: ", bold)
	line := all.sub(x, 0, all.w-x, 1)
	if p.input.text == "" && line.w > 2 {
		line.text(0, 0, fit("a room, somebody, a command", line.w), dim)
	}
	p.input.draw(line)
}

// drawRow draws one candidate: its unread counts are those of now.
func (p *palette) drawRow(line painter, c *candidate, chosenOne bool) {
	mark, st := "  ", plain
	if chosenOne {
		mark, st = "▸ ", chosen
		line.fill(0, 0, ' ', st)
	}
	end, endInk := c.end, dim
	if r := p.u.st.Room(c.room); c.room != "" && r != nil && r.Unread > 0 {
		end, endInk = unread(r), bold
	}
	right := line.w
	if w := width(end); end != "" && w < line.w/2 {
		if chosenOne {
			endInk = st
		}
		right = line.right(0, end, endInk) - 1
	}
	left := line.sub(0, 0, right, 1)
	x := left.text(0, 0, mark, st)
	x = left.text(x, 0, fmt.Sprintf("%c ", c.sign), st)
	x = left.text(x, 0, fit(c.name, left.w-x), st|bold)
	if c.about != "" && left.w-x > 8 {
		about := dim
		if chosenOne {
			about = st
		}
		x = max(x+2, min(24, line.w*2/5))
		left.text(x, 0, fit(c.about, left.w-x), about)
	}
}
