package server

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

// A device that stands still, with all its buffers full, holds nothing back from its
// owner: who connects anew has the nick, the rooms and the marks at once, is the same
// person, and stays when the old connection ends.
func TestTheOwnerTakesOverFromAFrozenConnection(t *testing.T) {
	s, addr := startTLS(t)
	key := newKey(t)
	bob := connectTLS(t, addr, newKey(t), "bob")
	bob.join("lobby", 0)
	frozen := connectTLS(t, addr, key, "ann")
	tcp := frozen.NetConn().(*tls.Conn).NetConn().(*net.TCPConn)
	if err := tcp.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	frozen.join("lobby", 0)
	frozen.say("lobby", "here I am")
	text := strings.Repeat("x", 16<<10)
	for range 90 { // more than lies in sockets; nobody reads it over there
		bob.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: text})
	}
	await(bob, func(a *protocol.Ack) bool { return a.Seq == 91 })

	begin := time.Now()
	ann := connectTLS(t, addr, key, "ann")
	if ann.welcome.Nick != "ann" || ann.welcome.User != frozen.welcome.User {
		t.Errorf("the owner comes back as %+v", ann.welcome)
	}
	j := ann.join("lobby", 90)
	if j.Count != 2 || s.People() != 2 {
		t.Errorf("%d people, %d on the server", j.Count, s.People())
	}
	ack := ann.say("lobby", "here again")
	if e := bob.hears("here again"); e.Nick != "ann" || e.Seq != ack.Seq {
		t.Errorf("%+v", e)
	}
	ann.send(&protocol.Nick{Ref: 1, Nick: "anna"})
	await(ann, func(n *protocol.Nick) bool { return n.Ref == 1 && n.Nick == "anna" })
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	tcp.SetLinger(0)
	tcp.Close()
	waitFor(t, func() bool { return len(s.people.sessions(ann.welcome.User)) == 1 })
	bob.send(&protocol.Who{Ref: 3, Room: "lobby"})
	w := any1[*protocol.Who](bob)
	if w.Count != 2 || !slices.ContainsFunc(w.People, func(m protocol.Member) bool { return m.Nick == "anna" }) {
		t.Errorf("%+v", w)
	}
}
