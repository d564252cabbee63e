package main

import (
	"bytes"
	"crypto/tls"
	"flag"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/protocol"
)

var hostileMatrix = flag.Bool("hostile.matrix", false, "every exit of hostile text in every terminal")

// hostileServer is a server that cleans nothing: wherever the protocol has a text,
// it says what say makes of the corpus.
type hostileServer struct {
	testing.TB
	all  []evil
	say  func(evil) string
	long int // bytes of a text without a space
	addr string
}

// told are its texts from the i-th on, in at most so many bytes.
func (s *hostileServer) told(i, most int) string {
	var b strings.Builder
	for n := range s.all {
		if text := s.say(s.all[(i+n)%len(s.all)]); b.Len()+len(text) < most {
			b.WriteString(text)
		}
	}
	return b.String()
}

func serveHostile(t testing.TB, all []evil, say func(evil) string) *hostileServer {
	id, err := identity.LoadOrCreate(t.TempDir(), "hostile")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &hostileServer{TB: t, all: all, say: say, long: 3 << 10, addr: l.Addr().String()}
	if *hostileMatrix {
		s.long = 30 << 10
	}
	tlsConfig := id.ServerTLS()
	var group sync.WaitGroup
	over := make(chan struct{})
	t.Cleanup(func() { l.Close(); close(over); group.Wait() })
	group.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				ended := make(chan struct{})
				defer close(ended)
				go func() {
					select {
					case <-over:
					case <-ended:
					}
					nc.Close()
				}()
				s.serve(tls.Server(nc, tlsConfig))
			})
		}
	})
	return s
}

func (s *hostileServer) serve(nc net.Conn) {
	defer nc.Close()
	me := protocol.UserID{1}
	c, err := protocol.Accept(nc, func(h *protocol.Hello, _ *protocol.Exchange) (*protocol.Welcome, error) {
		if h.Nick == "refused" {
			return nil, &protocol.Error{Code: protocol.CodeForbidden, Text: s.told(0, 2000)}
		}
		return &protocol.Welcome{Version: protocol.Version, Server: s.told(0, 250), User: me, Nick: h.Nick, Software: s.told(3, 60),
			Limits: protocol.Limits{Frame: 65536, Text: 16384, Rooms: 64, Pending: 64}}, nil
	})
	if err != nil {
		return
	}
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		if out := s.answer(m); len(out) > 0 && c.Write(out...) != nil {
			return
		}
	}
}

func (s *hostileServer) members() []protocol.Member {
	var list []protocol.Member
	for i, e := range s.all {
		list = append(list, protocol.Member{User: protocol.UserID{2, byte(i)}, Nick: "n" + s.say(e), Guest: i%2 == 0, Role: protocol.Role(s.say(e))})
	}
	return list
}

func (s *hostileServer) answer(m protocol.Message) []protocol.Message {
	switch m := m.(type) {
	case *protocol.Ping:
		return []protocol.Message{&protocol.Pong{N: m.N}}
	case *protocol.Join:
		entries := s.entries(m.Room)
		out := []protocol.Message{&protocol.Joined{Ref: m.Ref, Room: m.Room, Topic: s.told(5, 500), Head: uint64(len(entries)), Count: 3, Members: s.members()}}
		if !m.Live {
			for i := range entries {
				out = append(out, &entries[i])
			}
		}
		return append(out, &protocol.Typing{Room: m.Room, User: protocol.UserID{2, 9}, Nick: s.told(7, 200)},
			&protocol.Presence{Room: m.Room, Joined: s.members(), Count: 9}, &protocol.Slow{Why: s.told(8, 500)},
			&protocol.Topic{Room: m.Room, Topic: s.told(9, 300)})
	case *protocol.History:
		page := &protocol.Page{Ref: m.Ref, Room: m.Room}
		if entries := s.entries(m.Room); m.Oldest {
			page.Entries, page.More = fitting(entries[min(int(m.After), len(entries)):])
		} else if m.Before == 0 {
			page.Entries = entries[max(0, len(entries)-int(m.Limit)):]
		}
		return []protocol.Message{page}
	case *protocol.Who:
		return []protocol.Message{&protocol.Who{Ref: m.Ref, Room: m.Room, People: s.members(), Count: 3}}
	case *protocol.Rooms:
		list := &protocol.Rooms{Ref: m.Ref}
		for i, e := range s.all {
			list.Rooms = append(list.Rooms, protocol.RoomInfo{Room: "r" + s.say(e), Topic: s.told(i, 100), Count: 1})
		}
		return []protocol.Message{list}
	case *protocol.Search:
		found, _ := fitting(s.entries("lobby"))
		return []protocol.Message{&protocol.Found{Ref: m.Ref, Entries: found}}
	case *protocol.Leave:
		return []protocol.Message{&protocol.Left{Ref: m.Ref, Room: m.Room, Text: s.told(2, 500)}}
	case *protocol.Nick:
		return []protocol.Message{&protocol.Nick{Ref: m.Ref, User: protocol.UserID{1}, Nick: s.told(4, 200)}}
	case *protocol.Post:
		if m.Text == "bye" {
			return []protocol.Message{&protocol.Bye{Code: protocol.Code(s.say(s.all[0])), Text: s.told(0, 2000)}}
		}
		if n, ok := strings.CutPrefix(m.Text, "tell "); ok { // somebody says something to them
			i, _ := strconv.Atoi(n)
			seq := uint64(len(s.entries(m.Room)) + 1 + i)
			return []protocol.Message{&protocol.Ack{ID: m.ID, Room: m.Room, Seq: seq + 1000}, &protocol.Entry{Room: m.Room, Seq: seq, ID: protocol.NewID(), User: protocol.UserID{4, byte(i)}, Nick: "n" + s.told(i, 60),
				At: int64(seq) * 1e9, Text: "zoe: " + s.told(i, 150)}}
		}
		return []protocol.Message{&protocol.Error{ID: m.ID, Code: protocol.Code(s.told(1, 30)), Text: s.told(6, 2000)}}
	case *protocol.Topic:
		return []protocol.Message{&protocol.Error{Ref: m.Ref, Code: protocol.Code(s.told(1, 30)), Text: s.told(6, 2000)}}
	}
	return nil
}

// fitting is what of entries fits one frame, and whether there are more.
func fitting(entries []protocol.Entry) ([]protocol.Entry, bool) {
	size := 0
	for i := range entries {
		if size += entries[i].MaxSize(); size > 60<<10 && i > 0 {
			return entries[:i], true
		}
	}
	return entries, false
}

// entries are the corpus in every kind of entry, then a word that is waited for.
func (s *hostileServer) entries(room string) []protocol.Entry {
	var list []protocol.Entry
	add := func(e protocol.Entry) {
		e.Room, e.Seq = room, uint64(len(list)+1)
		e.ID, e.At = protocol.ID{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, byte(e.Seq >> 8), byte(e.Seq)}, int64(e.Seq)*1e9
		if e.User.IsZero() {
			e.User = protocol.UserID{3, byte(e.Seq)}
		}
		list = append(list, e)
	}
	for i, e := range s.all {
		text := s.say(e)
		add(protocol.Entry{Nick: "n" + text, Guest: i%2 == 0, Bot: i%3 == 0, Text: "case-" + e.name + " " + text, Reactions: []protocol.Reaction{{Text: cut(text, 30), Count: 2}}})
		said := list[len(list)-1]
		add(protocol.Entry{Nick: "eve", Text: "reply " + text, Target: said.ID, TargetSeq: said.Seq})
		add(protocol.Entry{Nick: "eve", Kind: protocol.KindAction, Text: text})
		add(protocol.Entry{Nick: "eve", Kind: protocol.KindTopic, Text: text})
		add(protocol.Entry{Nick: "eve", Kind: protocol.KindReaction, Text: text, Target: said.ID, TargetSeq: said.Seq})
		add(protocol.Entry{Nick: "eve", Kind: protocol.KindEdit, Text: "case-" + e.name + " " + text, Target: said.ID, TargetSeq: said.Seq})
		add(protocol.Entry{Nick: "eve", Kind: protocol.KindAnnounce, Text: text})
		add(protocol.Entry{Nick: "eve", Kind: protocol.Kind("k" + text), Text: text})
	}
	add(protocol.Entry{Nick: "eve", Text: strings.Repeat("x", s.long) + s.say(s.all[0])}) // no space to break it at
	add(protocol.Entry{Nick: "eve", Text: "finished"})
	return list
}

func cut(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

// harmless says the same without its sting: as many words and lines.
func harmless(e evil) string { return strings.Map(tame, e.text) }

func tame(r rune) rune {
	switch {
	case r == '\n' || r >= ' ' && r < 0x7f:
		return r
	case r > 0x2000:
		return '你' // wide, as some of the corpus is
	}
	return 'x'
}

func stinging(e evil) string { return e.text }

// shows runs the client in a terminal of its own, has it show all there is, and
// returns the bytes that came to the terminal.
func (s *site) shows(t testing.TB, term, addr string, rows uint16) []byte {
	cmd := s.command("chat", "join", addr, "--nick", "zoe", "--no-discovery")
	cmd.Env = append(home(t), "TERM="+term)
	p := startInPty(t, 160, rows, cmd)
	p.see("finished")
	p.resize(160, rows-1) // then all of it is drawn once more, and no word in parts
	p.see("finished")
	for _, step := range [][2]string{{"/rooms\r", "here"}, {"/who\r", ""}, {"/topic x\r", ""}, {"/nick y\r", ""}, {"hello\r", "not sent"}, {"\x06case\r", "goes"}} {
		p.type_(step[0])
		if step[1] != "" {
			p.see(step[1])
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil { // not killed, in the middle of a control function
		t.Fatal(err)
	}
	return p.everything()
}

// TestHostileTextOnAScreen has a server that cleans nothing talk to the real client in
// a real terminal: what reaches that has no control function that it would not have for
// harmless text.
func TestHostileTextOnAScreen(t *testing.T) {
	s := newSite(t)
	all := corpus(t)
	wild, mild := serveHostile(t, all, stinging), serveHostile(t, all, harmless)
	// One terminal after the other: the reader of a thousand rows needs its processor.
	terms, rows := []string{"xterm-256color", "linux"}, uint16(1200)
	if *hostileMatrix {
		terms, rows = []string{"xterm-256color", "tmux-256color", "screen", "linux"}, 1600
	}
	for _, term := range terms {
		t.Run(term, func(t *testing.T) {
			want, _ := controls(s.shows(t, term, mild.addr, rows))
			out := s.shows(t, term, wild.addr, rows)
			got, text := controls(out)
			sameControls(t, want, got)
			for _, e := range all {
				if !bytes.Contains(text, []byte("case-"+e.name)) {
					t.Errorf("%s was not shown", e.name)
				}
			}
			for _, literal := range []string{"$<2000>", "[red]red[-]", "[:::http://evil.example]bank", `["x"]region`, "https://xn--pple-43d.com/%D0%B0", "(at evil.example)"} {
				if !bytes.Contains(text, []byte(literal)) {
					t.Errorf("%q is not shown as it is", literal)
				}
			}
		})
	}
}

// never are control functions that a client has no use for, whoever made the text.
var never = regexp.MustCompile(`^(OSC (52|8|0|1|2|4|7|9|777|1337|P.*|R.*)|DCS|APC|PM|SOS|screen's title|C1 .*|no UTF-8|C0 (05|07|00|7f)|ESC c)$`)

func sameControls(t testing.TB, want, got map[string]int) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(got)) {
		if want[kind] == 0 || never.MatchString(kind) {
			t.Errorf("%d × %s came to the terminal; for harmless text these do: %q", got[kind], kind, slices.Sorted(maps.Keys(want)))
		}
	}
}

// lineHead is how a line of plain output may begin: with a time, or, further lines of a
// text, indented.
var lineHead = regexp.MustCompile(`^(\d\d\d\d-\d\d-\d\d )?\d\d:\d\d |^    `)

// TestHostileTextAsPlainLines is the same for every form of output that is lines.
func TestHostileTextAsPlainLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wild := serveHostile(t, corpus(t), stinging)
	terms := []string{"xterm-256color"}
	if *hostileMatrix {
		terms = append(terms, "tmux-256color", "screen", "linux")
	}
	for _, tt := range []struct {
		name  string
		args  []string
		keys  string
		lines bool // each line is said by somebody
	}{
		{"plain", []string{"--plain", "join", wild.addr}, "/rooms\n/who\n/search case\n/msg zoe x\nhello\n/nick y\n", true},
		{"tail", []string{"tail", "-s", wild.addr, "-n", "1000", "--follow=false"}, "", true},
		{"tail json", []string{"tail", "-s", wild.addr, "-n", "1000", "--follow=false", "--json"}, "", false},
		{"tail exec", []string{"tail", "-s", wild.addr, "-n", "60", "--follow=false", "--exec", "sh -c env;cat"}, "", false},
		{"search", []string{"search", "-s", wild.addr, "x"}, "", true},
		{"search json", []string{"search", "-s", wild.addr, "x", "--json"}, "", false},
		{"who", []string{"who", "-s", wild.addr}, "", false},
		{"who json", []string{"who", "-s", wild.addr, "--json"}, "", false},
		{"rooms", []string{"rooms", "-s", wild.addr}, "", false},
		{"rooms json", []string{"rooms", "-s", wild.addr, "--json"}, "", false},
		{"send refused", []string{"send", "-s", wild.addr, "x"}, "", false},
		{"send to a server that says bye", []string{"send", "-s", wild.addr, "--timeout", "2s", "bye"}, "", false},
		{"refused", []string{"--nick", "refused", "who", "-s", wild.addr}, "", false},
		{"doctor", []string{"doctor", wild.addr}, "", false},
		{"wire", []string{"wire", wild.addr, "--plain", "--timeout", "1s"}, "", false},
		{"wire json", []string{"wire", wild.addr, "--json", "--timeout", "1s"}, "", false},
		{"invitation", []string{"join", "chat://\x1b]0;x\x07/\x1b[2J?t=\u009b2J#\u202e"}, "", false},
		{"server's name", []string{"who", "-s", "\x1b]0;x\x07\u009b2J"}, "", false},
	} {
		for _, term := range terms {
			t.Run(tt.name+" "+term, func(t *testing.T) {
				t.Parallel()
				args := tt.args
				if i := slices.Index(args, "--exec"); i >= 0 {
					path := filepath.Join(t.TempDir(), "program")
					if err := os.WriteFile(path, []byte("#!/bin/sh\nenv | grep ^CHAT_\ncat\n"), 0o700); err != nil {
						t.Fatal(err)
					}
					args = append(slices.Clone(args[:i+1]), path)
				}
				cmd := s.command("chat", args...)
				cmd.Env = append(home(t), "TERM="+term)
				p := startInPty(t, 160, 50, cmd)
				if tt.keys != "" {
					p.see("finished")
					p.type_(tt.keys)
					p.see("you are now")
					p.type_("\x04")
				}
				p.wait(20 * time.Second)
				holdsNoControls(t, p.everything(), tt.lines)
			})
		}
	}
}

// holdsNoControls fails where output of lines has a control function but those of a
// line, or a line that ann has not said.
func holdsNoControls(t testing.TB, out []byte, lines bool) {
	t.Helper()
	kinds, text := controls(out)
	delete(kinds, "C0 0d") // the terminal's own, before a newline
	delete(kinds, "C0 09") // a tab
	if n := bytes.Count(out, []byte("\r")) - bytes.Count(out, []byte("\r\n")); len(kinds) > 0 || n > 0 {
		t.Errorf("controls in lines: %v, and %d carriage returns:\n%.3000q", kinds, n, out)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		t.Error("there is no output")
	}
	for line := range strings.Lines(string(text)) {
		at := lineHead.FindString(line)
		if lines && at == "" && strings.TrimSpace(line) != "" && !typed[strings.TrimSpace(line)] && !strings.HasPrefix(line, "chat: ") {
			t.Errorf("a line begins with nobody's head: %q", line)
		}
		rest := strings.TrimPrefix(line[len(at):], "#lobby ")
		if at != "    " {
			for _, forged := range []string{"<ann", "-- ann", "* ann", "! ann"} {
				if strings.HasPrefix(rest, forged) {
					t.Errorf("forged: %q", line)
				}
			}
		}
	}
}

// typed is what the terminal echoes.
var typed = map[string]bool{"/rooms": true, "/who": true, "/nick y": true, "/search case": true, "hello": true, "/msg zoe x": true, "^D": true}

func (p *pty) wait(most time.Duration) {
	p.Helper()
	timer := time.AfterFunc(most, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	p.cmd.Wait()
}
