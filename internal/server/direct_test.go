package server

import (
	"slices"
	"strings"
	"testing"

	"lanchat/protocol"
)

func TestDirectTalkReachesWhoWasAway(t *testing.T) {
	_, addr := startTLS(t)
	annKey, bobKey := newKey(t), newKey(t)
	ann := connectTLS(t, addr, annKey, "ann")
	room := protocol.DirectRoom(bobKey.Fingerprint().UserID(), ann.welcome.User)
	ann.join(room, 0)
	ann.say(room, "call me")
	ann.say(room, "it is urgent")

	bob := connectTLS(t, addr, bobKey, "bob")
	if j := any1[*protocol.Joined](bob); j.Ref != 0 || j.Room != room || j.Head != 2 {
		t.Errorf("on coming back bob is told %+v", j)
	}
	if j := bob.join(room, 0); j.Count != 2 {
		t.Errorf("joined: %+v", j)
	}
	bob.hears("call me")
	bob.hears("it is urgent")
	bob.say(room, "I call")
	ann.hears("I call")
}

func TestDirectTalkIsToldOnce(t *testing.T) {
	_, addr := startTLS(t)
	ann, bobKey := connectTLS(t, addr, newKey(t), "ann"), newKey(t)
	bob, second := connectTLS(t, addr, bobKey, "bob"), connectTLS(t, addr, bobKey, "bob")
	room := protocol.DirectRoom(ann.welcome.User, bob.welcome.User)
	ann.join(room, 0)
	if quiet(bob, protocol.DefaultRoom) != 0 {
		t.Error("a direct talk is told of before anything was said")
	}
	ann.say(room, "one")
	for _, device := range []*peer{bob, second} {
		if j := any1[*protocol.Joined](device); j.Ref != 0 || j.Room != room || j.Head != 1 {
			t.Errorf("%+v", j)
		}
	}
	ann.say(room, "two")
	ann.say(room, "three")
	if n := quiet(bob, room); n != 0 {
		t.Errorf("told %d times more", n)
	}
	bob.join(room, 0)
	ann.say(room, "four")
	if e := any1[*protocol.Entry](bob); e.Text != "one" {
		t.Errorf("%+v", e)
	}
	bob.hears("four")
	if n := quiet(ann, room); n != 0 {
		t.Errorf("who opened it is told %d times", n)
	}
}

// quiet counts the messages that speak of a room and come before the answer to
// a ping.
func quiet(p *peer, room string) (n int) {
	p.send(&protocol.Ping{N: 77})
	for {
		m, err := p.Read()
		if err != nil {
			p.Fatal(err)
		}
		switch m := m.(type) {
		case *protocol.Pong:
			if m.N == 77 {
				return n
			}
		case *protocol.Joined:
			if m.Room == room {
				n++
			}
		}
	}
}

// TestDirectTalkDoesNotExistForOthers asks for somebody else's direct talk, and
// for one that nobody ever opened, and wants the same of both: who is not one of
// the two cannot find out whether they talk.
func TestDirectTalkDoesNotExistForOthers(t *testing.T) {
	s, addr := startTLS(t)
	ann, bob := connectTLS(t, addr, newKey(t), "ann"), connectTLS(t, addr, newKey(t), "bob")
	room := protocol.DirectRoom(ann.welcome.User, bob.welcome.User)
	none := protocol.DirectRoom(ann.welcome.User, protocol.UserID{1})
	ann.join(room, 0)
	secret := ann.say(room, "secret")

	eve := connectTLS(t, addr, newKey(t), "eve")
	others := []*peer{eve, connectTLS(t, addr, nil, "guest"), connect(t, addr, "bare")}
	for _, other := range others {
		other.join("lobby", 0)
		for _, tt := range []struct {
			name string
			ask  func(room string) protocol.Message
			code protocol.Code // none: there is no answer
		}{
			{"join", func(r string) protocol.Message { return &protocol.Join{Ref: 5, Room: r} }, protocol.CodeNotFound},
			{"leave", func(r string) protocol.Message { return &protocol.Leave{Ref: 5, Room: r} }, protocol.CodeNotFound},
			{"post", func(r string) protocol.Message { return &protocol.Post{ID: secret.ID, Room: r, Text: "secret"} }, protocol.CodeNotFound},
			{"react", func(r string) protocol.Message {
				return &protocol.Post{ID: protocol.NewID(), Room: r, Kind: protocol.KindReaction, Text: "+", Target: secret.ID}
			}, protocol.CodeNotFound},
			{"react elsewhere", func(r string) protocol.Message {
				target := protocol.NewID()
				if r == room {
					target = secret.ID
				}
				return &protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindReaction, Text: "+", Target: target}
			}, protocol.CodeNotFound},
			{"history", func(r string) protocol.Message { return &protocol.History{Ref: 5, Room: r} }, protocol.CodeNotFound},
			{"topic", func(r string) protocol.Message { return &protocol.Topic{Ref: 5, Room: r, Topic: "x"} }, protocol.CodeNotFound},
			{"who", func(r string) protocol.Message { return &protocol.Who{Ref: 5, Room: r} }, protocol.CodeNotFound},
			{"search", func(r string) protocol.Message { return &protocol.Search{Ref: 5, Room: r, Query: "secret"} }, protocol.CodeNotFound},
			{"invite", func(r string) protocol.Message { return &protocol.Invite{Ref: 5, Room: r} }, protocol.CodeNotFound},
			{"read", func(r string) protocol.Message { return &protocol.Read{Room: r, Seq: 1} }, ""},
			{"typing", func(r string) protocol.Message { return &protocol.Typing{Room: r} }, ""},
		} {
			var answers []protocol.Error
			for _, r := range []string{room, none} {
				ask := tt.ask(r)
				other.send(ask, &protocol.Ping{N: 9})
				e := protocol.Error{}
				for done := false; !done; {
					m, err := other.Read()
					if err != nil {
						t.Fatalf("%s: %v", tt.name, err)
					}
					switch m := m.(type) {
					case *protocol.Error:
						e = *m
						e.ID = protocol.ID{} // of the post that was asked
					case *protocol.Pong:
						done = true
					case *protocol.Presence:
					default:
						t.Errorf("%s by %s: %+v", tt.name, other.welcome.Nick, m)
					}
				}
				answers = append(answers, e)
			}
			if answers[0] != answers[1] || answers[0].Code != tt.code {
				t.Errorf("%s by %s: %+v for theirs, %+v for none; want %q", tt.name, other.welcome.Nick, answers[0], answers[1], tt.code)
			}
		}
	}

	// Nor is anything heard of it, while they talk on.
	bob.join(room, 0)
	ann.send(&protocol.Topic{Ref: 1, Room: room, Topic: "secret"}, &protocol.Typing{Room: room})
	ann.say(room, "more")
	bob.hears("more")
	bob.Close()
	await(ann, func(p *protocol.Presence) bool { return p.Room == room && p.Count == 1 })
	eve.say("lobby", "end")
	for _, other := range others {
		other.send(&protocol.Rooms{Ref: 1}, &protocol.Rooms{Ref: 2, After: "dm:"}, &protocol.Ping{N: 11})
		for done := false; !done; {
			m, err := other.Read()
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case *protocol.Rooms:
				if slices.ContainsFunc(m.Rooms, func(r protocol.RoomInfo) bool { return strings.HasPrefix(r.Room, "dm:") }) {
					t.Errorf("rooms: %+v", m)
				}
			case *protocol.Presence:
				if m.Room != "lobby" {
					t.Errorf("%+v", m)
				}
			case *protocol.Entry:
				if m.Room != "lobby" {
					t.Errorf("%+v", m)
				}
			case *protocol.Pong:
				done = m.N == 11
			default:
				t.Errorf("%s hears %T %+v", other.welcome.Nick, m, m)
			}
		}
	}
	if info, _ := s.log.Room(room); info.Head != 3 {
		t.Errorf("somebody else's post is in the talk: %+v", info)
	}
	if _, made := s.log.Room(none); made {
		t.Error("a talk was made by who is not one of the two")
	}
}
