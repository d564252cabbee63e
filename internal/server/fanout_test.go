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
	d.over(protocol.NewConn(l))
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
	waitFor(t, s.allIsSent)
	// As the log's committer does it, with as much time in between as it may take.
	e := protocol.Entry{ID: protocol.NewID(), Room: "lobby", Seq: 1, User: ss.person.user, Nick: "ann", Kind: protocol.KindText, Text: "one write"}
	told := s.committed([]protocol.Entry{e})
	f := &s.fanout
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

// allIsSent reports whether nothing is to be sent to anybody.
func (s *Server) allIsSent() bool {
	s.fanout.mu.Lock()
	defer s.fanout.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.conns {
		if ss != nil && ss.state.Load() != writerIdle {
			return false
		}
	}
	return s.fanout.workers == 0
}

// TestWrongNumbersKeepNobodyBusy: of a log that has lost the order of its numbers a
// room's tail lacks entries, and whoever sends does not look for them for ever.
func TestWrongNumbersKeepNobodyBusy(t *testing.T) {
	s, addr := startTLS(t)
	bob := connect(t, addr, "bob")
	bob.join("lobby", 0)
	e := protocol.Entry{Room: "lobby", Nick: "ann", Kind: protocol.KindText, Text: "x"}
	var entries []protocol.Entry
	for _, seq := range []uint64{1, 3, 2} {
		e.ID, e.Seq = protocol.NewID(), seq
		entries = append(entries, e)
	}
	s.committed(entries)()
	waitFor(t, s.allIsSent)
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
