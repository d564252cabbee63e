package server

import (
	"fmt"
	"testing"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// TestPresenceInABigRoom: above 200 people presence is a count and a few names,
// and who comes in is told of a page of people, not of all.
func TestPresenceInABigRoom(t *testing.T) {
	t.Parallel()
	s, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	const others = 250
	in := make([]*raw, others)
	for i := range in {
		r, err := dialRaw(addr, fmt.Sprint("p", i), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		in[i] = r
	}
	big := func(p *protocol.Presence) bool {
		if p.Count > 200 && len(p.Joined)+len(p.Left) > 20 {
			t.Errorf("a message of %d and %d names in a room of %d", len(p.Joined), len(p.Left), p.Count)
		}
		return p.Count == others+1
	}
	await(ann, big)

	late := connect(t, addr, "late")
	j := late.join("lobby", 0)
	if j.Count != others+2 || len(j.Members) != 200 || !j.More {
		t.Errorf("joined: %d of %d members, more %v", len(j.Members), j.Count, j.More)
	}
	known := map[protocol.UserID]string{}
	for after, more := (protocol.UserID{}), true; more; {
		late.send(&protocol.Who{Ref: 2, Room: "lobby", After: after, Limit: 100})
		w := any1[*protocol.Who](late)
		for _, p := range w.People {
			known[p.User] = p.Nick
			after = p.User
		}
		if more = w.More; w.Count != others+2 || len(w.People) > 100 || more && len(w.People) != 100 {
			t.Fatalf("who: %d people of %d, more %v", len(w.People), w.Count, more)
		}
	}
	if len(known) != others+2 || known[ann.welcome.User] != "ann" || known[late.welcome.User] != "late" {
		t.Errorf("who lists %d people", len(known))
	}

	for _, r := range in {
		r.Close()
	}
	await(ann, func(p *protocol.Presence) bool { big(p); return p.Count == 2 })
	if n := s.People(); n != 2 {
		t.Errorf("%d people", n)
	}
}

// TestPresenceOfWhoFellBehind: a session that lacks too many changes is told
// the whole instead.
func TestPresenceOfWhoFellBehind(t *testing.T) {
	s, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	ann.send(&protocol.Ping{N: 1})
	any1[*protocol.Pong](ann)
	r := s.open("lobby", roomlog.Maker{})
	for range 2 * eventTailBytes / 20 { // typing notes, while the writer cannot look
		r.event(&protocol.Typing{Room: "lobby", Nick: "x"}, "")
	}
	r.mu.Unlock()
	p := await(ann, func(p *protocol.Presence) bool { return p.Reset })
	if p.Count != 1 || len(p.Joined) != 1 || p.Joined[0].Nick != "ann" {
		t.Errorf("%+v", p)
	}
}
