package client

import (
	"fmt"
	"slices"
	"testing"

	"lanchat/protocol"
)

// lines receives entries of bob's in the lobby.
func (b *bench) lines(from, to uint64) {
	for seq := from; seq <= to; seq++ {
		b.receive(entry(seq, bob, "", 0, fmt.Sprint("line ", seq)))
	}
}

func (r *Room) wantLine(t testing.TB, when string, line uint64, missed, unread int) {
	t.Helper()
	if r.Line != line || r.Missed != missed || r.Unread != unread {
		t.Errorf("%s: the line is behind %d, %d missed, %d unread; want %d, %d, %d", when, r.Line, r.Missed, r.Unread, line, missed, unread)
	}
}

func TestUnreadLine(t *testing.T) {
	b := newBench(t, "lobby", "kitchen")
	r := b.Room("lobby")
	b.Apply(Selected{Room: "lobby"})
	b.lines(1, 5)
	r.wantLine(t, "while reading", 0, 0, 0)
	b.Apply(Selected{Room: "kitchen"})
	b.receive(entry(6, bob, protocol.KindEdit, 5, "x")) // nobody waits for that
	b.lines(7, 9)
	r.wantLine(t, "in another room", 6, 0, 3)
	b.Apply(Selected{Room: "lobby"})
	b.lines(10, 11)
	r.wantLine(t, "back, and reading on", 6, 0, 0)
	b.Apply(Selected{Room: "kitchen"})
	r.wantLine(t, "left after reading", 0, 0, 0)
	b.lines(12, 12)
	b.Apply(Selected{Room: "lobby"})
	b.Apply(Queued{Post: protocol.Post{ID: idOf(13), Room: "lobby", Text: "hi"}})
	r.wantLine(t, "having said something", 0, 0, 0)
	b.receive(entry(13, ann, "", 0, "hi"))

	b.Apply(Focused{Has: false})
	b.lines(14, 15)
	r.wantLine(t, "away", 13, 0, 2)
	b.Apply(Selected{Room: "lobby"})
	r.wantLine(t, "selected by nobody's eyes", 13, 0, 2)
	b.Apply(Focused{Has: true})
	r.wantLine(t, "back at the terminal", 13, 0, 0)
	b.Apply(Focused{Has: false})
	b.lines(16, 17)
	r.wantLine(t, "away again", 15, 0, 2)
	b.Apply(Selected{Room: "kitchen"})
	b.lines(18, 18)
	r.wantLine(t, "left unread", 15, 0, 3)
	// Read and answered on another device of hers.
	b.receive(&protocol.Read{Room: "lobby", Seq: 18})
	b.receive(entry(19, ann, "", 0, "from the telephone"))
	r.wantLine(t, "answered elsewhere", 0, 0, 0)
}

func TestMissed(t *testing.T) {
	b := newBench(t, "lobby")
	r := b.Room("lobby")
	b.lines(1, 3)
	b.Apply(WentDown{})
	b.Apply(WentUp{Me: ann})
	b.Apply(Queued{Post: protocol.Post{ID: idOf(7), Room: "lobby", Text: "said meanwhile"}})
	b.join("lobby", 8)
	b.receive(entry(4, ann, "", 0, "mine, of another device"))
	b.lines(5, 5)
	b.receive(reaction(6, bob, 5, protocol.Reaction{Text: "x", Count: 1}))
	b.receive(entry(7, ann, "", 0, "said meanwhile"))
	b.lines(8, 8)
	r.wantLine(t, "before the eyes", 4, 2, 0)
	b.lines(9, 9)
	r.wantLine(t, "and then", 4, 2, 0)
	b.join("lobby", 9)
	r.wantLine(t, "nothing missed this time", 4, 2, 0)
	b.join("lobby", 11)
	b.lines(10, 11)
	r.wantLine(t, "again", 9, 2, 0)

	b.Apply(Focused{Has: false})
	b.lines(12, 13)
	b.join("lobby", 15)
	b.lines(14, 15)
	r.wantLine(t, "some of the unread ones missed", 11, 2, 4)
	b.Apply(Focused{Has: true})
	b.Apply(Queued{Post: protocol.Post{ID: idOf(16), Room: "lobby", Text: "aha"}})
	r.wantLine(t, "seen", 0, 0, 0)
}

func TestLineAtTheReadMarker(t *testing.T) {
	for _, tt := range []struct{ read, head, from, line uint64 }{
		{5, 9, 1, 5}, {9, 9, 1, 0}, {0, 9, 1, 0}, {5, 2000, 1000, 5},
	} {
		for _, active := range []string{"lobby", "kitchen"} {
			b := newBench(t, "kitchen")
			b.Default = TellAll
			b.Apply(Selected{Room: active})
			b.receive(&protocol.Joined{Ref: 1, Room: "lobby", Head: tt.head, Read: tt.read})
			b.lines(tt.from, tt.head)
			r := b.Room("lobby")
			want, unread := tt.line, int(tt.head-max(tt.read, tt.from-1))
			if active == "lobby" {
				unread = 0
			}
			r.wantLine(t, fmt.Sprintf("%+v in %s", tt, active), want, 0, unread)
			if alerts := b.TakeAlerts(); len(alerts) > 0 {
				t.Errorf("%+v: history alerts: %+v", tt, alerts)
			}
		}
	}
}

// A room that nobody speaks in while one is there counts from its first entry.
func TestFirstEntryOfAllIsUnread(t *testing.T) {
	b := newBench(t, "kitchen", "lobby")
	b.lines(1, 3)
	b.Room("lobby").wantLine(t, "all is new", 0, 0, 3)
	b.join("lobby", 5)
	b.lines(4, 5)
	b.Room("lobby").wantLine(t, "and some missed", 0, 2, 5)
}

func TestAlerts(t *testing.T) {
	direct := protocol.DirectRoom(ann.User, bob.User)
	b := newBench(t, "lobby", direct)
	b.Apply(Selected{Room: "lobby"})
	told := func() (out []string) {
		for _, a := range b.TakeAlerts() {
			out = append(out, a.Title+" "+a.Nick+": "+a.Text)
		}
		return out
	}
	want := func(when string, want ...string) {
		t.Helper()
		if got := told(); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	say := func(seq uint64, text string) { b.receive(entry(seq, bob, "", 0, text)) }
	say(1, "ann, look")
	want("reading")
	b.Apply(Focused{Has: false})
	say(2, "ann?")
	say(3, "hello")
	b.receive(entry(4, ann, "", 0, "ann is me"))
	b.receive(entry(5, bob, protocol.KindEdit, 3, "ann!"))
	b.receive(entry(6, bob, protocol.KindTopic, 0, "ann's room"))
	private := entry(1, bob, "", 0, "psst")
	private.Room = direct
	b.receive(private)
	want("away", "#lobby bob: ann?", "@bob bob: psst")
	want("once")
	b.Apply(Told{Room: "lobby", Policy: TellAll})
	say(7, "all")
	want("all", "#lobby bob: all")
	b.Apply(Told{Room: "lobby", Policy: TellNothing})
	b.Apply(Told{Room: direct, Policy: TellNothing})
	say(8, "ann")
	private.Seq, private.ID = 2, idOf(2)
	b.receive(private)
	want("nothing")
	b.Apply(Told{Room: "lobby", Policy: TellMentions})
	b.receive(&protocol.Read{Room: "lobby", Seq: 9})
	say(9, "ann, read elsewhere")
	want("read elsewhere")
	b.Apply(WentDown{})
	b.join("lobby", 12)
	gone := entry(10, bob, "", 0, "")
	gone.Gone, gone.Rev = true, 12
	b.receive(gone)
	say(11, "ann: while you were cut off")
	want("missed", "#lobby bob: ann: while you were cut off")
	b.Apply(Ignored{User: bob.User, Nick: "bob", On: true})
	say(13, "ann!!")
	want("ignored")
	b.Apply(Ignored{User: bob.User})
	b.Default = TellAll
	delete(b.Notices, "lobby")
	for seq := uint64(14); seq < 14+2*maxAlerts; seq++ {
		say(seq, fmt.Sprint(seq))
	}
	if got := told(); len(got) != maxAlerts || got[maxAlerts-1] != fmt.Sprintf("#lobby bob: %d", 13+2*maxAlerts) {
		t.Errorf("%d alerts are kept, the last %q", len(got), got[len(got)-1])
	}
}

func TestIgnored(t *testing.T) {
	b := newBench(t, "lobby", "kitchen")
	b.Apply(Selected{Room: "kitchen"})
	r := b.Room("lobby")
	for seq := uint64(1); seq <= 10; seq++ {
		b.receive(entry(seq, []protocol.Member{bob, eve}[seq%2], "", 0, "ann: "+fmt.Sprint(seq)))
	}
	b.receive(&protocol.Typing{Room: "lobby", User: eve.User, Nick: "eve"})
	b.TakeAlerts()
	b.Apply(Ignored{User: eve.User, Nick: "eve", On: true})
	b.receive(&protocol.Typing{Room: "lobby", User: eve.User, Nick: "eve"})
	b.receive(entry(11, eve, "", 0, "ann!"))
	b.receive(entry(12, eve, protocol.KindEdit, 11, "ann!!"))
	b.receive(&protocol.Page{Ref: 1, Room: "lobby", Entries: []protocol.Entry{*entry(1, eve, "", 0, "x")}})
	if len(r.Items) != 5 || r.Unread != 5 || r.Mine != 5 || len(r.Typing) != 0 || len(b.TakeAlerts()) > 0 {
		t.Errorf("%d items, %d unread, %d typing", len(r.Items), r.Unread, len(r.Typing))
	}
	if r.LastSeq() != 12 || r.Head != 12 || r.FirstSeq() != 1 {
		t.Errorf("first %d, last %d, head %d", r.FirstSeq(), r.LastSeq(), r.Head)
	}
	b.receive(&protocol.Found{Ref: 1, Entries: []protocol.Entry{*entry(2, bob, "", 0, "x"), *entry(1, eve, "", 0, "x")}})
	if len(b.Found.Entries) != 1 {
		t.Errorf("found %+v", b.Found.Entries)
	}
	b.Apply(Ignored{User: eve.User})
	if len(r.Items) != 0 || !r.Older || r.LastSeq() != 12 {
		t.Errorf("heard again: %d items, older %v, last %d", len(r.Items), r.Older, r.LastSeq())
	}
	page := &protocol.Page{Ref: 1, Room: "lobby"}
	for seq := uint64(1); seq <= 12; seq++ {
		page.Entries = append(page.Entries, *entry(seq, eve, "", 0, "x"))
	}
	b.receive(entry(13, bob, "", 0, "meanwhile"))
	b.receive(page)
	if len(r.Items) != 13 || r.Older || r.Find(13) != 12 {
		t.Errorf("loaded anew: %d items", len(r.Items))
	}
	for i := range 2 * maxIgnored {
		b.Apply(Ignored{User: protocol.UserID{9, byte(i), byte(i >> 8)}, On: true})
	}
	if len(b.State.Ignored) != maxIgnored {
		t.Errorf("%d people are ignored", len(b.State.Ignored))
	}
}

// An entry that was acknowledged may be among those that are not replayed.
func TestSkippedTakesWhatWasAcknowledged(t *testing.T) {
	b := newBench(t, "lobby")
	r := b.Room("lobby")
	b.lines(1, 5)
	b.receive(entry(6, ann, "", 0, "mine"))
	b.Apply(Queued{Post: protocol.Post{ID: idOf(7), Room: "lobby", Text: "acknowledged"}})
	b.Apply(Queued{Post: protocol.Post{ID: idOf(8), Room: "lobby", Text: "not yet"}})
	b.Apply(Queued{Post: protocol.Post{ID: idOf(9), Room: "lobby", Kind: protocol.KindEdit, Target: idOf(6), Text: "x"}})
	b.receive(&protocol.Ack{ID: idOf(7), Room: "lobby", Seq: 7})
	b.receive(&protocol.Ack{ID: idOf(9), Room: "lobby", Seq: 9})
	b.join("lobby", 3000)
	b.receive(&protocol.Skipped{Room: "lobby", From: 7, To: 2000})
	if len(r.Items) != 0 || len(r.Pending) != 1 || r.Pending[0].Entry.Text != "not yet" || len(r.changes) > 0 || r.FirstSeq() != 0 {
		t.Errorf("%d items, %d pending, %d changes, first %d", len(r.Items), len(r.Pending), len(r.changes), r.FirstSeq())
	}
	b.lines(2001, 3000)
	r.wantLine(t, "what is replayed", 2000, 1000, 0)
	if r.FirstSeq() != 2001 || !r.Older {
		t.Errorf("first %d, older %v", r.FirstSeq(), r.Older)
	}
}
