package torture

import "lanchat/protocol"

// entries is the log as it was read in the end, by room.
type entries map[string][]protocol.Entry

// check compares all records with the log.
func (j *judge) check(log entries, records []*record) {
	type place struct {
		seq uint64
		e   *protocol.Entry
	}
	where := map[protocol.ID]place{}
	for room, es := range log {
		for i := range es {
			e := &es[i]
			if e.Seq != uint64(i+1) || e.Room != room {
				j.wrong(gap, "the log of %s has %s %d as its entry %d", room, e.Room, e.Seq, i+1)
			}
			if p, twice := where[e.ID]; twice {
				j.wrong(doubled, "%q stands in the log as %s %d, and as %s %d", start(e.Text), p.e.Room, p.seq, e.Room, e.Seq)
				continue
			}
			where[e.ID] = place{e.Seq, e}
		}
	}
	said := 0
	for _, r := range records {
		r.mu.Lock()
		said += len(r.said)
		last := map[string]uint64{} // where the sender's line before stands, by room
		for _, l := range r.said {
			p, there := where[l.id]
			switch {
			case !there && l.ack != nil:
				j.wrong(lost, "%q was acknowledged as %s %d and is not in the log", start(l.text), l.room, l.ack.Seq)
				continue
			case !there:
				j.wrong(other, "%q was never acknowledged", start(l.text))
				continue
			case l.ack != nil && (l.ack.Seq != p.seq || l.ack.At != p.e.At):
				j.wrong(changed, "%q was acknowledged as %s %d and is %d", start(l.text), l.room, l.ack.Seq, p.seq)
			case p.e.Text != l.text || p.e.Room != l.room:
				j.wrong(changed, "%q is %q in the log", start(l.text), start(p.e.Text))
			}
			if p.seq < last[l.room] {
				j.wrong(reordered, "%q stands at %s %d, before what was said before it", start(l.text), l.room, p.seq)
			}
			last[l.room] = max(last[l.room], p.seq)
		}
		for room, v := range r.views {
			j.compare(r.name, room, v, log[room])
		}
		r.mu.Unlock()
	}
	if len(where) > said {
		j.wrong(other, "the log has %d entries, and %d lines were said", len(where), said)
	}
}

// compare holds what a client was told of a room against the log.
func (j *judge) compare(name, room string, v *view, es []protocol.Entry) {
	for seq, sum := range v.seen {
		switch {
		case sum == 0:
		case seq > len(es):
			j.wrong(lost, "%s was told %s %d, and the log ends at %d", name, room, seq, len(es))
			return
		case sum != j.sum(&es[seq-1]):
			j.wrong(changed, "%s was told another %s %d than the log has, which is %q", name, room, seq, start(es[seq-1].Text))
		}
	}
}
