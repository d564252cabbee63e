package hostile

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"lanchat/protocol"
)

// stranger is a connection of a key that nobody has met. It takes what it may.
type stranger struct {
	*protocol.Conn
	a       *attacker
	user    protocol.UserID
	victims []protocol.UserID // of those who are in the lobby
}

func throwAwayKey() (*tls.Config, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	own, err := protocol.SelfSigned(key, "eve")
	if err != nil {
		return nil, err
	}
	return protocol.ClientTLS(&own, nil), nil
}

func randomUser() (u protocol.UserID) {
	_, _ = rand.Read(u[:]) // never fails
	return u
}

// word is a short random word.
func word() string { return strings.ToLower(randomUser().String()[:10]) }

// stranger connects anew, a few times a second at most, and is in the lobby.
func (a *attacker) stranger(ctx context.Context) (*stranger, error) {
	if !pause(ctx, 100*time.Millisecond) {
		return nil, ctx.Err()
	}
	key, err := throwAwayKey()
	if err != nil {
		return nil, err
	}
	w, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, welcome, err := protocol.Handshake(ctx, tls.Client(w, key), &protocol.Hello{Nick: "eve-" + word()})
	if err != nil {
		w.Close()
		return nil, err
	}
	s := &stranger{Conn: conn, a: a, user: welcome.User}
	if s.ask(&protocol.Join{Room: lobby}) == 0 {
		conn.Close()
		return nil, errAgain
	}
	return s, nil
}

// ask sends requests, waits for the answers, and returns how many were granted.
func (s *stranger) ask(ms ...protocol.Message) (granted int) {
	posts := 0
	for i, m := range ms {
		ref := uint32(i + 1)
		switch m := m.(type) {
		case *protocol.Join:
			m.Ref = ref
		case *protocol.Moderate:
			m.Ref = ref
		case *protocol.Invite:
			m.Ref = ref
		case *protocol.Post:
			posts++
		}
	}
	_ = s.NetConn().SetDeadline(time.Now().Add(20 * time.Second))
	if s.Write(ms...) != nil {
		return 0
	}
	s.a.Frames.Add(int64(len(ms)))
	for answered := 0; answered < len(ms); {
		m, err := s.Read()
		if err != nil {
			return granted
		}
		good := true
		switch m := m.(type) {
		case *protocol.Joined:
			if m.Ref == 0 {
				continue
			}
			for _, p := range m.Members {
				if strings.HasPrefix(p.Nick, "Pascale") {
					s.victims = append(s.victims, p.User)
				}
			}
		case *protocol.Moderate:
			if m.Ref == 0 {
				continue
			}
		case *protocol.Invite, *protocol.Ack:
		case *protocol.Error:
			good = false
		default:
			continue
		}
		answered++
		if good {
			granted++
		}
	}
	s.a.Granted.Add(int64(granted))
	return granted
}

// strangers does something as one stranger after the other.
func strangers(do func(ctx context.Context, s *stranger)) func(context.Context, *attacker) {
	return func(ctx context.Context, a *attacker) {
		for ctx.Err() == nil {
			s, err := a.stranger(ctx)
			if err != nil {
				continue
			}
			do(ctx, s)
			s.Close()
		}
	}
}

// fillRules makes private rooms, and in each has people who are nowhere muted and opped.
func fillRules(ctx context.Context, s *stranger) {
	for range 5 {
		room := "vault-" + word()
		if ctx.Err() != nil || s.ask(&protocol.Moderate{Do: protocol.DeedPrivate, Room: room}) == 0 {
			return
		}
		var ms []protocol.Message
		for i := range 150 {
			who := randomUser().String()
			switch i % 4 {
			case 0, 1:
				ms = append(ms, &protocol.Moderate{Do: protocol.DeedMute, Room: room, Who: who})
			case 2:
				ms = append(ms, &protocol.Moderate{Do: protocol.DeedOp, Room: room, Who: who})
			case 3:
				ms = append(ms, &protocol.Invite{Room: room, Uses: 1000, TTL: 90 * 24 * 3600})
			}
		}
		s.ask(ms...)
	}
}

// makeInvitations makes invitations alone.
func makeInvitations(ctx context.Context, s *stranger) {
	room := "club-" + word()
	if s.ask(&protocol.Moderate{Do: protocol.DeedPrivate, Room: room}) == 0 {
		return
	}
	for range 4 {
		var ms []protocol.Message
		for range 50 {
			ms = append(ms, &protocol.Invite{Room: room, Uses: 1, TTL: 90 * 24 * 3600})
		}
		if s.ask(ms...) == 0 {
			return
		}
	}
}

// openDirects opens a direct talk with each of three who are in the lobby, always the
// same, and says something in it.
func openDirects(_ context.Context, s *stranger) {
	for _, victim := range s.victims[:min(3, len(s.victims))] {
		room := protocol.DirectRoom(s.user, victim)
		if s.ask(&protocol.Join{Room: room}) == 1 {
			s.ask(&protocol.Post{ID: protocol.NewID(), Room: room, Text: advert})
		}
	}
}

// squatRooms makes rooms in which nobody says anything; one of four is private.
func squatRooms(ctx context.Context, s *stranger) {
	for range 4 {
		var ms []protocol.Message
		for i := range 12 {
			if name := "squat-" + word(); i%4 == 0 {
				ms = append(ms, &protocol.Moderate{Do: protocol.DeedPrivate, Room: name})
			} else {
				ms = append(ms, &protocol.Join{Room: name, Quiet: true})
			}
		}
		if ctx.Err() != nil || s.ask(ms...) == 0 {
			return
		}
	}
}

// grabNicks posts once, so that the nick is kept.
func grabNicks(_ context.Context, s *stranger) {
	s.ask(&protocol.Post{ID: protocol.NewID(), Room: lobby, Text: advert})
}

// floodBytes posts the longest texts that there are, where people talk.
func floodBytes(ctx context.Context, s *stranger) {
	if s.ask(&protocol.Join{Room: den(0), Live: true}) == 0 {
		return
	}
	text := strings.Repeat(advert+" ", protocol.MaxFrame)[:16<<10]
	for range 10 {
		var ms []protocol.Message
		for range 10 {
			ms = append(ms, &protocol.Post{ID: protocol.NewID(), Room: den(0), Text: text})
		}
		if ctx.Err() != nil || s.ask(ms...) == 0 {
			return
		}
	}
}

// newcomer is somebody who comes after the attack.
type newcomer struct {
	*protocol.Conn
	user protocol.UserID
}

func arrive(ctx context.Context, addr, nick, token string, from byte) (*newcomer, error) {
	key, err := throwAwayKey()
	if err != nil {
		return nil, err
	}
	nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 99, 0, from)}}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn, welcome, err := protocol.Handshake(ctx, tls.Client(nc, key), &protocol.Hello{Nick: nick, Token: token})
	if err != nil {
		return nil, err
	}
	_ = conn.NetConn().SetDeadline(time.Now().Add(30 * time.Second))
	if welcome.Nick != nick {
		err = fmt.Errorf("%s is called %s", nick, welcome.Nick)
	}
	return &newcomer{conn, welcome.User}, err
}

// wants sends a request and returns its answer, which must be of a type.
func wants[A protocol.Message](n *newcomer, m protocol.Message) (a A, err error) {
	if err := n.Write(m); err != nil {
		return a, err
	}
	for {
		got, err := n.Read()
		if err != nil {
			return a, err
		}
		switch got := got.(type) {
		case *protocol.Joined:
			if a, ok := protocol.Message(got).(A); ok && got.Ref != 0 {
				return a, nil
			}
		case *protocol.Moderate:
			if a, ok := protocol.Message(got).(A); ok && got.Ref != 0 {
				return a, nil
			}
		case *protocol.Error:
			return a, fmt.Errorf("%s %+v: %w", protocol.Name(m), m, got)
		case A:
			return got, nil
		}
	}
}

// firstTry has two newcomers do all that the attacks used up, each once: what fails is
// an error.
func firstTry(ctx context.Context, addr string) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	room := "fresh-" + word()
	ann, err := arrive(ctx, addr, "ann-"+word(), "", 1)
	if err != nil {
		return err
	}
	defer ann.Close()
	steps := []func() error{
		func() error {
			_, err := wants[*protocol.Joined](ann, &protocol.Join{Ref: 1, Room: lobby, Live: true})
			return err
		},
		func() error {
			_, err := wants[*protocol.Moderate](ann, &protocol.Moderate{Ref: 2, Do: protocol.DeedPrivate, Room: room})
			return err
		},
		func() error { _, err := wants[*protocol.Joined](ann, &protocol.Join{Ref: 3, Room: room}); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	invitation, err := wants[*protocol.Invite](ann, &protocol.Invite{Ref: 4, Room: room})
	if err != nil {
		return err
	}
	bob, err := arrive(ctx, addr, "bob-"+word(), invitation.Token, 2)
	if err != nil {
		return err
	}
	defer bob.Close()
	direct := protocol.DirectRoom(ann.user, bob.user)
	post := func(room string) *protocol.Post {
		return &protocol.Post{ID: protocol.NewID(), Room: room, Text: "hello"}
	}
	moderate := func(do protocol.Deed) func() error {
		return func() error {
			_, err := wants[*protocol.Moderate](ann, &protocol.Moderate{Ref: 5, Do: do, Room: room, Who: bob.user.String(), For: 0})
			return err
		}
	}
	steps = []func() error{
		func() error { _, err := wants[*protocol.Joined](bob, &protocol.Join{Ref: 1, Room: room}); return err },
		func() error { _, err := wants[*protocol.Ack](bob, post(room)); return err },
		moderate(protocol.DeedOp), moderate(protocol.DeedDeop),
		func() error {
			_, err := wants[*protocol.Moderate](ann, &protocol.Moderate{Ref: 6, Do: protocol.DeedMute, Room: room, Who: bob.user.String(), For: 600})
			return err
		},
		func() error {
			if _, err := wants[*protocol.Ack](bob, post(room)); err == nil {
				return fmt.Errorf("who is muted posts")
			}
			return nil
		},
		moderate(protocol.DeedUnmute),
		func() error { _, err := wants[*protocol.Joined](ann, &protocol.Join{Ref: 7, Room: direct}); return err },
		func() error { _, err := wants[*protocol.Ack](ann, post(direct)); return err },
		func() error { _, err := wants[*protocol.Joined](bob, &protocol.Join{Ref: 2, Room: direct}); return err },
		func() error {
			_, err := wants[*protocol.Nick](bob, &protocol.Nick{Ref: 3, Nick: "rob-" + word()})
			return err
		},
		func() error { _, err := wants[*protocol.Ack](ann, post(lobby)); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
