package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/protocol"
)

// pressure counts where limits are reached, between two looks of watchLimits. How often
// each is reached in all Stats says.
type pressure struct {
	mu        sync.Mutex
	addresses map[netip.Addr]int // at most maxPressure
	rooms     map[string]int     // at most maxPressure
}

// note counts a limit that was reached from an address, by something for a room where that
// is not "". Above maxPressure new ones are not counted: they are not where most comes from.
func (p *pressure) note(from netip.Addr, room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addresses == nil {
		p.addresses, p.rooms = map[netip.Addr]int{}, map[string]int{}
	}
	if _, counted := p.addresses[from]; counted || len(p.addresses) < maxPressure {
		p.addresses[from]++
	}
	if _, counted := p.rooms[room]; room != "" && (counted || len(p.rooms) < maxPressure) {
		p.rooms[room]++
	}
}

// take returns what was counted, and begins anew.
func (p *pressure) take() (addresses map[netip.Addr]int, rooms map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	addresses, rooms = p.addresses, p.rooms
	p.addresses, p.rooms = nil, nil
	return addresses, rooms
}

// limitWatch is what watchLimits remembers from one look to the next.
type limitWatch struct {
	counts [limits]uint64
	told   map[string]struct{} // rooms whose ops were told, and "" for the admins
}

// watchLimits tells admins when limits are reached in masses, and the ops of a room when
// that is so there: one notice in pressureEvery, until it is over.
func (s *Server) watchLimits(ctx context.Context) {
	tick := time.NewTicker(pressureEvery)
	defer tick.Stop()
	w := limitWatch{told: map[string]struct{}{}}
	for {
		select {
		case <-tick.C:
			s.reportLimits(&w)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) reportLimits(w *limitWatch) {
	sum := uint64(0)
	var each []limit
	var more [limits]uint64
	for l := limitConnections; l < limits; l++ {
		now := s.stats.limits[l].Load()
		more[l], w.counts[l] = now-w.counts[l], now
		if more[l] > 0 && l != limitPending && l != limitReplies { // with these a connection holds up itself alone
			each = append(each, l)
			sum += more[l]
		}
	}
	addresses, rooms := s.pressure.take()
	now := map[string]struct{}{}
	if sum >= pressureFrom {
		slices.SortStableFunc(each, func(a, b limit) int { return cmp.Compare(more[b], more[a]) })
		text := limitsReached(sum)
		most, n := netip.Addr{}, 0
		for addr, count := range addresses {
			if count > n {
				most, n = addr, count
			}
		}
		if uint64(n) >= sum/4 {
			text += ", most by " + most.String()
		}
		var names []string
		for _, l := range each[:min(len(each), 3)] {
			names = append(names, strings.ReplaceAll(limitNames[l], "_", " "))
		}
		s.notifyAdmins(&protocol.Notice{About: protocol.NoticeLimits, Text: text + ": " + strings.Join(names, ", ")})
		now[""] = struct{}{}
	}
	for room, count := range rooms {
		if count >= pressureRoomFrom {
			s.notifyOps(&protocol.Notice{About: protocol.NoticeLimits, Room: room, Text: limitsReached(uint64(count)) + " by what is posted here"})
			now[room] = struct{}{}
		}
	}
	for _, room := range slices.Sorted(maps.Keys(w.told)) {
		if _, still := now[room]; !still { // it is over, for whoever was told
			s.notify(&protocol.Notice{About: protocol.NoticeLimits, Room: room}, nil)
		}
	}
	w.told = now
}

func limitsReached(n uint64) string {
	return fmt.Sprintf("limits reached %s times in %d s", thousands(int(n)), pressureEvery/time.Second)
}
