package server

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"lanchat/protocol"
)

// Presence is told in ticks: what happened in a room since its last message is
// one message, whatever it was. A big room is told less often and fewer names,
// so that ten thousand people who come within a minute cost each of them a few
// kilobytes, and a crowd ever less often, so that telling it takes a thousand
// messages a second, however many it is.
const (
	presenceTick    = 200 * time.Millisecond
	presenceBigTick = time.Second
	presenceEach    = time.Millisecond
)

type presence struct {
	mu    sync.Mutex
	dirty map[*room]struct{}
	wake  chan struct{}
}

func newPresence() *presence {
	return &presence{dirty: map[*room]struct{}{}, wake: make(chan struct{}, 1)}
}

// mark notes that a room has something to tell.
func (p *presence) mark(r *room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dirty[r] = struct{}{}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *presence) run(ctx context.Context) {
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(presenceTick):
		case <-ctx.Done():
			return
		}
		p.mu.Lock()
		rooms := p.dirty
		p.dirty = map[*room]struct{}{}
		p.mu.Unlock()
		now := time.Now()
		for r := range rooms {
			if !r.tell(now) {
				p.mark(r)
			}
		}
	}
}

// tell sends the room what has changed, unless that is too early.
func (r *room) tell(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	big := len(r.members) > bigRoom
	if big && now.Sub(r.told) < max(presenceBigTick, time.Duration(len(r.members))*presenceEach) {
		return false
	}
	if len(r.changed) == 0 {
		return true
	}
	m := &protocol.Presence{Room: r.name, Count: uint32(len(r.members))}
	most := listMax
	if big {
		most = bigRoomNames
	}
	var lines strings.Builder
	for u, p := range r.changed {
		if len(m.Joined)+len(m.Left) >= most {
			break
		}
		delete(r.changed, u)
		in, name := r.members[u], shownNick(p.name(), p.guest)
		switch {
		case in == nil:
			m.Left = append(m.Left, u)
			fmt.Fprintf(&lines, "-- %s has left\n", name)
			continue
		case in.told == "":
			fmt.Fprintf(&lines, "-- %s has come\n", name)
		case in.told != name:
			fmt.Fprintf(&lines, "-- %s is now %s\n", in.told, name)
		}
		now := in.asMember(r)
		in.told, in.role = name, now.Role
		m.Joined = append(m.Joined, now)
	}
	if big {
		clear(r.changed)
		lines.Reset()
	}
	r.told = now
	r.event(m, lines.String())
	return len(r.changed) == 0
}

// names is how many members are named to somebody who knows none. Whoever comes into a
// crowd is hardly served by more, and a thousand may come at once. r.mu is held.
func (r *room) names() int {
	if len(r.members) > crowdFrom {
		return bigRoomNames
	}
	return bigRoom
}

// presenceNow is the whole presence, for a session that has fallen so far
// behind that the changes it lacks are gone. r.mu is held.
func (r *room) presenceNow() *protocol.Presence {
	list, _ := r.some(protocol.UserID{}, r.names())
	return &protocol.Presence{Room: r.name, Joined: list, Count: uint32(len(r.members)), Reset: true}
}

func compareUsers(a, b protocol.UserID) int { return bytes.Compare(a[:], b[:]) }
