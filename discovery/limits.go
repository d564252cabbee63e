package discovery

import (
	"net/netip"
	"time"
)

const (
	// perSource and perAll are how many queries a second a server looks at.
	perSource = 50
	perAll    = 200
	// recent is how many queries a server remembers, to answer each once however
	// many ways it came.
	recent = 256
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

// sightings remembers the last queries.
type sightings struct {
	known map[sighting]bool
	ring  [recent]sighting
	next  int
}

// first reports whether s is new, and remembers it.
func (r *sightings) first(s sighting) bool {
	if r.known[s] {
		return false
	}
	if r.known == nil {
		r.known = map[sighting]bool{}
	}
	delete(r.known, r.ring[r.next])
	r.ring[r.next] = s
	r.known[s] = true
	r.next = (r.next + 1) % recent
	return true
}

// crowd counts the other servers that announce themselves here.
type crowd struct {
	until map[[InstanceSize]byte]time.Time
}

func (c *crowd) heard(b *Beacon, now time.Time) {
	if c.until == nil {
		c.until = map[[InstanceSize]byte]time.Time{}
	}
	if _, known := c.until[b.Instance]; known || len(c.until) < maxEntries {
		c.until[b.Instance] = now.Add(time.Duration(min(b.TTL, maxTTL)) * time.Second)
	}
}

func (c *crowd) left(g *Goodbye) { delete(c.until, g.Instance) }

func (c *crowd) size(now time.Time) int {
	for i, t := range c.until {
		if t.Before(now) {
			delete(c.until, i)
		}
	}
	return len(c.until)
}
