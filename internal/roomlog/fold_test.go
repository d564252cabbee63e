package roomlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lanchat/protocol"
)

// about makes an entry that is about another one.
func about(target protocol.Entry, kind protocol.Kind, text string) protocol.Entry {
	e := entry(target.Room, text)
	e.Kind, e.Target = kind, target.ID
	return e
}

func findID(t *testing.T, s Store, id protocol.ID) protocol.Entry {
	t.Helper()
	e, found, err := s.Find(t.Context(), id)
	if err != nil || !found {
		t.Fatalf("Find: %v, %v", found, err)
	}
	return e
}

func TestFoldEditAndDelete(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		first := add(t, s, entry("lobby", "teh text"))[0].Entry
		edit := about(first, protocol.KindEdit, "the text")
		again := about(first, protocol.KindEdit, "the very text")
		reply := about(first, protocol.KindText, "I see")
		got := add(t, s, edit, again, reply)
		for i, want := range []string{"the text", "the very text", "I see"} {
			if e := got[i].Entry; e.Text != want || e.TargetSeq != first.Seq {
				t.Errorf("as committed: %+v", e)
			}
		}
		want := first
		want.Text, want.Edited, want.Rev = "the very text", true, got[1].Entry.Seq
		if e := findID(t, s, first.ID); !sameEntry(e, want) {
			t.Errorf("edited: %+v, want %+v", e, want)
		}
		if e := findID(t, s, edit.ID); e.Text != "the very text" || e.Edited || e.TargetSeq != first.Seq {
			t.Errorf("the first edit is read as %+v", e)
		}
		// What was posted is known, by its first content; what it was made is not.
		sent := first
		other := first
		other.Text = "the very text"
		otherEdit := edit
		otherEdit.Text = "the very text"
		for i, r := range add(t, s, sent, edit, again, other, otherEdit) {
			if known := i < 3; r.Known != known || errors.Is(r.Err, ErrIDConflict) == known {
				t.Errorf("sent again, %d: %+v", i, r)
			}
		}

		remove := about(first, protocol.KindDelete, "")
		late := about(first, protocol.KindEdit, "too late")
		twice := about(first, protocol.KindDelete, "")
		react := about(first, protocol.KindReaction, "👍")
		got = add(t, s, remove, late, twice, react)
		want.Text, want.Edited, want.Gone, want.Rev = "", false, true, got[0].Entry.Seq
		if e := findID(t, s, first.ID); !sameEntry(e, want) {
			t.Errorf("deleted: %+v, want %+v", e, want)
		}
		if e := got[1].Entry; e.Text != "" || got[3].Entry.Reactions[0].Count != 0 {
			t.Errorf("what comes too late: %+v, %+v", e, got[3].Entry)
		}
		page, _, err := s.Read(t.Context(), Range{Room: "lobby", Limit: 100, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.Kind == protocol.KindEdit && e.Text != "" || e.TargetSeq != 1 && e.Seq != 1 {
				t.Errorf("read: %+v", e)
			}
		}
		otherEdit.Text = "whatever"
		for i, r := range add(t, s, sent, other, edit, otherEdit, remove) { // nothing of what it said is left to compare
			if !r.Known || r.Err != nil {
				t.Errorf("sent again when it is gone, %d: %+v", i, r)
			}
		}
		other.Room = "kitchen"
		if r := add(t, s, other)[0]; !errors.Is(r.Err, ErrIDConflict) {
			t.Errorf("in another room: %+v", r)
		}
	})
}

// Nothing but texts and actions changes, and only within a room.
func TestFoldLeavesTheRestAlone(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		topic := entry("lobby", "a topic")
		topic.Kind = protocol.KindTopic
		text := entry("kitchen", "text")
		self := entry("lobby", "about itself")
		self.Kind, self.Target = protocol.KindEdit, self.ID
		add(t, s, topic, text)
		before := findID(t, s, topic.ID)
		elsewhere := about(text, protocol.KindEdit, "x")
		elsewhere.Room = "lobby"
		for _, e := range []protocol.Entry{about(topic, protocol.KindEdit, "x"), about(topic, protocol.KindDelete, ""),
			about(topic, protocol.KindReaction, "x"), elsewhere, self} {
			r := add(t, s, e)[0]
			if got := findID(t, s, e.ID); r.Err != nil || !sameEntry(got, r.Entry) || e.Kind == protocol.KindEdit && got.Text != "" {
				t.Errorf("%s: committed %+v, read %+v", e.Kind, r.Entry, got)
			}
		}
		if e := findID(t, s, topic.ID); !sameEntry(e, before) {
			t.Errorf("%+v", e)
		}
		if e := findID(t, s, text.ID); e.Text != "text" || e.Rev != 0 {
			t.Errorf("%+v", e)
		}
	})
}

func TestFoldReactions(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		said := add(t, s, entry("lobby", "x"))[0].Entry
		react := func(user byte, text string) Record {
			e := about(said, protocol.KindReaction, text)
			e.User = protocol.UserID{user}
			return add(t, s, e)[0]
		}
		shape := func() (out []string) {
			for _, r := range findID(t, s, said.ID).Reactions {
				var by strings.Builder
				for _, u := range r.By {
					by.WriteString(fmt.Sprint(" ", u[0]))
				}
				out = append(out, fmt.Sprint(r.Text, " ", r.Count, by.String()))
			}
			return out
		}
		check := func(want ...string) {
			t.Helper()
			if got := shape(); !slices.Equal(got, want) {
				t.Errorf("reactions %q, want %q", got, want)
			}
		}
		known := react(1, "👍")
		react(2, "❤")
		react(3, "👍")
		check("👍 2 1 3", "❤ 1 2")
		if r := add(t, s, known.Entry)[0]; !r.Known { // not taken back by this
			t.Errorf("sent again: %+v", r)
		}
		check("👍 2 1 3", "❤ 1 2")
		if r := react(1, "👍"); r.Entry.Reactions[0].Count != 1 {
			t.Errorf("taken back: %+v", r.Entry)
		}
		check("👍 1 3", "❤ 1 2")
		if r := react(3, "👍"); r.Entry.Reactions[0].Count != 0 || r.Entry.Reactions[0].Text != "👍" {
			t.Errorf("the last one takes it back: %+v", r.Entry)
		}
		react(4, "👍")
		check("❤ 1 2", "👍 1 4")
		for user := byte(10); user < 30; user++ {
			react(user, "👍")
		}
		react(12, "👍")
		last := react(4, "👍")
		check("❤ 1 2", "👍 19 10 11 13 14 15 16 17 18 19 20 21 22 23 24 25 26")
		if e := findID(t, s, said.ID); e.Rev != last.Entry.Seq || !sameEntry(findID(t, s, last.Entry.ID), last.Entry) {
			t.Errorf("rev %d, want %d", e.Rev, last.Entry.Seq)
		}
		// The most there can be.
		for i := range protocol.MaxReactions - 2 {
			if r := react(1, fmt.Sprint("r", i)); r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		head, _ := s.Room("lobby")
		if r := react(1, "one more"); !errors.Is(r.Err, ErrReactions) {
			t.Errorf("one too many: %+v", r)
		}
		if r := react(2, "r0"); r.Err != nil || r.Entry.Seq != head.Head+1 {
			t.Errorf("one that is there: %+v", r)
		}
		if r := add(t, s, known.Entry)[0]; !r.Known {
			t.Errorf("a known one: %+v", r)
		}
		gone := react(2, "❤") // the last one of these
		again := about(said, protocol.KindReaction, "one more")
		if r := add(t, s, again)[0]; r.Err != nil {
			t.Errorf("with a place free: %v", r.Err)
		}
		if r := add(t, s, gone.Entry)[0]; !r.Known || r.Err != nil { // ❤ is no more there, and known all the same
			t.Errorf("known, while there is no place: %+v", r)
		}
		add(t, s, about(said, protocol.KindDelete, ""))
		check()
		if e := findID(t, s, again.ID); len(e.Reactions) != 1 || e.Reactions[0].Count != 0 || e.Reactions[0].Text != "one more" {
			t.Errorf("a reaction to what is gone: %+v", e)
		}
	})
}

func TestReactionsColumn(t *testing.T) {
	list := []protocol.Reaction{{Text: "👍", Count: 300, By: []protocol.UserID{alice, bob}}, {Text: "x", Count: 1, By: []protocol.UserID{carol}}}
	b := packReactions(list)
	got, err := unpackReactions(b)
	if err != nil || !sameEntry(protocol.Entry{Reactions: got}, protocol.Entry{Reactions: list}) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range b { // whatever is cut off, it is an error or an end, and no panic
		if part, err := unpackReactions(b[:n]); err == nil && len(part) == len(list) {
			t.Errorf("%d of %d bytes: %+v", n, len(b), part)
		}
	}
}

func TestMemoryForgetsFoldsWithTheirEntries(t *testing.T) {
	m := NewMemory()
	m.budget = 5000
	for i := range 300 {
		said := add(t, m, entry("lobby", "x"))[0].Entry
		for _, e := range []protocol.Entry{about(said, protocol.KindEdit, fmt.Sprint(i, " is longer now")), about(said, protocol.KindReaction, "👍")} {
			if got := add(t, m, e)[0].Entry; got.TargetSeq != said.Seq {
				t.Fatalf("%+v", got)
			}
		}
		if i%3 == 0 {
			add(t, m, about(said, protocol.KindDelete, ""))
		}
	}
	size := 0
	for _, e := range m.rooms["lobby"].entries {
		size += e.MaxSize()
	}
	if size != m.bytes || size > m.budget || len(m.folds) > m.order.len() || len(m.folds) == 0 {
		t.Errorf("%d bytes by the entries, %d counted; %d folds of %d entries", size, m.bytes, len(m.folds), m.order.len())
	}
	page, _, _ := m.Read(t.Context(), Range{Room: "lobby", Limit: 1, Oldest: true, Bytes: 1 << 20})
	if e := page[0]; e.TargetSeq != 0 && e.TargetSeq < e.Seq-3 {
		t.Errorf("the oldest is about what is dropped: %+v", e)
	}
}
