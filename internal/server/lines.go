package server

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// lines is the door for a person with nc or telnet, or ten lines of Python:
// one line in is one entry, and what others say comes as lines. The person is a
// guest, in one room at a time, and hears it from the start, but is present
// only from the first line on: a port scanner disturbs nobody.
type lines struct {
	nc      net.Conn
	in      *bufio.Reader
	max     int // bytes of a line
	ss      *session
	room    string
	present bool
}

// linesReplay is how many entries a person is shown of what was said before.
const linesReplay = 10

func (d *lines) kind() doorKind { return linesDoor }
func (d *lines) close()         { d.nc.Close() }
func (d *lines) await() error   { return nil } // a person takes a buffer in any case
func (d *lines) buffered() bool { return d.in.Buffered() > 0 }

func (d *lines) write(b []byte) error {
	_, err := d.nc.Write(b)
	return err
}

// newest leaves out the person's own lines: the terminal has shown them.
func (d *lines) newest(t *tail, after uint64, limit int) ([]byte, uint64, bool) {
	return t.sinceExcept(after, limit, d.ss.person.user)
}

// lookForHTTP waits until it is clear whether the first line is an HTTP
// request's, at most as long as a silent person waits for the greeting.
func (d *lines) lookForHTTP() (bool, error) {
	if err := d.nc.SetReadDeadline(time.Now().Add(greetAfter)); err != nil {
		return false, err
	}
	defer d.nc.SetReadDeadline(time.Time{})
	for {
		_, err := d.in.Peek(d.in.Buffered() + 1)
		b, _ := d.in.Peek(d.in.Buffered())
		line, _, whole := bytes.Cut(b, []byte{'\n'})
		method, rest, _ := bytes.Cut(line, []byte{' '})
		switch {
		case bytes.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }):
			return false, nil
		case whole:
			fields := bytes.Fields(rest)
			return len(fields) == 2 && bytes.HasPrefix(fields[1], []byte("HTTP/1.")), nil
		case errors.Is(err, bufio.ErrBufferFull): // the target is too long to see its end
			return bytes.HasPrefix(rest, []byte{'/'}), nil
		case err != nil && len(b) == 0:
			return false, err
		case err != nil:
			return false, nil
		}
	}
}

// answerHTTP tells a browser, or a scanner, what this is.
func (d *lines) answerHTTP() error {
	defer hangUp(d.nc)
	if err := d.nc.SetWriteDeadline(time.Now().Add(protocol.WriteTimeout)); err != nil {
		return err
	}
	const text = "This is a lanchat room, not a web server.\nJoin it with: chat join HOST:PORT, or: nc HOST PORT\n"
	return d.write(fmt.Appendf(nil, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text))
}

// greet says the first words, and lets the person hear the lobby.
func (d *lines) greet() {
	d.room = protocol.DefaultRoom
	d.say("%s to %s. You are %s, and write to everybody in %s: one line, one message.\n/nick NAME to choose a name, /help for more.\n",
		protocol.Greeting, safetext.Line(d.ss.srv.cfg.Name), d.ss.person.name(), d.room)
	err := d.ss.mayFollow(d.room)
	if err == nil {
		f, joined := d.ss.follow(d.room, false, false, replayLast(linesReplay))
		if err = d.ss.mayFollow(d.room); err == nil && d.ss.show(f, joined) {
			return
		}
		f.room.remove(f)
	}
	d.ss.reply(toError(cmp.Or(err, error(errPutOut))))
}

func replayLast(n uint64) func(head uint64) uint64 {
	return func(head uint64) uint64 { return head - min(head, n) }
}

// say shows the person a text of the server's.
func (d *lines) say(format string, args ...any) {
	d.ss.mu.Lock()
	d.ss.replies = fmt.Appendf(d.ss.replies, format, args...)
	d.ss.mu.Unlock()
	d.ss.wake()
}

// read returns the next line as a request. Commands that are no request, or
// more than one, are carried out here.
func (d *lines) read() (protocol.Message, error) {
	for d.ss.mayRead() {
		line, err := d.line()
		if err != nil {
			return nil, err
		}
		if strings.ContainsRune(line, 0) || strings.HasPrefix(line, "\x16") {
			// A client of ours whose first bytes came late, or another program:
			// nobody wants to see that in a room.
			d.say("! this is no text\n")
			return nil, io.EOF
		}
		if !d.present && strings.TrimSpace(line) != "" {
			d.present = true
			d.ss.becomeMember(d.room)
		}
		if m := d.request(line); m != nil {
			return m, nil
		}
	}
	return nil, io.EOF
}

// line reads one line, without its end. The last one needs none. A line that
// is too long is passed over, and the person told: nothing is cut.
func (d *lines) line() (string, error) {
	var line []byte
	tooLong := false
	for {
		part, err := d.in.ReadSlice('\n')
		if line = append(line, part...); len(line) > d.max+2 {
			line, tooLong = line[:0], true
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case (errors.Is(err, io.EOF) || isReset(err)) && len(line) > 0:
			// Who closes without having read everything resets the connection.
		case err != nil:
			return "", err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if !tooLong && len(text) <= d.max {
			return text, nil
		}
		d.say("! this line is longer than %d bytes and was not sent\n", d.max)
		return "", nil
	}
}

func (d *lines) request(line string) protocol.Message {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	command, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case strings.HasPrefix(line, "//"):
		line = line[1:]
	case !strings.HasPrefix(line, "/"):
	case command == "/nick":
		return &protocol.Nick{Ref: 1, Nick: rest}
	case command == "/me":
		return &protocol.Post{ID: protocol.NewID(), Room: d.room, Kind: protocol.KindAction, Text: rest}
	case command == "/join":
		d.join(strings.TrimPrefix(strings.ToLower(rest), "#"))
		return nil
	case command == "/topic":
		return &protocol.Topic{Ref: 1, Room: d.room, Topic: rest}
	case command == "/who":
		return &protocol.Who{Ref: 1, Room: d.room}
	case command == "/rooms":
		return &protocol.Rooms{Ref: 1}
	case command == "/quit":
		d.ss.end(&protocol.Bye{Code: protocol.CodeShuttingDown, Text: "goodbye"})
		return nil
	case command == "/help":
		d.say("%s", linesHelp)
		return nil
	default:
		d.say("! there is no command %s; /help shows those there are, and // begins a line with a /\n", safetext.Line(command))
		return nil
	}
	return &protocol.Post{ID: protocol.NewID(), Room: d.room, Text: line}
}

const linesHelp = `-- /nick NAME   choose a name     /me DOES     say what you do
-- /join ROOM   go to a room      /rooms       the rooms there are
-- /who         who is here       /topic TEXT  set the room's topic
-- /quit        leave             //TEXT       a line that begins with /
-- ~NAME is a guest, whose name is not verified. People with a name of their own use: chat
`

// join goes to another room, and leaves this one when that has worked.
func (d *lines) join(room string) {
	if room == d.room {
		return
	}
	d.ss.waitFor(paging)
	if err := d.ss.joinRoom(&protocol.Join{Ref: 1, Room: room}, replayLast(linesReplay)); err != nil {
		d.ss.reply(toError(err))
		return
	}
	d.ss.mu.Lock()
	old := d.ss.following(d.room)
	d.ss.mu.Unlock()
	d.room = room
	if old != nil {
		d.ss.unfollow(old)
	}
}

// shownNick is a nick as plain lines show it: a guest's is marked.
func shownNick(nick string, guest bool) string {
	if guest {
		return "~" + safetext.Line(nick)
	}
	return safetext.Line(nick)
}

// appendLines appends a message as a person reads it. Many have nothing to say.
func appendLines(dst []byte, m protocol.Message) []byte {
	switch m := m.(type) {
	case *protocol.Entry:
		return appendEntryLines(dst, m)
	case *protocol.Joined:
		dst = fmt.Appendf(dst, "-- you are in %s", m.Room)
		if m.Topic != "" {
			dst = fmt.Appendf(dst, " (%s)", safetext.Line(m.Topic))
		}
		return appendPeople(append(dst, ", "...), m.Members, m.Count)
	case *protocol.Who:
		return appendPeople(append(dst, "-- "...), m.People, m.Count)
	case *protocol.Rooms:
		for _, r := range m.Rooms {
			dst = fmt.Appendf(dst, "-- %s, %d here, %d entries", r.Room, r.Count, r.Head)
			if r.Topic != "" {
				dst = fmt.Appendf(dst, ": %s", safetext.Line(r.Topic))
			}
			dst = append(dst, '\n')
		}
		if m.More {
			dst = append(dst, "-- … and more\n"...)
		}
		return dst
	case *protocol.Nick:
		return fmt.Appendf(dst, "-- you are now %s\n", safetext.Line(m.Nick))
	case *protocol.Topic:
		return fmt.Appendf(dst, "-- the topic is now: %s\n", safetext.Line(m.Topic))
	case *protocol.Left:
		if m.Text == "" {
			return dst
		}
		return fmt.Appendf(dst, "-- you are not in %s any more: %s\n", safetext.Line(m.Room), safetext.Line(m.Text))
	case *protocol.Skipped:
		return fmt.Appendf(dst, "-- %d earlier entries are not shown\n", m.To-m.From+1)
	case *protocol.Slow:
		return append(dst, "-- slowly: you write faster than this server takes\n"...)
	case *protocol.Error:
		return fmt.Appendf(dst, "! %s\n", safetext.Line(m.Error()))
	case *protocol.Bye:
		return fmt.Appendf(dst, "-- %s\n", safetext.Line(m.Text))
	}
	return dst
}

func appendPeople(dst []byte, people []protocol.Member, count uint32) []byte {
	dst = fmt.Appendf(dst, "%d here", count)
	for i, p := range people {
		if i == 20 {
			dst = append(dst, ", …"...)
			break
		}
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		dst = append(append(dst, sep...), shownNick(p.Nick, p.Guest)...)
		if p.Role != protocol.RoleNone {
			dst = fmt.Appendf(dst, " (%s)", p.Role)
		}
	}
	return append(dst, '\n')
}

// headless keeps what somebody wrote from ending the head of a line.
var headless = strings.NewReplacer("<", "‹", ">", "›")

// appendEntryLines writes an entry. How a line begins says whose word it is: <NICK>
// somebody's text, * what they say of themselves, -- the server's own word, and ! that
// of ops, or that something was not done. Further lines of a text are indented. So
// nobody can write a line that looks like another's, or like the server's.
func appendEntryLines(dst []byte, e *protocol.Entry) []byte {
	who := shownNick(e.Nick, e.Guest)
	if e.Bot {
		who += " (bot)" // no nick has a space
	}
	if e.Gone {
		return fmt.Appendf(dst, "-- %s has deleted this message\n", who)
	}
	text := strings.ReplaceAll(safetext.Links(safetext.Text(e.Text)), "\n", "\n    ")
	if e.Edited {
		who += " (edited)"
	}
	switch e.Kind {
	case protocol.KindText:
		return fmt.Appendf(dst, "<%s> %s\n", who, text)
	case protocol.KindAction:
		return fmt.Appendf(dst, "* %s %s\n", who, text)
	case protocol.KindAnnounce:
		return fmt.Appendf(dst, "! %s announces: %s\n", who, text)
	case protocol.KindDeed:
		return fmt.Appendf(dst, "! %s %s\n", who, text)
	case protocol.KindTopic:
		return fmt.Appendf(dst, "-- %s has set the topic: %s\n", who, text)
	case protocol.KindEdit:
		if e.Text == "" { // what it has corrected was deleted since
			return dst
		}
		return fmt.Appendf(dst, "<%s (corrected)> %s\n", who, text)
	case protocol.KindDelete:
		if e.Purged != nil { // the room is told when all is deleted
			return dst
		}
		return fmt.Appendf(dst, "-- %s has deleted a message\n", who)
	case protocol.KindReaction:
		if len(e.Reactions) == 1 && e.Reactions[0].Count == 0 { // it was taken back
			return dst
		}
		return fmt.Appendf(dst, "-- %s reacts: %s\n", who, text)
	}
	return fmt.Appendf(dst, "<%s (%s)> %s\n", who, headless.Replace(safetext.Line(string(e.Kind))), text)
}
