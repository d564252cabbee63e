package client

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"lanchat/protocol"

	"pgregory.net/rapid"
)

// bench is a state without a connection, and the log that it hears of.
type bench struct {
	testing.TB
	State
	raw []protocol.Entry // as they were said; entry i has seq i+1
	log []protocol.Entry // as they stand now
}

var (
	ann = protocol.Member{User: protocol.UserID{1}, Nick: "ann"}
	bob = protocol.Member{User: protocol.UserID{2}, Nick: "bob"}
	eve = protocol.Member{User: protocol.UserID{3}, Nick: "eve"}
)

// idOf is the id of the entry with a seq, or of nothing.
func idOf(seq uint64) (id protocol.ID) {
	binary.BigEndian.PutUint64(id[8:], seq)
	return id
}

// newBench makes ann's state, in rooms that are empty.
func newBench(t testing.TB, rooms ...string) *bench {
	b := &bench{TB: t}
	b.Apply(WentUp{Me: ann})
	for _, room := range rooms {
		b.join(room, 0)
	}
	return b
}

func (b *bench) receive(m protocol.Message) { b.Apply(Received{Message: m}) }

func (b *bench) join(room string, head uint64) *Room {
	b.receive(&protocol.Joined{Ref: 1, Room: room, Head: head})
	return b.Room(room)
}

// entry is somebody's entry in the lobby.
func entry(seq uint64, by protocol.Member, kind protocol.Kind, target uint64, text string) *protocol.Entry {
	e := &protocol.Entry{Room: "lobby", Seq: seq, ID: idOf(seq), User: by.User, Nick: by.Nick, Guest: by.Guest, At: int64(seq) * 1e9, Kind: kind, Text: text, TargetSeq: target}
	if target > 0 {
		e.Target = idOf(target)
	}
	return e
}

func reaction(seq uint64, by protocol.Member, target uint64, now protocol.Reaction) *protocol.Entry {
	e := entry(seq, by, protocol.KindReaction, target, now.Text)
	e.Reactions = []protocol.Reaction{now}
	return e
}

func TestChangesAreFolded(t *testing.T) {
	b := newBench(t, "lobby")
	r := b.Room("lobby")
	b.receive(entry(1, bob, "", 0, "helo"))
	before := r.Items[0]
	b.receive(entry(2, bob, protocol.KindEdit, 1, "hello ann"))
	if it := r.Items[0]; len(r.Items) != 1 || it.Entry.Text != "hello ann" || !it.Entry.Edited || it.Entry.Rev != 2 || !it.ForMe {
		t.Errorf("after the edit: %+v of %d", it, len(r.Items))
	}
	if before.Entry.Text != "helo" || before.Entry.Edited {
		t.Error("the old item was changed instead of replaced")
	}
	thumb := protocol.Reaction{Text: "👍", Count: 1, By: []protocol.UserID{eve.User}}
	b.receive(reaction(3, eve, 1, thumb))
	held := r.Items[0]
	b.receive(reaction(4, ann, 1, protocol.Reaction{Text: "👍", Count: 2, By: []protocol.UserID{eve.User, ann.User}}))
	b.receive(reaction(5, ann, 1, protocol.Reaction{Text: "❤", Count: 1, By: []protocol.UserID{ann.User}}))
	if got := r.Items[0].Entry.Reactions; len(got) != 2 || got[0].Count != 2 || len(got[0].By) != 2 || got[1].Text != "❤" {
		t.Errorf("reactions %+v", got)
	}
	if !reflect.DeepEqual(held.Entry.Reactions, []protocol.Reaction{thumb}) {
		t.Errorf("the old item's reactions were changed: %+v", held.Entry.Reactions)
	}
	b.receive(reaction(6, ann, 1, protocol.Reaction{Text: "❤"}))
	if got := r.Items[0].Entry.Reactions; len(got) != 1 {
		t.Errorf("one was taken back, and there are %+v", got)
	}
	b.receive(entry(7, bob, protocol.KindDelete, 1, ""))
	b.receive(entry(8, bob, protocol.KindEdit, 1, "too late"))
	if e := r.Items[0].Entry; !e.Gone || e.Text != "" || e.Edited || e.Reactions != nil || r.Items[0].ForMe {
		t.Errorf("after the deletion: %+v", r.Items[0])
	}
	if r.FirstSeq() != 1 || r.LastSeq() != 8 || r.Head != 8 || r.Read != 8 {
		t.Errorf("first %d, last %d, head %d, read %d", r.FirstSeq(), r.LastSeq(), r.Head, r.Read)
	}
}

func TestWhatIsFoldedInChangesNothing(t *testing.T) {
	b := newBench(t, "lobby")
	r := b.Room("lobby")
	e := entry(1, bob, "", 0, "third")
	e.Edited, e.Rev = true, 4
	b.receive(e)
	it := r.Items[0]
	b.receive(entry(2, bob, protocol.KindEdit, 1, "first"))
	b.receive(entry(4, bob, protocol.KindDelete, 1, ""))
	if r.Items[0] != it {
		t.Errorf("changed to %+v", r.Items[0])
	}
	topic := entry(5, bob, protocol.KindTopic, 0, "a topic")
	b.receive(topic)
	b.receive(entry(6, bob, protocol.KindEdit, 5, "another"))
	other := entry(7, bob, protocol.KindEdit, 1, "of another log")
	other.Target = idOf(99)
	b.receive(other)
	if r.Items[0] != it || r.Items[1].Entry.Text != "a topic" {
		t.Errorf("what cannot be changed was: %+v, %+v", r.Items[0], r.Items[1])
	}
}

// A change may be heard before the page that has its entry as it was.
func TestChangeOfWhatIsNotHeld(t *testing.T) {
	b := newBench(t)
	r := b.join("lobby", 10)
	b.receive(entry(11, bob, "", 0, "here"))
	for seq := uint64(12); seq < 12+maxLate; seq++ {
		b.receive(entry(seq, bob, protocol.KindEdit, 9, fmt.Sprint("version ", seq)))
	}
	unknown := entry(12+maxLate, bob, protocol.KindEdit, 8, "by id")
	unknown.TargetSeq = 0
	b.receive(unknown)
	if len(r.late) != maxLate || len(r.Items) != 1 {
		t.Errorf("%d changes are kept, %d items", len(r.late), len(r.Items))
	}
	newest := entry(9, bob, "", 0, "old")
	b.receive(&protocol.Page{Ref: 1, Room: "lobby", More: true, Entries: []protocol.Entry{
		*entry(7, bob, "", 0, "seven"), *entry(8, bob, "", 0, "eight"), *newest, *entry(10, bob, protocol.KindReaction, 7, "x")}})
	want := []string{"seven", "by id", fmt.Sprint("version ", 11+maxLate), "here"}
	if got := texts(r.Items); !slices.Equal(got, want) || r.FirstSeq() != 7 || !r.Older {
		t.Errorf("the page gives %q, first %d", got, r.FirstSeq())
	}
}

// A page may have nothing to show; what lies before it is asked for all the same.
func TestPageOfChangesOnly(t *testing.T) {
	b := newBench(t)
	r := b.join("lobby", 10)
	b.Apply(Remarked{Room: "lobby", Text: "a remark"})
	b.receive(entry(11, bob, "", 0, "here"))
	b.receive(&protocol.Page{Ref: 1, Room: "lobby", More: true, Entries: []protocol.Entry{
		*entry(9, bob, protocol.KindEdit, 2, "x"), *entry(10, bob, protocol.KindDelete, 2, "")}})
	if r.FirstSeq() != 9 || !r.Older || len(r.Items) != 2 {
		t.Errorf("first %d, older %v, %d items", r.FirstSeq(), r.Older, len(r.Items))
	}
	b.receive(&protocol.Page{Ref: 1, Room: "lobby", Entries: []protocol.Entry{*entry(7, bob, "", 0, "7"), *entry(8, bob, "", 0, "8")}})
	if r.FirstSeq() != 7 || r.Older || r.Find(7) != 0 || r.Find(8) != 1 || r.Find(11) != 3 || r.Find(9) != -1 || r.Find(12) != -1 {
		t.Errorf("first %d; found at %d, %d, %d", r.FirstSeq(), r.Find(7), r.Find(8), r.Find(11))
	}
	if !slices.IsSortedFunc(r.Items, func(a, b *Item) int { return int(a.Entry.Seq) - int(b.Entry.Seq) }) {
		t.Error("the items are not in order of seq")
	}
}

func TestOwnChanges(t *testing.T) {
	b := newBench(t, "lobby")
	r := b.Room("lobby")
	b.receive(entry(1, ann, "", 0, "helo"))
	change := func(n byte, kind protocol.Kind, text string) protocol.ID {
		id := protocol.ID{n}
		b.Apply(Queued{Post: protocol.Post{ID: id, Room: "lobby", Kind: kind, Text: text, Target: idOf(1)}})
		return id
	}
	id := change(1, protocol.KindEdit, "hello")
	if c := r.Items[0].Change; c == nil || c.Status != Pending || c.Text != "hello" || r.Items[0].Entry.Text != "helo" || len(r.Pending) > 0 {
		t.Fatalf("queued: %+v", r.Items[0])
	}
	b.receive(&protocol.Ack{ID: id, Room: "lobby", Seq: 2})
	if c := r.Items[0].Change; c.Status != Acked {
		t.Errorf("acknowledged: %+v", c)
	}
	e := entry(2, ann, protocol.KindEdit, 1, "hello")
	e.ID = id
	b.receive(e)
	if it := r.Items[0]; it.Change != nil || it.Entry.Text != "hello" || len(r.changes) > 0 {
		t.Errorf("it came: %+v", it)
	}

	first, second := change(2, protocol.KindEdit, "a"), change(3, protocol.KindDelete, "")
	b.Apply(Refused{ID: first, Text: "no"})
	if c := r.Items[0].Change; c.ID != second || c.Status != Pending || r.Items[1].Status != Notice {
		t.Errorf("the one before it was refused: %+v, %d items", c, len(r.Items))
	}
	b.Apply(Refused{ID: second, Text: "nor that"})
	if c := r.Items[0].Change; c.Status != Failed || c.Err != "nor that" || r.Items[0].Entry.Gone {
		t.Errorf("refused: %+v", c)
	}
	b.Apply(Dropped{Room: "lobby", ID: second})
	if r.Items[0].Change != nil || len(r.changes) > 0 {
		t.Error("a dropped change is still there")
	}

	up := len(r.Items)
	reaction := change(4, protocol.KindReaction, "👍")
	if r.Items[0].Change != nil || len(r.Pending) > 0 {
		t.Error("a reaction is shown before it came")
	}
	b.Apply(Refused{ID: reaction, Text: "no such thing"})
	if len(r.Items) != up+1 || r.Items[up].Entry.Text != "Not done: no such thing" {
		t.Errorf("a refused reaction: %+v", r.Items[up])
	}
}

// The journal of an earlier client may hold changes: they are queued before the
// room is joined, and what they are about comes later or never.
func TestOwnChangesOfAnEarlierClient(t *testing.T) {
	b := newBench(t)
	b.Apply(Queued{Post: protocol.Post{ID: protocol.ID{1}, Room: "lobby", Kind: protocol.KindEdit, Text: "new", Target: idOf(5)}})
	b.Apply(Queued{Post: protocol.Post{ID: protocol.ID{2}, Room: "lobby", Kind: protocol.KindDelete, Target: idOf(2)}})
	b.Apply(Queued{Post: protocol.Post{ID: protocol.ID{3}, Room: "lobby", Kind: protocol.KindReaction, Text: "x", Target: idOf(3)}})
	r := b.join("lobby", 5)
	b.receive(entry(5, ann, "", 0, "old"))
	if c := r.Items[0].Change; len(r.Pending) > 0 || c == nil || c.Text != "new" {
		t.Fatalf("%d pending, change %+v", len(r.Pending), c)
	}
	for n, target := range []uint64{5, 2} {
		e := entry(6+uint64(n), ann, protocol.KindEdit, target, "new")
		e.ID = protocol.ID{byte(n + 1)}
		b.receive(e)
	}
	if it := r.Items[0]; it.Change != nil || it.Entry.Text != "new" || len(r.changes) > 0 {
		t.Errorf("%+v, %d changes under way", it, len(r.changes))
	}
}

// An edit may be said while its message is on its way.
func TestChangeOfAPendingItem(t *testing.T) {
	b := newBench(t, "lobby")
	r := b.Room("lobby")
	b.Apply(Queued{Post: protocol.Post{ID: idOf(1), Room: "lobby", Text: "helo"}})
	b.Apply(Queued{Post: protocol.Post{ID: protocol.ID{9}, Room: "lobby", Kind: protocol.KindEdit, Text: "hello", Target: idOf(1)}})
	if c := r.Pending[0].Change; c == nil || c.Text != "hello" {
		t.Fatalf("pending: %+v", r.Pending[0])
	}
	b.receive(entry(1, ann, "", 0, "helo"))
	if c := r.Items[0].Change; c == nil || c.Status != Pending {
		t.Errorf("it came: %+v", r.Items[0])
	}
}

// say appends something to the log, as a server would have it: n picks what.
func (b *bench) say(n, about int, text string) *protocol.Entry {
	seq := uint64(len(b.log) + 1)
	by := []protocol.Member{ann, bob, eve}[n%3]
	e := entry(seq, by, "", 0, text)
	if len(b.log) > 0 && n/3 > 1 {
		target := &b.log[about%len(b.log)]
		open := takesFolds(target.Kind) && !target.Gone
		switch n / 3 {
		case 2:
			e = entry(seq, by, "", target.Seq, text)
		case 3, 4:
			e = entry(seq, protocol.Member{User: target.User, Nick: target.Nick}, protocol.KindEdit, target.Seq, text)
		case 5:
			if text == "x" { // by an admin, of several
				e = entry(seq, eve, protocol.KindDelete, target.Seq, "")
				for s := uint64(1); s <= target.Seq; s += 1 + uint64(about%3) {
					if b.log[s-1].User == target.User && (takesFolds(b.log[s-1].Kind) || b.log[s-1].Kind == protocol.KindTopic) {
						e.Purged = append(e.Purged, s)
						apply(&b.log[s-1], e)
					}
				}
				open = open && len(e.Purged) == 0
				break
			}
			e = entry(seq, protocol.Member{User: target.User, Nick: target.Nick}, protocol.KindDelete, target.Seq, "")
		default:
			e = reaction(seq, by, target.Seq, protocol.Reaction{Text: []string{"👍", "❤"}[about%2], Count: uint32(n % 3)})
		}
		if open {
			apply(target, e)
		}
	}
	b.raw = append(b.raw, *e)
	b.log = append(b.log, *e)
	return &b.log[len(b.log)-1]
}

// What is heard as it is said, and what is loaded later, is the same.
func TestLiveAndLoadedAreTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live, loaded := newBench(nil, "lobby"), newBench(nil)
		n := rapid.IntRange(1, 60).Draw(t, "entries")
		from := rapid.IntRange(0, n).Draw(t, "the second is there from")
		for i := range n {
			e := *live.say(rapid.IntRange(0, 20).Draw(t, "what"), rapid.IntRange(0, n).Draw(t, "about"), rapid.SampledFrom([]string{"hi", "ann!", "x"}).Draw(t, "text"))
			if i == from {
				loaded.receive(&protocol.Joined{Ref: 1, Room: "lobby", Head: uint64(i)})
			}
			live.receive(&e)
			if i >= from {
				loaded.receive(&e)
			}
		}
		if from == n {
			loaded.receive(&protocol.Joined{Ref: 1, Room: "lobby", Head: uint64(n)})
		}
		r := loaded.Room("lobby")
		before := uint64(from)
		for before > 0 {
			size := uint64(rapid.IntRange(1, 20).Draw(t, "page"))
			first := before - min(before, size)
			page := &protocol.Page{Ref: 1, Room: "lobby", More: first > 0, Entries: slices.Clone(live.log[first:before])}
			// The page may have been made before the last changes were said.
			stale := rapid.Bool().Draw(t, "stale")
			for i := range page.Entries {
				if e := &page.Entries[i]; stale && e.Rev > uint64(from) {
					*e = live.asOf(e.Seq, uint64(from))
				}
			}
			loaded.receive(page)
			before = first
		}
		want := live.Room("lobby")
		if len(r.Items) != len(want.Items) || r.FirstSeq() != 1 && n > 0 || r.Older || r.LastSeq() != want.LastSeq() {
			t.Fatalf("%d items instead of %d, first %d, older %v", len(r.Items), len(want.Items), r.FirstSeq(), r.Older)
		}
		for i, it := range r.Items {
			if !reflect.DeepEqual(it, want.Items[i]) {
				t.Fatalf("item %d is\n%+v\nand heard as it was said\n%+v", i, it, want.Items[i])
			}
		}
		if want.Unread != 0 || want.Mine != 0 {
			t.Fatalf("unread %d, %d", want.Unread, want.Mine)
		}
	})
}

// asOf is an entry as it stood when the log had so many.
func (b *bench) asOf(seq, upTo uint64) protocol.Entry {
	e := b.raw[seq-1]
	for i := range b.raw[seq:upTo] {
		if change := &b.raw[seq:upTo][i]; folds(change.Kind) && isAbout(change, &e) {
			apply(&e, change)
		}
	}
	return e
}
