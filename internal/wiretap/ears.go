package wiretap

import (
	"hash/maphash"
	"time"

	"lanchat/discovery"
)

const (
	maxEchoes = 256
	// echoTime is for how long two of our sockets may differ in hearing one datagram.
	echoTime = 2 * time.Second
)

// echo is a datagram that came, and how often at each ear.
type echo struct {
	sum   uint64
	at    time.Time
	heard map[int]int
	most  int
}

// Ear returns another function like Datagram, for one more Browser, search or
// Announcer of this process. Each of them has sockets of its own, and a broadcast
// comes to all of these: it is one datagram, and one row, however many ears hear
// it. A copy that comes twice to one ear was doubled.
func (t *Tap) Ear() func(discovery.Datagram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ears++
	ear := t.ears
	return func(d discovery.Datagram) { t.datagram(ear, d) }
}

// Datagram takes in one datagram: it is a discovery.Config.Watch. Where several
// are to be watched, each has an Ear.
func (t *Tap) Datagram(d discovery.Datagram) { t.datagram(0, d) }

// again reports whether another ear has heard this datagram before. t.mu is held.
func (t *Tap) again(ear int, d discovery.Datagram) bool {
	if t.ears == 0 {
		return false
	}
	var h maphash.Hash
	h.SetSeed(t.seed)
	h.Write(d.Bytes)
	h.WriteString(way(d))
	h.WriteByte(byte(d.Peer.Port()))
	h.WriteByte(byte(d.Peer.Port() >> 8))
	sum := h.Sum64()
	for i := range t.echoes {
		e := &t.echoes[i]
		if e.sum != sum || d.At.Sub(e.at) > echoTime {
			continue
		}
		e.heard[ear]++
		known := e.heard[ear] <= e.most
		e.most = max(e.most, e.heard[ear])
		return known
	}
	if len(t.echoes) == maxEchoes {
		t.echoes = t.echoes[1:]
	}
	t.echoes = append(t.echoes, echo{sum: sum, at: d.At, heard: map[int]int{ear: 1}, most: 1})
	return false
}
