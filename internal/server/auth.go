package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/passphrase"
	"lanchat/protocol"
)

// newcomer is somebody who has said hello and is not in yet.
type newcomer struct {
	who   access.Who
	addr  netip.Addr
	tls   *tls.ConnectionState // nil without TLS
	token string
}

// admit decides who gets in: the banned do not, guests where there may be some, and
// where there is a passphrase those who know it, were invited or are admins. It
// returns the room to which an invitation leads.
//
// A wrong passphrase makes those that follow from the same address wait; see tries.
// Those who have to wait are refused at once, so that they hold nothing.
func (s *Server) admit(n newcomer, x *protocol.Exchange) (room string, err error) {
	if err := s.rules.Enters(n.who.User, n.addr); err != nil {
		return "", err
	}
	secret := s.secret()
	if n.who.Guest && s.cfg.NoGuests {
		return "", protocol.Errorf(protocol.CodeAuth, "this server admits no guests: come with a key, as chat join does")
	}
	if secret != nil && n.tls == nil {
		return "", protocol.Errorf(protocol.CodeAuth, "this server asks for a passphrase, and that takes TLS: come with chat join")
	}
	if n.token != "" {
		room, err := s.rules.Redeem(n.token, n.who)
		switch {
		case err == nil:
			return room, nil
		case !errors.Is(err, access.ErrInvitation):
			s.countFull(err)
			return "", toError(err)
		}
		if secret != nil && !s.rules.Admitted(n.who) {
			return "", protocol.Errorf(protocol.CodeAuth, "%v", err)
		}
	}
	if secret == nil || s.rules.Admitted(n.who) {
		return "", nil
	}
	return "", s.askPassphrase(secret, n, x)
}

// secret is the passphrase of this moment; nil: there is none.
func (s *Server) secret() *passphrase.Secret {
	if s.cfg.Secret == nil {
		return nil
	}
	return s.cfg.Secret()
}

func (s *Server) askPassphrase(secret *passphrase.Secret, n newcomer, x *protocol.Exchange) error {
	try, wait := s.tries.begin(n.addr, n.who)
	if wait > 0 {
		return protocol.Errorf(protocol.CodeLimit, "too many tries of the passphrase from your address: wait %v", max(wait.Round(time.Second), time.Second))
	}
	mech := passphrase.Mechanism
	ask := func(step []byte) ([]byte, error) {
		answer, err := x.Ask(&protocol.Auth{Mech: mech, Data: step})
		if err != nil {
			return nil, err
		}
		mech = ""
		return answer.Data, nil
	}
	err := secret.Ask(n.tls, ask, func(step []byte) error { return x.Tell(&protocol.Auth{Data: step}) })
	switch {
	case errors.Is(err, passphrase.ErrWrong):
		count := try.failed()
		s.logSome(slog.LevelWarn, "a wrong passphrase", "from", n.addr.String(), "times", count)
		return protocol.Errorf(protocol.CodeAuth, "%v", err)
	case err != nil:
		try.dropped()
		return err
	}
	try.passed()
	return nil
}

// noPlainLines is why nobody may come by plain lines; "": they may.
func (s *Server) noPlainLines() string {
	switch {
	case s.secret() != nil:
		return "this server asks for a passphrase"
	case s.cfg.NoGuests:
		return "this server admits no guests"
	}
	return ""
}

// refusePlainLines tells a person why they may not come in, if so. A client of ours
// whose first bytes came late is told by the greeting to come again.
func (s *Server) refusePlainLines(nc net.Conn) (refused bool) {
	text := ""
	if err := s.rules.Enters(protocol.UserID{}, addrOf(nc)); err != nil {
		text = "! " + toError(err).Text
	} else if why := s.noPlainLines(); why != "" {
		text = fmt.Sprintf("%s, but not by plain lines: %s. Come with: chat join HOST:PORT", protocol.Greeting, why)
	}
	if text == "" {
		return false
	}
	if nc.SetWriteDeadline(time.Now().Add(hangUpAfter)) == nil {
		_, _ = nc.Write([]byte(text + "\n")) // it is closed in any case
	}
	hangUp(nc)
	return true
}

// addrOf is the address that a connection comes from.
func addrOf(nc net.Conn) netip.Addr {
	if t, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// invite makes an invitation. Where anybody may come, to a room that anybody may see,
// there is nothing for a token to carry, and what ordinary people ask for is not kept.
func (ss *session) invite(m *protocol.Invite) error {
	if m.Room == "" {
		m.Room = protocol.DefaultRoom
	}
	if err := ss.access(m.Room); err != nil {
		return err
	}
	who, rules := ss.person.who(), ss.srv.rules
	if _, _, direct := protocol.ParseDirectRoom(m.Room); direct {
		return protocol.Errorf(protocol.CodeForbidden, "a direct talk is for two: nobody can be invited")
	}
	private, _, _ := rules.Room(m.Room)
	if rules.Role(who, m.Room) == protocol.RoleNone {
		switch {
		case private:
			return protocol.Errorf(protocol.CodeForbidden, "this room is private: its ops, and admins, invite to it")
		case ss.srv.secret() != nil:
			return protocol.Errorf(protocol.CodeForbidden, "this server asks for a passphrase: only an op of the room, or an admin, invites past it")
		}
		ss.reply(&protocol.Invite{Ref: m.Ref, Room: m.Room})
		return nil
	}
	ss.waitFor(posting)
	token, i, err := rules.By(ss.maker()).Invite(m.Room, m.Uses, time.Duration(m.TTL)*time.Second)
	if err != nil {
		return err
	}
	ss.reply(&protocol.Invite{Ref: m.Ref, Room: m.Room, Uses: i.Uses, TTL: uint32(time.Until(i.Until).Round(time.Second).Seconds()), Token: token, Name: i.Name})
	return nil
}

// stateOf is the TLS state of a connection; nil where there is no TLS.
func stateOf(nc net.Conn) *tls.ConnectionState {
	t, ok := nc.(*tls.Conn)
	if !ok {
		return nil
	}
	state := t.ConnectionState()
	return &state
}

// welcomeTLS makes a TLS connection of one that begins so.
func (s *Server) welcomeTLS(nc net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), protocol.HandshakeTimeout)
	defer cancel()
	t := tls.Server(nc, s.cfg.TLS)
	return t, t.HandshakeContext(ctx)
}
