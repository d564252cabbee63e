package main

import (
	"crypto/sha256"
	"fmt"

	"lanchat/protocol"
)

// answerID gives one UUIDv7 for one question: an answer that is sent again is there once.
func answerID(question protocol.ID) protocol.ID {
	h := sha256.Sum256(append(question[:], nick...))
	copy(h[:6], question[:])
	h[6], h[8] = 0x70|h[6]&15, 0x80|h[8]&63
	return protocol.ID(h[:16])
}

// talk answers until the connection ends. All up to the cursor has its answer in the
// log, whatever is cut off when.
func talk(c *protocol.Conn, room string, known *server) error {
	waiting := map[protocol.ID]uint64{} // answers without an ack, and the seq of their questions
	seen, behind := known.Cursor, false // seen may be ahead of the cursor
	if err := c.Write(&protocol.Join{Room: room, After: seen, Live: !known.Joined}); err != nil {
		return err
	}
	for {
		m, err := c.Read()
		if err != nil {
			return fmt.Errorf("the connection ended: %w", err)
		}
		var entries []protocol.Entry
		more, all := false, false
		switch m := m.(type) {
		case *protocol.Joined:
			if behind = false; !known.Joined || m.Reset {
				seen, known.Joined = m.Head, true
			}
		case *protocol.Skipped: // more was missed than is replayed: turn pages, then join again
			behind, more = true, true
		case *protocol.Page:
			entries, more, all = m.Entries, m.More, !m.More
		case *protocol.Entry:
			if delete(waiting, m.ID); !behind {
				entries = []protocol.Entry{*m}
			}
		case *protocol.Ack:
			delete(waiting, m.ID)
		case *protocol.Error:
			if m.ID.IsZero() || m.Code == protocol.CodeLimit {
				return m
			}
			delete(waiting, m.ID) // refused for good, or a conflict: it is there, with other dice
		case *protocol.Bye:
			return &protocol.Error{Code: m.Code, Text: m.Text}
		}
		for _, e := range entries {
			text := answer(e.Text)
			if e.Seq > seen && text != "" && !e.Bot && e.Kind == protocol.KindText && err == nil {
				waiting[answerID(e.ID)] = e.Seq
				err = c.Write(&protocol.Post{ID: answerID(e.ID), Room: room, Text: text, Target: e.ID})
			}
			seen = max(seen, e.Seq)
		}
		if more {
			err = c.Write(&protocol.History{Room: room, After: seen, Oldest: true})
		} else if all {
			err = c.Write(&protocol.Join{Room: room, After: seen})
		}
		if err != nil {
			return err
		}
		known.answered(seen, waiting)
	}
}
