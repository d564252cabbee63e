package discovery

import (
	"net/netip"
	"time"
)

const (
	// perSource and perAll are how many queries a second a server looks at.
	perSource = 50
	perAll    = 200
	// recent is how many queries a server remembers, to answer each not more than
	// copies times, however many ways it came.
	recent = 256
	// copies is how many copies of a query with a name are answered: it comes by
	// two broadcasts, and where a third of everything is lost, one answer in three
	// is too. Both together are still no more bytes than came.
	copies = 2
)

// rate lets so many queries pass in each second of the clock. It holds one entry
// for each source that it let pass in this second: at most perAll.
type rate struct {
	second  int64
	all     int
	sources map[netip.Addr]int
}

func (r *rate) allow(source netip.Addr, now time.Time) bool {
	if s := now.Unix(); s != r.second || r.sources == nil {
		r.second, r.all, r.sources = s, 0, map[netip.Addr]int{}
	}
	if r.all >= perAll || r.sources[source] >= perSource {
		return false
	}
	r.all++
	r.sources[source]++
	return true
}

// sighting is one query, however it arrived.
type sighting struct {
	source netip.AddrPort
	token  [TokenSize]byte
	seq    uint32
}

// sightings remembers the last queries, and how often each came.
type sightings struct {
	known map[sighting]int
	ring  [recent]sighting
	next  int
}

// again tells how often s came before.
func (r *sightings) again(s sighting) int {
	n, known := r.known[s]
	if r.known == nil {
		r.known = map[sighting]int{}
	}
	if !known {
		delete(r.known, r.ring[r.next])
		r.ring[r.next] = s
		r.next = (r.next + 1) % recent
	}
	r.known[s] = n + 1
	return n
}

// crowd counts the other servers that announce themselves here.
type crowd struct {
	known     map[[InstanceSize]byte]member
	perSource map[netip.Addr]int
}

type member struct {
	source netip.Addr // where it was first heard
	until  time.Time
}

func (c *crowd) heard(b *Beacon, source netip.Addr, now time.Time) {
	if c.known == nil {
		c.known, c.perSource = map[[InstanceSize]byte]member{}, map[netip.Addr]int{}
	}
	m, known := c.known[b.Instance]
	if !known {
		if len(c.known) >= maxEntries || c.perSource[source] >= maxPerSource {
			return
		}
		m.source = source
		c.perSource[source]++
	}
	m.until = now.Add(ttl(b))
	c.known[b.Instance] = m
}

func (c *crowd) left(g *Goodbye, source netip.Addr) {
	if m, known := c.known[g.Instance]; known && m.source == source {
		c.drop(g.Instance, m)
	}
}

func (c *crowd) drop(id [InstanceSize]byte, m member) {
	delete(c.known, id)
	if c.perSource[m.source]--; c.perSource[m.source] == 0 {
		delete(c.perSource, m.source)
	}
}

func (c *crowd) size(now time.Time) int {
	for id, m := range c.known {
		if m.until.Before(now) {
			c.drop(id, m)
		}
	}
	return len(c.known)
}
