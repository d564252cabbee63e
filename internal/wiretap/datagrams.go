package wiretap

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"lanchat/discovery"
	"lanchat/internal/safetext"
)

const (
	maxAsked = 256
	// patience is how long a query has for an answer: servers hold one back for at
	// most half a second.
	patience = 2 * time.Second
)

// asked is one query of ours, which went several ways.
type asked struct {
	token    [discovery.TokenSize]byte
	seq      uint32
	at       time.Time // first sent
	by       map[string]time.Time
	answers  int
	told     bool // that none came
	peer     netip.AddrPort
	local    netip.AddrPort
	failures int
	copies   int
}

func (t *Tap) datagram(ear int, d discovery.Datagram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(d.At)
	if !d.Sent && t.again(ear, d) {
		return
	}
	r := Row{At: d.At, Sent: d.Sent, Local: d.Local, Peer: d.Peer, To: d.To, Interface: safetext.Line(d.Interface), Bytes: len(d.Bytes)}
	if d.Packet != nil {
		r.Type = d.Packet.Type()
		r.Fields = fieldsOf(d.Packet)
	}
	if d.Sent {
		t.sent(&r, d)
	} else {
		t.came(&r, d)
	}
	t.add(r, d.Bytes)
}

func (r *Row) note(kind NoteKind, loud bool, format string, args ...any) {
	r.Notes = append(r.Notes, Note{Kind: kind, Text: fmt.Sprintf(format, args...), Loud: loud})
}

func (t *Tap) sent(r *Row, d discovery.Datagram) {
	if d.Err != nil {
		t.udp.Failed++
		r.note(Failed, true, "not sent: %s", safetext.Line(d.Err.Error()))
	} else {
		t.udp.Sent++
		t.udp.SentBytes += uint64(r.Bytes)
	}
	switch p := d.Packet.(type) {
	case *discovery.Query:
		t.senders.of(string(p.Token[:])).own = true
		t.ask(p, d)
	case *discovery.Beacon:
		t.senders.of(string(p.Instance[:])).own = true
	case *discovery.Answer:
		t.senders.of(string(p.Instance[:])).own = true
	case *discovery.Goodbye:
		t.senders.of(string(p.Instance[:])).own = true
	}
}

func (t *Tap) ask(q *discovery.Query, d discovery.Datagram) {
	a := t.query(q.Token, q.Seq)
	if a == nil {
		if len(t.asked) >= maxAsked {
			t.asked = t.asked[1:]
		}
		t.asked = append(t.asked, asked{token: q.Token, seq: q.Seq, at: d.At, by: map[string]time.Time{}, peer: d.Peer, local: d.Local})
		a = &t.asked[len(t.asked)-1]
	}
	if _, known := a.by[d.Interface]; !known && len(a.by) < maxAsked {
		a.by[d.Interface] = d.At
	}
	a.copies++
	if d.Err != nil {
		a.failures++
	}
}

func (t *Tap) query(token [discovery.TokenSize]byte, seq uint32) *asked {
	for i := range t.asked {
		if t.asked[i].token == token && t.asked[i].seq == seq {
			return &t.asked[i]
		}
	}
	return nil
}

// Tick tells of the queries to which no answer came by now. Rows and Totals do so
// too, and so does whatever comes; whoever only follows calls it now and then.
func (t *Tap) Tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(time.Now())
}

// settle tells of the queries to which no answer came.
func (t *Tap) settle(now time.Time) {
	for i := range t.asked {
		a := &t.asked[i]
		if a.told || a.answers > 0 || a.failures == a.copies || now.Sub(a.at) < patience {
			continue
		}
		a.told = true
		t.udp.Unanswered++
		r := Row{At: now, Local: a.local, Peer: a.peer}
		r.note(Unanswered, true, "no answer to query %d within %s", a.seq, short(patience))
		t.add(r, nil)
	}
}

func (t *Tap) came(r *Row, d discovery.Datagram) {
	t.udp.Received++
	t.udp.ReceivedBytes += uint64(r.Bytes)
	if d.Packet == nil {
		t.udp.Foreign++
		what := "not of this protocol"
		if errors.Is(d.Err, discovery.ErrVersion) || errors.Is(d.Err, discovery.ErrUnknownType) {
			what = "of another version"
		}
		r.note(Failed, true, "%s: %s", what, safetext.Line(d.Err.Error()))
		return
	}
	switch p := d.Packet.(type) {
	case *discovery.Query:
		// Who asks sends its queries on purpose by several ways, and begins anew
		// with each search: gaps say something, copies too.
		t.number(r, string(p.Token[:]), p.Seq, d)
	case *discovery.Beacon:
		t.number(r, string(p.Instance[:]), p.Seq, d)
	case *discovery.Goodbye:
		t.number(r, string(p.Instance[:]), p.Seq, d)
	case *discovery.Answer:
		t.number(r, string(p.Instance[:]), p.Seq, d)
		t.answered(r, p, d)
	}
}

// way is by what a datagram came.
func way(d discovery.Datagram) string {
	s := "from " + d.Peer.Addr().String()
	if d.To.IsValid() {
		s += " to " + d.To.String()
	}
	if d.Interface != "" {
		s += " by " + safetext.Line(d.Interface)
	}
	return s
}

func (t *Tap) number(r *Row, sender string, seq uint32, d discovery.Datagram) {
	n := t.senders.of(sender)
	if n.own {
		r.note(Own, false, "our own, which came back")
		return
	}
	v := n.take(seq, way(d), d.At)
	if v.lost > 0 {
		t.udp.Lost += uint64(v.lost)
		r.note(Lost, true, "%s before it did not come: lost, or not for us", countOf(v.lost, seq))
	}
	if v.found && t.udp.Lost > 0 {
		t.udp.Lost--
	}
	if v.late {
		t.udp.Late++
		r.note(Late, true, "late: %d came before %d", n.highest, seq)
	}
	if v.doubled {
		t.udp.Doubled++
		again := v.first.way == way(d)
		r.note(Doubled, again, "doubled: %d came %s ago %s", seq, short(d.At.Sub(v.first.at)), v.first.way)
	}
}

// countOf names the numbers before seq.
func countOf(lost int, seq uint32) string {
	if lost == 1 {
		return fmt.Sprintf("%d", seq-1)
	}
	return fmt.Sprintf("%d to %d", seq-uint32(lost), seq-1)
}

func (t *Tap) answered(r *Row, p *discovery.Answer, d discovery.Datagram) {
	a := t.query(p.Token, p.Asked)
	if a == nil {
		r.note(RoundTrip, false, "answers a query that was not seen here")
		return
	}
	a.answers++
	since, known := a.by[d.Interface]
	if !known {
		since = a.at
	}
	wait := time.Duration(p.Wait) * time.Microsecond
	text := fmt.Sprintf("answers query %d, round trip %s", p.Asked, short(max(0, d.At.Sub(since)-wait)))
	if wait >= time.Millisecond {
		text += fmt.Sprintf(" and %s of waiting on purpose", short(wait))
	}
	if a.told && a.answers == 1 {
		t.udp.Unanswered--
		text += ", after it was given up"
	}
	r.note(RoundTrip, false, "%s", text)
}

// short is a time with three digits or so.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
