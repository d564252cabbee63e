package torture

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/protocol"
)

// user is a client with our engine, internal/client: reconnecting, sending again
// and cursors are the engine's. One goroutine decides and takes the events.
type user struct {
	*record
	run    *run
	rng    *rand.Rand
	engine *client.Client
	up     bool
	state  map[string]following
	// asked is the ref of a request; what the server says about joins with a
	// smaller one is about an earlier stay in the room.
	asked map[string]uint32

	dialed struct {
		sync.Mutex
		net.Conn // the newest
	}
}

func newUser(r *run, name string, id *identity.Identity, rng *rand.Rand) *user {
	u := &user{run: r, record: newRecord(r.judge, name), rng: rng, state: map[string]following{}, asked: map[string]uint32{}}
	dialer := &client.Dialer{Identity: id}
	dialer.Find = func(context.Context) ([]client.Candidate, error) {
		return []client.Candidate{{Addr: r.addr(), Key: r.key()}}, nil
	}
	dial := func(ctx context.Context) (*client.Dialed, error) {
		link, err := dialer.Dial(ctx)
		if err == nil {
			u.dialed.Lock()
			u.dialed.Conn = link.Conn
			u.dialed.Unlock()
		}
		return link, err
	}
	u.engine = client.New(client.Config{Dial: dial, Nick: name, Rooms: rooms[:2]})
	for _, room := range rooms[:2] {
		u.begin(room, 0, false)
		u.state[room] = in
	}
	return u
}

func (u *user) book() *record { return u.record }

// live runs the engine. It ends only with ctx.
func (u *user) live(ctx context.Context) {
	ended := make(chan error, 1)
	go func() { ended <- u.engine.Run(ctx) }()
	pause := time.NewTimer(u.run.pauseFor(u.rng))
	defer pause.Stop()
	for {
		select {
		case ev, ok := <-u.engine.Events():
			if !ok {
				if err := <-ended; ctx.Err() == nil {
					u.wrong(other, "%s gives up: %v", u.name, err)
				}
				return
			}
			u.apply(ev)
		case <-pause.C:
			if !u.run.quiet.Load() && u.connected() > 0 { // cut off before, it would give up
				u.act(ctx)
			}
			pause.Reset(u.run.pauseFor(u.rng))
		}
	}
}

func (u *user) act(ctx context.Context) {
	room := u.run.room(u.rng)
	switch roll := u.rng.IntN(100); {
	case roll < 76:
		n := min(1+u.rng.IntN(maxBurst), 2*maxOpen-u.waiting(""))
		if u.state[room] == in {
			u.talk(room, u.run.take(max(n, 0)))
		}
		if roll >= 70 {
			u.cut()
		}
	case roll < 80:
		u.cut()
	case roll < 84: // does not take its events
		wait(ctx, upTo(u.rng, 400*time.Millisecond))
	case u.state[room] == absent && u.up:
		// A request behind the leave: when it is answered the leave was heard.
		if ref, err := u.engine.Request(&protocol.Rooms{}); err == nil {
			u.state[room], u.asked[room] = leaving, ref
		}
	case u.state[room] == in && u.waiting(room) == 0:
		if u.engine.Leave(room) == nil {
			u.leave(room)
			u.state[room] = absent
		}
	}
}

func (u *user) talk(room string, n int) {
	for range n {
		if _, err := u.engine.Post(*u.say(room, lineSize(u.rng))); err != nil {
			u.wrong(other, "%s: %v", u.name, err)
			return
		}
	}
}

func (u *user) cut() {
	u.dialed.Lock()
	defer u.dialed.Unlock()
	if u.dialed.Conn != nil {
		cut(u.dialed.Conn)
	}
}

func (u *user) apply(ev client.Event) {
	switch ev := ev.(type) {
	case client.WentUp:
		u.up = true
		u.record.mu.Lock()
		u.ups++
		if u.ups > 1 {
			u.again += len(u.open) // which the engine sends by itself
		}
		u.record.mu.Unlock()
		for room, state := range u.state {
			if state == leaving {
				u.state[room] = absent // the answer will not come
			}
		}
		if ev.Wiped {
			u.wrong(lost, "%s: the log is said to be another one", u.name)
		}
	case client.WentDown:
		u.up = false
	case client.Refused:
		u.wrong(other, "%s: the server refuses a line: %s", u.name, ev.Text)
	case client.Received:
		u.received(ev.Message)
	}
}

func (u *user) received(m protocol.Message) {
	switch m := m.(type) {
	case *protocol.Entry:
		u.entry(m)
	case *protocol.Ack:
		u.acked(m)
	case *protocol.Rooms:
		for room, ref := range u.asked {
			if u.state[room] == leaving && ref == m.Ref && u.engine.Join(room) == nil {
				u.state[room] = joining
			}
		}
	case *protocol.Joined:
		switch {
		case u.state[m.Room] == joining && m.Ref > u.asked[m.Room]:
			u.begin(m.Room, 0, false) // the engine has forgotten the room, and asks for all
			u.state[m.Room] = in
		case u.state[m.Room] == in && m.Reset:
			u.begin(m.Room, u.cursor(m.Room), true)
		}
	case *protocol.Skipped:
		u.skipped(m)
	case *protocol.Error:
		u.wrong(other, "%s: the server says %+v", u.name, m)
	}
}
