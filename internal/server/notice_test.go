package server

import (
	"testing"

	"lanchat/protocol"
)

// TestNoticesToAdmins: a notice goes to admins who want it, and its end to who has it,
// who may have stopped to be an admin.
func TestNoticesToAdmins(t *testing.T) {
	s, addr, _ := governed(t)
	key := newKey(t)
	s.SetAdmins([]protocol.UserID{key.Fingerprint().UserID()})
	old := connectTLS(t, addr, key, "ann")
	wants := []string{protocol.ExtNotices}
	ann := connectTLSAs(t, addr, key, &protocol.Hello{Nick: "ann", Wants: wants})
	bob := connectTLSAs(t, addr, newKey(t), &protocol.Hello{Nick: "bob", Wants: wants})
	for _, p := range []*peer{old, ann, bob} {
		p.join("lobby", 0)
	}
	none := func(p *peer) {
		t.Helper()
		p.send(&protocol.Ping{N: 7})
		for {
			switch m, err := p.Read(); m := m.(type) {
			case *protocol.Pong:
				if m.N == 7 {
					return
				}
			case *protocol.Notice:
				t.Fatalf("%s is sent %+v", p.welcome.Nick, m)
			default:
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	full := &protocol.Notice{About: protocol.NoticeDisk, Text: "nearly full"}
	s.notifyAdmins(full)
	if got := any1[*protocol.Notice](ann); *got != *full {
		t.Errorf("the admin is sent %+v", got)
	}
	none(old)
	none(bob)
	s.SetAdmins(nil)
	s.notifyAdmins(full)
	over := protocol.Notice{About: protocol.NoticeDisk}
	if got := any1[*protocol.Notice](ann); *got != over {
		t.Errorf("who is an admin no more is sent %+v", got)
	}
	s.notifyAdmins(&over) // known already
	none(ann)
	none(bob)
}
