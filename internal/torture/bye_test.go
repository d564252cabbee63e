package torture

import (
	"testing"

	"lanchat/protocol"
)

// Who is sent away in the midst of much that it is still sending hears why, and when
// to come back. A connection closed with something unread in it would be reset, and
// the bye be lost on the way; then it would come back at once, again and again.
func TestByeIsHeardByWhoIsStillSending(t *testing.T) {
	t.Parallel()
	server := newEngine(t, newDisk(isFull))
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		r := newRecord(newJudge(), "talker")
		bye := hear(t, dial(t, server.addr(), "talker"), r, 1000)
		if bye == nil || bye.Code != protocol.CodeUnavailable || bye.RetryAfter == 0 {
			t.Fatalf("it hears %+v", bye)
		}
	}
}

// hear says what is open and n new lines, all at once, and listens until the server
// says bye, which it returns, or has acknowledged all.
func hear(t *testing.T, conn *protocol.Conn, r *record, n int) *protocol.Bye {
	t.Helper()
	ms := r.resend()
	for range n {
		ms = append(ms, r.say("lobby", 2000))
	}
	sent := make(chan error, 1)
	go func() { sent <- conn.Write(ms...) }()
	defer func() { <-sent }() // what the server no longer reads cannot be sent
	defer conn.Close()
	for r.waiting("") > 0 {
		m, err := conn.Read()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *protocol.Ack:
			r.acked(m)
		case *protocol.Bye:
			return m
		case *protocol.Error:
			t.Errorf("the server says %+v", m)
		}
	}
	return nil
}
