package tui

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// search is the page of a search: the query, and what the server has found. It
// is kept when it closes, and is as it was when it opens again.
type search struct {
	u     *chat
	input editor

	asked   string   // the query that entries are about
	words   []sought // of it, to be set off
	entries []protocol.Entry
	more    bool
	ref     uint32 // the request under way; 0: none
	wrong   string

	at, top int
	list    painter // as last drawn
}

const (
	foundPage = 50
	maxFound  = 2000 // entries that are held; more words narrow a search
	foundRows = 2    // of an entry on the screen
)

// openSearch opens the search, and searches at once when there is a query.
func (u *chat) openSearch(query string) {
	if u.found == nil {
		u.found = &search{u: u}
	}
	s := u.found
	if query != "" {
		s.input.set(safetext.Line(query))
		s.ask()
	}
	s.input.at = len(s.input.text)
	u.over = s
}

// ask begins a search.
func (s *search) ask() {
	query := strings.TrimSpace(s.input.text)
	if query == "" {
		return
	}
	s.asked, s.words = query, soughtIn(query)
	s.entries, s.more, s.at, s.top = nil, false, 0, 0
	s.request(0)
}

// older asks for what was said before the last one found.
func (s *search) older() {
	if n := len(s.entries); s.more && s.ref == 0 && n > 0 && n < maxFound {
		s.request(uint64(s.entries[n-1].At))
	}
}

func (s *search) request(before uint64) {
	s.ref, s.wrong = 0, ""
	ref, err := s.u.ask(&protocol.Search{Query: s.asked, Before: before, Limit: foundPage})
	if err != nil {
		s.wrong = sentence(err)
		return
	}
	s.ref = ref
}

// answer takes what was found by the newest request.
func (s *search) answer(m *protocol.Found) {
	if s == nil || s.ref == 0 || m.Ref != s.ref {
		return
	}
	s.ref = 0
	s.entries = append(s.entries, m.Entries...)
	s.more = m.More && len(m.Entries) > 0
}

func (s *search) failed(m *protocol.Error) {
	if s == nil || s.ref == 0 || m.Ref != s.ref {
		return
	}
	s.ref, s.wrong = 0, m.Error()
}

func (s *search) lost() {
	if s != nil && s.ref != 0 {
		s.ref, s.wrong = 0, "The connection was lost meanwhile; Enter searches again"
	}
}

func (s *search) move(n int) {
	if s.at+n >= len(s.entries) {
		s.older()
	}
	s.at = min(max(0, s.at+n), max(0, len(s.entries)-1))
}

func (s *search) key(ev *tcell.EventKey) bool {
	if a := s.u.keys.does[struck(ev)]; a != nil && (a.name == "search" || a.name == "close" || a.name == "clear" || a.name == "quit") {
		return false
	}
	page := max(1, s.list.h/foundRows-1)
	switch ev.Key() {
	case tcell.KeyUp, tcell.KeyCtrlP:
		s.move(-1)
	case tcell.KeyDown, tcell.KeyCtrlN:
		s.move(1)
	case tcell.KeyPgUp:
		s.move(-page)
	case tcell.KeyPgDn:
		s.move(page)
	case tcell.KeyHome:
		s.input.at = 0
	case tcell.KeyEnd:
		s.input.at = len(s.input.text)
	case tcell.KeyEnter:
		if strings.TrimSpace(s.input.text) == s.asked && len(s.entries) > 0 {
			return s.jump()
		}
		s.ask()
	default:
		s.input.key(ev)
	}
	return true
}

// jump goes to the chosen entry in its room.
func (s *search) jump() bool {
	if s.at >= len(s.entries) {
		return true
	}
	e := s.entries[s.at]
	s.u.over = nil
	s.u.jumpTo(e.Room, e.Seq)
	return false
}

func (s *search) paste(text string) {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	s.input.insert(line)
}

func (s *search) wheel(rows int) { s.move(rows) }

func (s *search) click(x, y int) {
	if !s.list.has(x, y) {
		return
	}
	if n := s.top + (y-s.list.y)/foundRows; n < len(s.entries) {
		s.at = n
		s.jump()
	}
}

func (s *search) draw(all painter) {
	rows := all.h
	if all.h >= 4 {
		rows--
		s.list.h = rows - 1
		text, st := s.status()
		all.text(0, rows, fit(text, all.w), st)
	}
	s.list = all.sub(0, 1, all.w, rows-1)
	count := max(1, s.list.h/foundRows)
	s.top = max(0, min(s.top, s.at), s.at-count+1)
	for n := s.top; n < len(s.entries) && (n-s.top)*foundRows < s.list.h; n++ {
		s.drawEntry(s.list.sub(0, (n-s.top)*foundRows, s.list.w, foundRows), &s.entries[n], n == s.at)
	}
	if len(s.entries) == 0 {
		s.drawHints(s.list.sub(2, 1, s.list.w-2, s.list.h-1))
	}
	x := all.text(0, 0, "Search: ", bold)
	s.input.draw(all.sub(x, 0, all.w-x, 1))
}

// drawHints fills the place of entries: with what was wrong, and how to ask.
func (s *search) drawHints(p painter) {
	y := 0
	if s.wrong != "" {
		for _, r := range wrap(sentence(errors.New(s.wrong)), p.w, p.w) {
			p.text(0, y, r.text, warning)
			y++
		}
		y++
	}
	for _, line := range []string{`words that were said, "words in this order", beg*`, "from:NICK  in:ROOM  after:2026-11-01  before:…"} {
		p.text(0, y, fit(line, p.w), dim)
		y++
	}
}

// status is the line at the bottom.
func (s *search) status() (string, ink) {
	switch {
	case s.wrong != "" && (len(s.entries) > 0 || s.list.h < 4):
		return s.wrong, warning
	case s.ref != 0:
		return "Searching…", dim
	case s.wrong != "" || s.asked == "" || s.asked != strings.TrimSpace(s.input.text):
		return "Enter searches, Esc closes", dim
	case len(s.entries) == 0:
		return "Nothing was found", dim
	case s.more && len(s.entries) >= maxFound:
		return fmt.Sprintf("%d of %d and more; more words narrow it. Enter goes there", s.at+1, len(s.entries)), dim
	case s.more:
		return fmt.Sprintf("%d of %d; Enter goes there, PgDn finds older", s.at+1, len(s.entries)), dim
	}
	return fmt.Sprintf("%d of %d; Enter goes there, Esc closes", s.at+1, len(s.entries)), dim
}

// drawEntry draws when, where and by whom, and below it the text around the
// first word that was sought.
func (s *search) drawEntry(p painter, e *protocol.Entry, chosenOne bool) {
	mark, st := "  ", plain
	if chosenOne {
		mark, st = "▸ ", chosen
		p.fill(0, 0, ' ', st)
	}
	title := "#" + e.Room
	if r := s.u.st.Room(e.Room); r != nil {
		title = r.Title
	} else if _, _, direct := protocol.ParseDirectRoom(e.Room); direct {
		title = "@…"
	}
	at := time.Unix(0, e.At).In(s.u.now().Location())
	format := "2006-01-02 15:04"
	if p.w < 40 {
		format = "01-02 15:04"
	}
	x := p.text(0, 0, mark+at.Format(format)+"  ", st)
	x = p.text(x, 0, fit(title, p.w/3)+"  ", st|bold)
	who := nickInk(e.User)
	if chosenOne {
		who = st
	}
	p.text(x, 0, fit(client.ShownNick(e.Nick, e.Guest), p.w-x), who)
	drawExcerpt(p.sub(2, 1, p.w-2, 1), e.Text, s.words)
}

// drawExcerpt draws as much of a text as fits a line, around the first word that
// was sought, with those words in bold.
func drawExcerpt(p painter, text string, words []sought) {
	text = safetext.Line(text)
	hits := hitsIn(text, words)
	x := 0
	if len(hits) > 0 {
		skip := width(text[:hits[0].from]) - p.w/3
		if skip > p.w/3 {
			off := 0
			for skip > 0 && off < hits[0].from {
				cluster, n := next(text[off:])
				off += len(cluster)
				skip -= n
			}
			x = p.text(0, 0, "…", dim)
			text = text[off:]
			for i := range hits {
				hits[i].from -= off
				hits[i].to -= off
			}
		}
	}
	if x+width(text) > p.w {
		text = fit(text, p.w-x)
	}
	// By whole characters: a mark behind a word belongs to its last letter.
	for off := 0; off < len(text); {
		cluster, _ := next(text[off:])
		for len(hits) > 0 && hits[0].to <= off {
			hits = hits[1:]
		}
		st := plain
		if len(hits) > 0 && hits[0].from <= off {
			st = bold
		}
		x = p.text(x, 0, cluster, st)
		off += len(cluster)
	}
}

// sought is a word of a query, in lower case.
type sought []rune

// soughtIn lists the words that a query asks for; the server alone decides what
// it finds.
func soughtIn(query string) []sought {
	var out []sought
	for i, part := range strings.Split(query, `"`) {
		for word := range strings.FieldsSeq(part) {
			key, _, isField := strings.Cut(word, ":")
			if isField && i%2 == 0 && (key == "from" || key == "in" || key == "before" || key == "after") {
				continue
			}
			for _, w := range strings.FieldsFunc(word, func(r rune) bool { return !letter(r) }) {
				out = append(out, sought(lettersOf(w)))
			}
		}
	}
	return out
}

// hit is where a word that was sought is in a text.
type hit struct{ from, to int }

// hitsIn lists where words are in a text, in order, none over another. A word
// counts where a word begins; in scripts that are written without spaces,
// anywhere.
func hitsIn(text string, words []sought) []hit {
	var hits []hit
	before := ' '
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		end := 0
		if !letter(before) || r >= 0x2e80 {
			for _, w := range words {
				end = max(end, begins(text[i:], w))
			}
		}
		if end > 0 {
			hits = append(hits, hit{i, i + end})
			i += end
			before, _ = utf8.DecodeLastRuneInString(text[:i])
			continue
		}
		before = r
		i += size
	}
	return hits
}

// begins returns how many bytes of text a word takes at its beginning, or 0.
func begins(text string, word sought) int {
	off := 0
	for _, want := range word {
		r, size := utf8.DecodeRuneInString(text[off:])
		if size == 0 || unicode.ToLower(r) != want {
			return 0
		}
		off += size
	}
	return off
}
