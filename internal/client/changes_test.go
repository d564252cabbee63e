package client

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"lanchat/protocol"
)

// about does something about an item as a user interface does.
func (u *user) about(it *Item, kind protocol.Kind, text string) {
	u.Helper()
	events, err := About(u.Client, &u.state, it, kind, text)
	if err != nil {
		u.Fatal(err)
	}
	for _, ev := range events {
		u.state.Apply(ev)
	}
}

// Edits, deletions and reactions over a connection that is cut again and again:
// whoever heard them one by one, whoever missed some, and whoever loads the room
// from its end has the same talk.
func TestEverybodyHasTheSameTalk(t *testing.T) {
	const entries, changes = 40, 300
	r := startRoom(t)
	ann := r.join("ann")
	a := ann.joined("lobby")
	bob := r.join("bob") // whose connection is always the newest
	b := bob.joined("lobby")
	// A guest who comes back is somebody else to the server, so only bob, who
	// says nothing, is cut off.
	for i := range entries {
		ann.say("lobby", fmt.Sprint("line ", i))
	}
	ann.until("her lines", func() bool { return len(a.Items) == entries })
	random := rand.New(rand.NewPCG(1, 2))
	at, texts := 0, []string{"👍", "❤", "x"}
	for i := range changes {
		it := a.At(random.IntN(entries))
		switch n := random.IntN(10); {
		case it.Entry.Gone || it.Change != nil:
		case n < 4:
			ann.about(it, protocol.KindEdit, fmt.Sprint("version ", i))
			if it := a.Items[a.Find(it.Entry.Seq)]; it.Change == nil || it.Change.Status != Pending {
				t.Fatalf("an edit is not shown at once: %+v", it)
			}
		case n == 4:
			ann.about(it, protocol.KindDelete, "")
		case n == 5:
			ann.about(it, protocol.KindText, "a reply")
		default:
			ann.about(it, protocol.KindReaction, texts[random.IntN(len(texts))])
		}
		if i%50 == 49 {
			ann.until("the answers", func() bool { return ann.Waiting() == 0 && len(a.Pending) == 0 && len(a.changes) == 0 })
			at = int(a.LastSeq())
			if i%100 == 49 {
				r.mu.Lock()
				r.conns[len(r.conns)-1].Close() // bob's
				r.mu.Unlock()
			}
			bob.until("all of it", func() bool { return int(b.LastSeq()) == at })
		}
	}
	if bob.downs == 0 {
		t.Error("bob was never cut off")
	}
	carol := r.join("carol", func(cfg *Config) { cfg.Live = true })
	c := carol.joined("lobby")
	for before := uint64(at + 1); c.Older || before > uint64(at); before = c.FirstSeq() {
		if _, err := carol.Request(&protocol.History{Room: "lobby", Before: before, Limit: 7}); err != nil {
			t.Fatal(err)
		}
		carol.until("a page", func() bool { return c.FirstSeq() > 0 && c.FirstSeq() < before })
	}
	same(t, "heard and missed", a, b)
	same(t, "heard and loaded", a, c)
}

// same holds two rooms to the same entries. What a user's own are differs.
func same(t *testing.T, what string, a, b *Room) {
	t.Helper()
	if a.Len() != b.Len() {
		t.Fatalf("%s: %d items and %d", what, a.Len(), b.Len())
	}
	changed, reactions := 0, 0
	for i := range a.Len() {
		x, y := a.At(i), b.At(i)
		if !reflect.DeepEqual(x.Entry, y.Entry) {
			t.Errorf("%s: item %d is\n%+v and\n%+v", what, i, x.Entry, y.Entry)
		}
		if x.Change != nil || y.Change != nil || x.Status != Said || y.Status != Said {
			t.Errorf("%s: item %d: something is under way", what, i)
		}
		if x.Entry.Edited || x.Entry.Gone {
			changed++
		}
		reactions += len(x.Entry.Reactions)
	}
	if changed < 10 || reactions < 10 {
		t.Errorf("%s: %d changed, %d reactions: nothing is tested", what, changed, reactions)
	}
}
