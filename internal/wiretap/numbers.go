package wiretap

import (
	"slices"
	"time"
)

const (
	maxSenders = 256
	// window is how many numbers of a sender are remembered one by one.
	window = 64
	// leap is more than can be lost: a sender whose number differs by so much was
	// started again, or somebody is forging its packets.
	leap = 1000
	// forgiven is for how long a number far below the last one counts as late: one
	// forged packet must not make all that follow late.
	forgiven = 2 * time.Second
)

// arrivalOf is how a packet with some number came.
type arrivalOf struct {
	seq     uint32
	came    bool
	missing bool // counted as lost
	way     string
	at      time.Time
}

// numbers is what came of one sender: it numbers its packets.
type numbers struct {
	id      string
	own     bool // it is this process
	begun   bool
	highest uint32
	at      time.Time // of the highest
	seen    [window]arrivalOf
}

// verdict is what a number says.
type verdict struct {
	lost    int  // numbers before this one that did not come
	found   bool // it was counted as lost, and is not
	late    bool
	doubled bool
	first   arrivalOf // of one that is doubled
}

// take takes in the number of a packet.
func (n *numbers) take(seq uint32, way string, at time.Time) (v verdict) {
	step := int32(seq - n.highest)
	switch {
	case !n.begun, step > leap, step < -leap, step <= -window && at.Sub(n.at) > forgiven:
		*n = numbers{id: n.id, own: n.own, begun: true, highest: seq}
	case step > 0:
		v.lost = int(step) - 1
		for s := n.highest + 1; s != seq; s++ {
			n.seen[s%window] = arrivalOf{seq: s, missing: true}
		}
		n.highest = seq
	case step <= -window:
		return verdict{late: true} // too old to know more
	default:
		was := n.seen[seq%window]
		if was.came && was.seq == seq {
			return verdict{doubled: true, first: was}
		}
		v.late = true
		v.found = was.missing && was.seq == seq
	}
	if seq == n.highest {
		n.at = at
	}
	n.seen[seq%window] = arrivalOf{seq: seq, came: true, way: way, at: at}
	return v
}

// senders are the latest, the last heard at the end.
type senders []*numbers

// of finds a sender, or makes room for it.
func (s *senders) of(id string) *numbers {
	i := slices.IndexFunc(*s, func(n *numbers) bool { return n.id == id })
	var n *numbers
	if i >= 0 {
		n = (*s)[i]
		*s = slices.Delete(*s, i, i+1)
	} else {
		n = &numbers{id: id}
		if len(*s) >= maxSenders {
			*s = slices.Delete(*s, 0, 1)
		}
	}
	*s = append(*s, n)
	return n
}
