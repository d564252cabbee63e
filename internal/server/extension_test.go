package server

import (
	"strings"
	"testing"

	"lanchat/protocol"
)

// What a client wants is known of its session; a name that is too long ends the
// connection.
func TestWants(t *testing.T) {
	s, addr := start(t)
	hello := &protocol.Hello{Nick: "ann", Wants: []string{protocol.ExtNotices, "something of tomorrow"}}
	c, _, err := protocol.Dial(t.Context(), addr, nil, hello)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitFor(t, func() bool { return len(s.allSessions()) == 1 })
	if ss := s.allSessions()[0]; !ss.understands(protocol.ExtNotices) || ss.understands(protocol.ExtWhois) {
		t.Errorf("the session wants %q", ss.wants)
	}
	hello.Wants = []string{strings.Repeat("x", 33)}
	if c, _, err := protocol.Dial(t.Context(), addr, nil, hello); err == nil {
		c.Close()
		t.Error("a name of 33 bytes is taken")
	}
}
