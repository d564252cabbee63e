package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

// terminal is a person with nc: lines out, lines in.
type terminal struct {
	testing.TB
	net.Conn
	in  *bufio.Reader
	log strings.Builder // every line that came
}

func plain(t testing.TB, addr string) *terminal {
	t.Helper()
	return plainFrom(t, nil, addr)
}

func plainFrom(t testing.TB, from net.IP, addr string) *terminal {
	t.Helper()
	nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &terminal{TB: t, Conn: nc, in: bufio.NewReader(nc)}
}

// visitor is a terminal that was greeted under its guest name, and is not yet
// present: an empty line is nothing said.
func visitor(t testing.TB, addr, guest string) *terminal {
	t.Helper()
	p := plain(t, addr)
	p.types("")
	if line := p.sees(guest); !strings.HasPrefix(line, protocol.Greeting) {
		t.Errorf("the first line is %q", line)
	}
	p.sees("you are in lobby")
	return p
}

func (p *terminal) types(line string) {
	p.Helper()
	if _, err := io.WriteString(p, line+"\n"); err != nil {
		p.Fatal(err)
	}
}

// sees reads lines until one has the text in it, and returns that one.
func (p *terminal) sees(text string) string {
	p.Helper()
	for {
		line, err := p.in.ReadString('\n')
		p.log.WriteString(line)
		if strings.Contains(line, text) {
			return strings.TrimSuffix(line, "\n")
		}
		if err != nil {
			p.Fatalf("waiting for %q: %v; what came:\n%s", text, err, p.log.String())
		}
	}
}

// ends reads to the end of the connection and returns all that came.
func (p *terminal) ends() string {
	p.Helper()
	if _, err := io.Copy(&p.log, p.in); err != nil {
		p.Errorf("the connection does not end: %v", err)
	}
	return p.log.String()
}

func TestSilentPersonIsGreeted(t *testing.T) {
	t.Parallel()
	_, addr := start(t)
	begin := time.Now()
	p := plain(t, addr)
	p.sees("welcome to Hack Night. You are guest-1")
	if took := time.Since(begin); took < greetAfter || took > greetAfter+time.Second {
		t.Errorf("greeted after %v, want %v", took, greetAfter)
	}
	p.types("hello")
	p.types("/who")
	p.sees("1 here: ~guest-1")
}

// TestTenLinesOfPython is what a beginner's program does: connect, send, call
// recv once, close. Its first recv is the greeting, and its line is heard though
// it has no end and much was left unread.
func TestTenLinesOfPython(t *testing.T) {
	_, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	for range 5 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, "Hello, world"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 16)
		n, err := nc.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), protocol.Greeting) {
			t.Errorf("recv gives %q, %v", b[:n], err)
		}
		nc.Close() // with the rest unread this is a reset
		if e := ann.hears("Hello, world"); !e.Guest || !strings.HasPrefix(e.Nick, "guest-") {
			t.Errorf("%+v", e)
		}
	}
}

func TestPlainAndNativeTalk(t *testing.T) {
	_, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	bob := visitor(t, addr, "guest-1")
	ann.send(&protocol.Who{Ref: 1, Room: "lobby"})
	if w := any1[*protocol.Who](ann); w.Count != 1 || len(w.People) != 1 {
		t.Errorf("somebody who has said nothing is present: %+v", w)
	}
	ann.say("lobby", "is anybody there?")
	if line := bob.sees("anybody"); line != "<~ann> is anybody there?" {
		t.Errorf("%q", line)
	}
	bob.types("I am\r")
	if e := ann.hears("I am"); e.Nick != "guest-1" || !e.Guest || e.Kind != protocol.KindText {
		t.Errorf("%+v", e)
	}
	await(ann, func(p *protocol.Presence) bool { return p.Count == 2 && len(p.Joined) > 0 && p.Left == nil })
	bob.types("/nick bob")
	bob.sees("-- you are now bob")
	bob.types("//literal")
	if e := ann.hears("/literal"); e.Nick != "bob" {
		t.Errorf("%+v", e)
	}
	bob.types("/me waves")
	if e := ann.hears("waves"); e.Kind != protocol.KindAction {
		t.Errorf("%+v", e)
	}
	carl := visitor(t, addr, "guest-2")
	carl.sees("* ~bob waves") // what was said before is shown
	carl.types("hi")
	bob.sees("<~guest-2> hi")
	ann.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindAction, Text: "nods"})
	bob.sees("* ~ann nods")
	for _, own := range []string{"I am", "literal", "waves"} {
		if strings.Contains(bob.log.String(), own) {
			t.Errorf("a line of one's own comes back: %s", own)
		}
	}
	if n := strings.Count(bob.log.String(), "you are now bob"); n != 1 {
		t.Errorf("told %d times of the new nick", n)
	}
	bob.Close()
	await(ann, func(p *protocol.Presence) bool { return p.Count == 2 && len(p.Left) == 1 })
}

func TestPlainCommands(t *testing.T) {
	_, addr := start(t)
	bob := visitor(t, addr, "guest-1")
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	for _, tt := range []struct{ types, sees string }{
		{"/help", "/nick NAME"},
		{"/who", "-- 2 here"},
		{"/topic pizza \x1b[2J", "-- the topic is now: pizza ␛[2J"},
		{"/rooms", "-- lobby, 2 here, 1 entries: pizza"},
		{"/nick", "! a nick is needed"},
		{"/nick ann", "! ann is taken"},
		{"/nick guest-7", "! nicks that look like"},
		{"/dance", "! there is no command /dance"},
		{"/dance\x1b[2J", "! there is no command /dance␛[2J"},
		{"/join no room", "! a room's name"},
		{"/me", "! a message needs a text"},
		{"/join #kitchen", "-- you are in kitchen, 1 here: ~guest-1"},
		{"/rooms", "-- kitchen, 1 here, 0 entries"},
	} {
		bob.types(tt.types)
		bob.sees(tt.sees)
	}
	bob.types("only in the kitchen")
	ann.join("kitchen", 0)
	ann.hears("only in the kitchen")
	ann.say("lobby", "bob has gone")
	ann.say("kitchen", "hello bob")
	bob.sees("<~ann> hello bob")
	if strings.Contains(bob.log.String(), "bob has gone") {
		t.Error("the room that was left is still heard")
	}
	bob.types("/quit")
	if all := bob.ends(); !strings.Contains(all, "-- goodbye") {
		t.Errorf("%q", all)
	}
}

// The first nick of each guest on plain lines is free for the address, as that of a hello
// is; every further one counts.
func TestFirstNicksOnPlainLines(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it takes a second address of the loopback")
	}
	_, addr := start(t, func(c *Config) { c.Limits = Limits{NickBurst: 2, AddressShare: 1} })
	come := func(nick string) *terminal {
		p := plainFrom(t, net.IPv4(127, 0, 0, 2), addr)
		p.types("/nick " + nick)
		return p
	}
	for i := range 5 {
		nick := fmt.Sprint("first", i)
		come(nick).sees("you are now " + nick)
	}
	for i := range 2 {
		p := come(fmt.Sprint("second", i))
		p.types(fmt.Sprint("/nick another", i))
		p.sees(fmt.Sprint("you are now another", i))
	}
	p := come("third")
	p.sees("you are now third")
	p.types("/nick other")
	p.sees("! you have changed your name often")

	// A guest who is refused a nick has asked, and may do so only as often as anybody.
	p = come("third")
	for range 2 {
		p.sees("taken")
		p.types("/nick third")
	}
	p.sees("! you have changed your name often")
}

func TestLongLineIsRefusedWhole(t *testing.T) {
	_, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	bob := visitor(t, addr, "guest-1")
	most := strings.Repeat("x", 16<<10)
	bob.types(most + "y")
	bob.sees("! this line is longer than 16384 bytes and was not sent")
	bob.types(strings.Repeat(most, 5))
	bob.sees("! this line is longer")
	bob.types(most + "\r")
	bob.types("next")
	if e := any1[*protocol.Entry](ann); e.Text != most {
		t.Errorf("the first entry has %d bytes", len(e.Text))
	}
	if e := any1[*protocol.Entry](ann); e.Text != "next" {
		t.Errorf("then comes %.40q", e.Text)
	}
}

// TestNothingForgesALine: what one person writes never looks like another's
// line, nor does anything to a terminal.
func TestNothingForgesALine(t *testing.T) {
	_, addr := start(t)
	bob := visitor(t, addr, "guest-1")
	eve := connect(t, addr, "eve")
	eve.join("lobby", 0)
	eve.say("lobby", "one\n<ann> two\r<ann> three\u2028<ann> four\u0085<ann> five")
	eve.say("lobby", "\x1b]0;owned\a\x1b[2J\u009b2J\u202Ereversed\b\b\b\x00")
	eve.send(&protocol.Topic{Ref: 1, Room: "lobby", Topic: "t\n<ann> six"})
	eve.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindAction, Text: "acts\n* ~ann acts"})
	eve.say("lobby", "end")
	bob.sees("<~eve> end")
	for line := range strings.Lines(bob.log.String()) {
		if strings.HasPrefix(line, "<ann") || strings.HasPrefix(line, "* ~ann") {
			t.Errorf("forged: %q", line)
		}
		if strings.ContainsFunc(line, func(r rune) bool {
			return r < 0x20 && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e
		}) {
			t.Errorf("not harmless: %q", line)
		}
	}
	for _, want := range []string{"    <ann> two\n", "    <ann> five\n", "␛]0;owned␇␛[2J"} {
		if !strings.Contains(bob.log.String(), want) {
			t.Errorf("%q is not in what came:\n%s", want, bob.log.String())
		}
	}
}

func TestHTTPGetsAnAnswer(t *testing.T) {
	_, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	headers := "Host: chat\r\nCookie: " + strings.Repeat("c", 3000) + "\r\n\r\n"
	for _, request := range []string{
		"GET / HTTP/1.1\r\n" + headers,
		"POST /x?y=z HTTP/1.0\r\n" + headers + "hello room",
		"GET /" + strings.Repeat("long", 500) + " HTTP/1.1\r\n" + headers,
		"OPTIONS * HTTP/1.1\n\n",
	} {
		for _, step := range []int{1, len(request)} {
			p := plain(t, addr)
			for rest := request; rest != ""; {
				n := min(step, len(rest))
				if _, err := io.WriteString(p, rest[:n]); err != nil {
					break // answered before the end of it
				}
				rest = rest[n:]
			}
			answer := p.ends()
			if !strings.HasPrefix(answer, "HTTP/1.1 400 Bad Request\r\n") || !strings.HasSuffix(answer, "nc HOST PORT\n") {
				t.Errorf("%.20q in steps of %d: %q", request, step, answer)
			}
		}
	}
	for _, line := range []string{"GET OUT", "I think HTTP/1.1 is old", "HELLO"} {
		p := plain(t, addr)
		p.types(line)
		p.sees(protocol.Greeting)
		if e := any1[*protocol.Entry](ann); e.Text != line {
			t.Errorf("%q is heard as %q", line, e.Text)
		}
	}
}

func TestRealNetcat(t *testing.T) {
	path, err := exec.LookPath("nc")
	if err != nil {
		t.Skip("there is no nc on this machine")
	}
	_, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	host, port, _ := net.SplitHostPort(addr)
	nc := exec.CommandContext(t.Context(), path, host, port)
	in, err1 := nc.StdinPipe()
	out, err2 := nc.StdoutPipe()
	if err1 != nil || err2 != nil || nc.Start() != nil {
		t.Fatal("nc does not start", err1, err2)
	}
	stop := time.AfterFunc(20*time.Second, func() { nc.Process.Kill() })
	defer stop.Stop()
	io.WriteString(in, "hello from nc\n")
	ann.hears("hello from nc")
	ann.say("lobby", "hello nc")
	p := &terminal{TB: t, in: bufio.NewReader(out)}
	p.sees(protocol.Greeting)
	p.sees("<~ann> hello nc")
	io.WriteString(in, "/quit\n")
	p.sees("goodbye")
	in.Close()
	if err := nc.Wait(); err != nil {
		t.Error(err)
	}
	await(ann, func(p *protocol.Presence) bool { return len(p.Left) == 1 })
}
