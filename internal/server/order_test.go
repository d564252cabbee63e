package server

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"testing"

	"lanchat/protocol"
)

// The crowd: everybody posts, and one in ten breaks off on the way.
const (
	crowd     = 200
	linesEach = 50
	allLines  = crowd * linesEach
)

// TestOneOrderForAll is the promise itself: with everybody talking at once, and
// connections breaking off with posts under way, all see the same entries in the
// same order, none twice, none missing, and each sender's as it sent them.
func TestOneOrderForAll(t *testing.T) {
	_, addr := start(t, func(c *Config) { c.Limits.AddressShare = 200 })
	seed := maphash.MakeSeed()
	witness := &chatter{nick: "witness", addr: addr, seed: seed, keep: make([]*protocol.Entry, allLines+1)}
	everybody := []*chatter{witness}
	for i := range crowd {
		c := &chatter{nick: fmt.Sprint("c", i), addr: addr, seed: seed, posts: make([]*protocol.Post, linesEach)}
		for k := range c.posts {
			c.posts[k] = &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: fmt.Sprintf("%d of %s", k, c.nick)}
		}
		if i%10 == 0 {
			c.breaks = uint64(allLines / 20 * (1 + i/20))
		}
		everybody = append(everybody, c)
	}
	var present, done sync.WaitGroup
	present.Add(len(everybody))
	for _, c := range everybody {
		done.Go(func() {
			err := c.connect()
			present.Done()
			present.Wait() // or those who come early would have nobody to disturb them
			if err == nil {
				err = c.talk()
			}
			if err != nil {
				t.Errorf("%s: %v", c.nick, err)
			}
		})
	}
	done.Wait()
	if t.Failed() {
		return
	}

	next := map[string]int{} // the line that a sender has yet to be heard with
	for seq, e := range witness.keep[1:] {
		// The text says who: one who came back may have got a variant of the nick.
		_, who, _ := strings.Cut(e.Text, " of ")
		if want := fmt.Sprintf("%d of %s", next[who], who); e.Text != want || e.Seq != uint64(seq+1) {
			t.Fatalf("entry %d is %q, want %q", e.Seq, e.Text, want)
		}
		next[who]++
	}
	for _, c := range everybody {
		for seq := range c.seen {
			if c.seen[seq] != witness.seen[seq] {
				t.Fatalf("%s has another entry %d than the witness", c.nick, seq)
			}
		}
		if c.breaks > 0 && !c.broke {
			t.Errorf("%s was not cut off", c.nick)
		}
	}
}

// chatter is one of the crowd, and does what a client must: it keeps a cursor
// and what is not acknowledged.
type chatter struct {
	nick, addr string
	posts      []*protocol.Post
	breaks     uint64 // the cursor at which the connection breaks off
	broke      bool
	seed       maphash.Seed
	keep       []*protocol.Entry // by seq

	*raw
	cursor uint64
	seen   [allLines + 1]uint64 // hash of each entry as it came, by seq
	have   int
	acked  map[protocol.ID]bool
	gap    protocol.Skipped // still to be fetched
}

func (c *chatter) connect() (err error) {
	if c.acked == nil {
		c.acked = map[protocol.ID]bool{}
	}
	c.raw, err = dialRaw(c.addr, c.nick, c.cursor)
	return err
}

func (c *chatter) talk() error {
	defer func() { c.Close() }()
	first := c.posts
	if c.breaks > 0 {
		first = c.posts[:linesEach/2] // the rest is under way when it breaks
	}
	if err := c.post(first); err != nil {
		return err
	}
	for c.have < allLines || len(c.acked) < len(c.posts) {
		if err := c.step(); err != nil {
			return fmt.Errorf("with %d entries and %d acks: %w", c.have, len(c.acked), err)
		}
		if c.breaks > 0 && !c.broke && c.cursor >= c.breaks {
			c.broke = true
			if err := c.post(c.posts[linesEach/2:]); err != nil {
				return err
			}
			c.breakOff()
			if err := c.connect(); err != nil {
				return err
			}
			if err := c.post(c.posts); err != nil {
				return err
			}
		}
	}
	return nil
}

// post sends what is not acknowledged of posts, in order.
func (c *chatter) post(posts []*protocol.Post) error {
	var ms []protocol.Message
	for _, p := range posts {
		if !c.acked[p.ID] {
			ms = append(ms, p)
		}
	}
	return c.send(ms...)
}

func (c *chatter) step() error {
	name, err := c.next()
	if err != nil {
		return err
	}
	switch name {
	case "entry":
		seq := c.seq()
		if seq != c.cursor+1 {
			return fmt.Errorf("entry %d comes behind %d", seq, c.cursor)
		}
		c.cursor = seq
		return c.see(seq)
	case "ack":
		c.acked[c.message().(*protocol.Ack).ID] = true
	case "skipped":
		c.gap = *c.message().(*protocol.Skipped)
		c.cursor = c.gap.To
		return c.fetch()
	case "page":
		for _, e := range c.message().(*protocol.Page).Entries {
			c.body = frames(&e)[4:]
			if err := c.see(e.Seq); err != nil {
				return err
			}
			c.gap.From = e.Seq + 1
		}
		return c.fetch()
	case "error", "bye", "slow":
		return fmt.Errorf("the server says %+v", c.message())
	}
	return nil
}

// fetch asks for the next page of what a join has left out.
func (c *chatter) fetch() error {
	if c.gap.From > c.gap.To {
		return nil
	}
	return c.send(&protocol.History{Ref: 2, Room: "lobby", After: c.gap.From - 1, Before: c.gap.To + 1, Oldest: true})
}

func (c *chatter) see(seq uint64) error {
	if seq >= uint64(len(c.seen)) || c.seen[seq] != 0 {
		return fmt.Errorf("entry %d comes twice, or is one too many", seq)
	}
	c.seen[seq] = maphash.Bytes(c.seed, c.body) | 1
	c.have++
	if c.keep != nil {
		m, err := protocol.Decode(c.body)
		if err != nil {
			return err
		}
		c.keep[seq] = m.(*protocol.Entry)
	}
	return nil
}
