package server

import (
	"net"
	"net/netip"
	"testing"

	"lanchat/protocol"
)

// TestAPosterIsAnsweredInOneWrite: what a poster is sent of its own post, the entry and
// the answer, costs one write. A pipe hands over each write by itself.
func TestAPosterIsAnsweredInOneWrite(t *testing.T) {
	s, addr := startTLS(t)
	a, b := net.Pipe()
	defer a.Close()
	d := &native{}
	l := &link{Conn: b, stats: &s.stats, share: s.addresses.hold(netip.Addr{}, 1)}
	d.conn = protocol.NewConn(l)
	ss := s.newSession(d, l)
	if _, err := s.people.arrive(ss, randomUser(), true, "ann"); err != nil {
		t.Fatal(err)
	}
	s.running.Add(1)
	ss.serve()
	ann := &peer{t, protocol.NewConn(a), nil}
	ann.send(&protocol.Join{Ref: 1, Room: "lobby"})
	await(ann, func(p *protocol.Presence) bool { return p.Count == 1 })
	bob := connect(t, addr, "bob")
	bob.join("lobby", 0)
	await(ann, func(p *protocol.Presence) bool { return p.Count == 2 })
	f := &s.fanout
	waitFor(t, func() bool { // all that has been said is sent
		f.mu.Lock()
		defer f.mu.Unlock()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, ss := range s.conns {
			if ss != nil && ss.state.Load() != writerIdle {
				return false
			}
		}
		return f.workers == 0
	})
	// As the log's committer does it, with as much time in between as it may take.
	e := protocol.Entry{ID: protocol.NewID(), Room: "lobby", Seq: 1, User: ss.person.user, Nick: "ann", Kind: protocol.KindText, Text: "one write"}
	told := s.committed([]protocol.Entry{e})
	f.mu.Lock()
	if f.workers > 0 || len(f.due)-f.next != 2 {
		t.Errorf("%d workers, %d due: before the poster is answered nothing is sent", f.workers, len(f.due)-f.next)
	}
	f.mu.Unlock()
	ss.reply(&protocol.Ack{ID: e.ID, Room: "lobby", Seq: 1})
	told()
	one := make([]byte, 4<<10)
	n, err := a.Read(one)
	if err != nil {
		t.Fatal(err)
	}
	both := protocol.NewConn(readFrom(one[:n]))
	if m, err := both.Read(); err != nil || m.(*protocol.Ack).ID != e.ID {
		t.Fatalf("%+v, %v", m, err)
	}
	if m, err := both.Read(); err != nil || m.(*protocol.Entry).ID != e.ID {
		t.Fatalf("the entry did not come with the answer: %+v, %v", m, err)
	}
	await(bob, func(got *protocol.Entry) bool { return got.ID == e.ID })
}

// readFrom is a connection that sends bytes and ends.
func readFrom(b []byte) net.Conn {
	from, to := net.Pipe()
	go func() {
		to.Write(b)
		to.Close()
	}()
	return from
}
