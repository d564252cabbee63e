package server

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// TestAnIdleConnectionTakesLittleStack: what the handshake and a request took of the
// stack is given back while nothing more comes.
func TestAnIdleConnectionTakesLittleStack(t *testing.T) {
	if raced {
		t.Skip("under the race detector every frame of a stack is larger")
	}
	s, addr := start(t, func(c *Config) { c.Limits.AddressConns = 1_000 })
	const idle = 300
	before := stacks()
	for i := range idle {
		r, err := dialRaw(addr, fmt.Sprint("p", i), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
	}
	waitFor(t, func() bool { return s.People() == idle })
	waitFor(t, func() bool { return s.presence.settled() })
	// The writers of the last presence message end soon, and some stacks shrink later.
	most := uint64(5 << 10)
	waitFor(t, func() bool { return stacks() < before+idle*most })
}

func stacks() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}

// TestACrowdIsToldLittle: who joins a crowd is named a few of it, and it is told of
// changes the less often the larger it is.
func TestACrowdIsToldLittle(t *testing.T) {
	s, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	r := s.open("lobby", roomlog.Maker{})
	for i := range 4 * crowdFrom {
		p := &person{user: randomUser()}
		nick := fmt.Sprint("p", i)
		p.nick.Store(&nick)
		r.members[p.user] = &member{person: p, sessions: 1}
		at, _ := slices.BinarySearchFunc(r.order, p.user, compareUsers)
		r.order = slices.Insert(r.order, at, p.user)
	}
	r.mu.Unlock()
	bob := connect(t, addr, "bob")
	if j := bob.join("lobby", 0); len(j.Members) != 20 || !j.More || j.Count != 4*crowdFrom+2 {
		t.Errorf("%d named of %d, more %v", len(j.Members), j.Count, j.More)
	}
	await(bob, func(p *protocol.Presence) bool { return p.Count == 4*crowdFrom+2 })
	r.mu.Lock()
	told := r.told
	r.touch(sessionOf(t, s, "bob").person)
	r.mu.Unlock()
	if r.tell(told.Add(3900 * time.Millisecond)) {
		t.Error("a crowd of 4,000 was told twice in 4 s")
	}
	if !r.tell(told.Add(4100 * time.Millisecond)) {
		t.Error("a crowd of 4,000 was not told after 4 s")
	}
}
