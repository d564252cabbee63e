package server

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// doorKind is a way in, which decides how messages are encoded.
type doorKind int

const (
	nativeDoor doorKind = iota
	linesDoor
	doorKinds
)

// door turns bytes into requests and messages into bytes. read is called by the
// session's reader only, write and newest by its writer only.
type door interface {
	kind() doorKind
	// await returns when read has something to begin with, or would fail. It takes
	// little of the stack.
	await() error
	read() (protocol.Message, error)
	// buffered reports whether read likely returns without waiting.
	buffered() bool
	write(b []byte) error
	// newest takes from a room's tail what lies behind after.
	newest(t *tail, after uint64, limit int) (b []byte, last uint64, ok bool)
	close()
}

// encoders append a message as each kind of door sends it.
var encoders = [doorKinds]func(dst []byte, m protocol.Message) []byte{
	nativeDoor: appendFrame,
	linesDoor:  appendLines,
}

// handle serves a connection as whoever is at the door.
func (s *Server) handle(nc *link) {
	if ss := s.letIn(nc); ss != nil {
		ss.serve()
	} else {
		s.remove(nc)
	}
}

// letIn finds out who is at the door. Who may not come in, or is only told something, is
// no session.
func (s *Server) letIn(nc *link) *session {
	if over := s.startHandshake(nc); over != 0 {
		s.stats.reached(over)
		s.pressure.note(nc.from, "")
		tellBusy(nc, over)
		return nil
	}
	ss, err := s.openDoor(nc)
	s.endHandshake(nc)
	if err != nil {
		s.stats.notAdmitted(err)
		if !isEverydayEnd(err) {
			s.logSome(slog.LevelInfo, "a connection came to nothing", "from", nc.RemoteAddr().String(), "err", safetext.Line(err.Error()))
		}
		return nil
	}
	return ss
}

// openDoor decides by the first byte.
func (s *Server) openDoor(nc *link) (*session, error) {
	first := make([]byte, 1)
	if err := nc.SetReadDeadline(time.Now().Add(greetAfter)); err != nil {
		return nil, err
	}
	n, err := nc.Read(first)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, err
	}
	if err := nc.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	nc.first, nc.again = first[0], n > 0
	switch {
	case n > 0 && first[0] == tlsHandshake && s.cfg.TLS != nil:
		return s.openTLS(nc)
	case n > 0 && first[0] == 0:
		return s.openNative(nc, nc, protocol.UserID{})
	}
	return s.openLines(nc, n == 0)
}

const tlsHandshake = 0x16 // RFC 8446, section 5.1: ContentType

// hangUp closes a connection behind a last word, while the peer may still be
// sending: closing with bytes unread would reset the connection, and the word
// might be lost on the way.
func hangUp(nc net.Conn) {
	defer nc.Close()
	if half, ok := nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		if nc.SetReadDeadline(time.Now().Add(hangUpAfter)) == nil {
			io.CopyN(io.Discard, nc, hangUpBytes)
		}
	}
}

func (s *Server) openTLS(nc *link) (*session, error) {
	t, err := s.welcomeTLS(nc)
	if err != nil {
		return nil, err
	}
	var user protocol.UserID
	if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 {
		sum := sha256.Sum256(certs[0].Raw)
		copy(user[:], sum[:])
	}
	return s.openNative(nc, t, user)
}

// openNative opens a door for frames: over nc, which is l, or TLS over it. Without a
// user it is a guest's.
func (s *Server) openNative(l *link, nc net.Conn, user protocol.UserID) (*session, error) {
	d := &native{}
	var ss *session
	conn, err := protocol.Accept(nc, func(hello *protocol.Hello, x *protocol.Exchange) (*protocol.Welcome, error) {
		guest := user.IsZero()
		if guest {
			user = randomUser()
		}
		if hello.Nick == "" {
			return nil, protocol.Errorf(protocol.CodeBadNick, "a nick is needed")
		}
		room, err := s.admit(newcomer{access.Who{User: user, Guest: guest}, addrOf(nc), stateOf(nc), hello.Token}, x)
		if err != nil {
			return nil, err
		}
		ss = s.newSession(d, l)
		ss.bot, ss.wants = hello.Bot, hello.Wants
		who, err := s.people.arrive(ss, user, guest, hello.Nick)
		if err != nil {
			ss = nil
			return nil, toError(err)
		}
		return &protocol.Welcome{
			Version: protocol.Version, Software: s.cfg.Software, Server: s.cfg.Name, Epoch: s.log.Epoch(),
			User: user, Nick: who.name(), Guest: guest, Role: s.rules.Role(who.who(), ""), Room: room, Limits: s.limits.onWire(), Offers: offers,
		}, nil
	})
	if err != nil {
		if ss != nil {
			s.people.leave(ss)
		}
		return nil, err
	}
	d.over(conn)
	return ss, nil
}

func randomUser() (u protocol.UserID) {
	rand.Read(u[:])
	return u
}

// native is the door for frames.
type native struct {
	conn *protocol.Conn
	out  net.Conn // what conn writes to
}

// over opens the door over a connection that has shaken hands.
func (d *native) over(c *protocol.Conn) { d.conn, d.out = c, c.NetConn() }

func (d *native) kind() doorKind                  { return nativeDoor }
func (d *native) await() error                    { return d.conn.Await() }
func (d *native) read() (protocol.Message, error) { return d.conn.Read() }
func (d *native) buffered() bool                  { return d.conn.Buffered() > 0 }
func (d *native) close()                          { hangUp(d.conn.NetConn()) }

func (d *native) write(b []byte) error {
	// Not by WriteFrames: there is one writer, and the link sees to deadlines.
	_, err := d.out.Write(b)
	return err
}

func (d *native) newest(t *tail, after uint64, limit int) ([]byte, uint64, bool) {
	return t.since(after, limit)
}

func appendFrame(dst []byte, m protocol.Message) []byte {
	out, err := protocol.AppendFrame(dst, m)
	if err != nil {
		// Every list is cut to fit and every text is bounded: a mistake of ours.
		out, _ = protocol.AppendFrame(dst, protocol.Errorf(protocol.CodeInternal, "an answer was too large"))
	}
	return out
}

// openLines opens a door for a person with nc or telnet, or answers HTTP. One
// who was silent so far is greeted without more waiting.
func (s *Server) openLines(nc *link, silent bool) (*session, error) {
	d := &lines{nc: nc, in: bufio.NewReaderSize(nc, 512), max: s.limits.Text}
	if !silent {
		if isHTTP, err := d.lookForHTTP(); err != nil {
			return nil, err
		} else if isHTTP {
			return nil, d.answerHTTP()
		}
	}
	if s.refusePlainLines(nc) {
		return nil, nil
	}
	ss := s.newSession(d, nc)
	d.ss, ss.unnamed = ss, true
	if _, err := s.people.arrive(ss, randomUser(), true, ""); err != nil {
		return nil, err
	}
	d.greet()
	return ss, nil
}

// isEverydayEnd is true for the ways in which connections end all day long. Who is
// refused may come again and again, and nobody wants to read that.
func isEverydayEnd(err error) bool {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return e.Code == protocol.CodeAuth || e.Code == protocol.CodeForbidden || e.Code == protocol.CodeLimit
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) || isReset(err)
}
