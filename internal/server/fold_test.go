package server

import (
	"fmt"
	"strings"
	"testing"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// change posts an edit, a delete or a reaction and returns it as this peer, who
// is in the room, hears of it.
func (p *peer) change(kind protocol.Kind, target protocol.ID, text string) *protocol.Entry {
	p.Helper()
	id := protocol.NewID()
	p.send(&protocol.Post{ID: id, Room: "lobby", Kind: kind, Text: text, Target: target})
	return await(p, func(e *protocol.Entry) bool { return e.ID == id })
}

// everyLog runs a test over a log in memory and one in a file.
func everyLog(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("memory", func(t *testing.T) {
		_, addr := start(t)
		test(t, addr)
	})
	t.Run("sqlite", func(t *testing.T) {
		store, err := roomlog.OpenSQLite(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		_, addr := start(t, func(c *Config) {
			c.Log.Close()
			c.Log = roomlog.Local(store)
		})
		test(t, addr)
	})
}

// What was deleted or replaced is sent to nobody who comes later, wherever the
// cursor stands: not from the tail, in which it was, nor from the log.
func TestNobodyIsSentWhatWasDeleted(t *testing.T) {
	everyLog(t, func(t *testing.T, addr string) {
		ann, bob := connect(t, addr, "ann"), connect(t, addr, "bob")
		ann.join("lobby", 0)
		bob.join("lobby", 0)
		watching := visitor(t, addr, "guest-1") // so that there is a tail of plain lines
		secret, wrong := ann.say("lobby", "the secret"), ann.say("lobby", "the wrogn one")
		bob.hears("the secret")
		ann.change(protocol.KindEdit, secret.ID, "the secret, again")
		watching.sees("(corrected)> the secret, again")
		ann.change(protocol.KindEdit, wrong.ID, "the right one")
		ann.change(protocol.KindReaction, wrong.ID, "👍")
		if e := ann.change(protocol.KindDelete, secret.ID, ""); e.TargetSeq != secret.Seq || e.Text != "" {
			t.Errorf("the delete as heard: %+v", e)
		}
		watching.sees("has deleted a message")
		head := ann.say("lobby", "the end").Seq
		for after := range head {
			late := connect(t, addr, fmt.Sprint("late", after))
			late.join("lobby", after)
			await(late, func(e *protocol.Entry) bool {
				if strings.Contains(e.Text, "secret") || strings.Contains(e.Text, "wrogn") {
					t.Errorf("behind %d, entry %d says %q", after, e.Seq, e.Text)
				}
				if e.Seq == secret.Seq && (!e.Gone || e.Edited) || e.Seq == wrong.Seq && (!e.Edited || len(e.Reactions) != 1) {
					t.Errorf("behind %d: %+v", after, e)
				}
				return e.Seq == head
			})
		}
		person := visitor(t, addr, "guest-2")
		person.sees("the end")
		all := person.log.String()
		if strings.Contains(all, "secret") || strings.Contains(all, "wrogn") || !strings.Contains(all, "-- ~ann has deleted this message\n") ||
			!strings.Contains(all, "<~ann (edited)> the right one\n") {
			t.Errorf("plain lines show:\n%s", all)
		}
		bob.send(&protocol.History{Ref: 9, Room: "lobby"})
		for _, e := range any1[*protocol.Page](bob).Entries {
			if strings.Contains(e.Text, "secret") {
				t.Errorf("history: %+v", e)
			}
		}
	})
}

func TestChangesAreHeardLive(t *testing.T) {
	everyLog(t, func(t *testing.T, addr string) {
		ann, bob := connect(t, addr, "ann"), connect(t, addr, "bob")
		ann.join("lobby", 0)
		bob.join("lobby", 0)
		said := ann.say("lobby", "helo")
		bob.hears("helo") // or it might come later, as it stands then
		ann.change(protocol.KindEdit, said.ID, "hello")
		if e := bob.hears("hello"); e.Kind != protocol.KindEdit || e.TargetSeq != said.Seq || e.Target != said.ID {
			t.Errorf("an edit is heard as %+v", e)
		}
		for i, want := range []uint32{1, 0, 1} {
			e := bob.change(protocol.KindReaction, said.ID, "👍")
			if len(e.Reactions) != 1 || e.Reactions[0].Text != "👍" || e.Reactions[0].Count != want || e.TargetSeq != said.Seq {
				t.Errorf("reaction %d is heard as %+v", i, e)
			}
		}
		ann.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "a reply", Target: said.ID})
		if e := bob.hears("a reply"); e.TargetSeq != said.Seq {
			t.Errorf("a reply is heard as %+v", e)
		}
		ann.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "to nothing", Target: protocol.NewID()})
		if e := bob.hears("to nothing"); e.TargetSeq != 0 {
			t.Errorf("a reply to what is not there is heard as %+v", e)
		}
	})
}

func TestChangesThatAreRefused(t *testing.T) {
	everyLog(t, func(t *testing.T, addr string) {
		ann := connect(t, addr, "ann")
		ann.join("lobby", 0)
		said := ann.say("lobby", "x")
		post := func(kind protocol.Kind, target protocol.ID, text string) *protocol.Post {
			return &protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: kind, Target: target, Text: text}
		}
		for _, bad := range []string{"", " ", "two words", "new\nline", strings.Repeat("x", protocol.MaxReaction+1), "\t"} {
			ann.fails(protocol.CodeBadText, post(protocol.KindReaction, said.ID, bad))
		}
		ann.send(&protocol.Topic{Ref: 1, Room: "lobby", Topic: "a topic"})
		topic := await(ann, func(e *protocol.Entry) bool { return e.Kind == protocol.KindTopic })
		for _, kind := range []protocol.Kind{protocol.KindEdit, protocol.KindDelete, protocol.KindReaction} {
			ann.fails(protocol.CodeBadText, post(kind, topic.ID, "y"))
			ann.fails(protocol.CodeNotFound, post(kind, protocol.NewID(), "y"))
		}
		for i := range protocol.MaxReactions {
			ann.change(protocol.KindReaction, said.ID, fmt.Sprint("r", i))
		}
		ann.fails(protocol.CodeLimit, post(protocol.KindReaction, said.ID, "more"))

		remove := post(protocol.KindDelete, said.ID, "")
		var acks []*protocol.Ack
		for range 2 { // the second time as one does who has not seen the ack
			ann.send(remove)
			acks = append(acks, await(ann, func(a *protocol.Ack) bool { return a.ID == remove.ID }))
		}
		if *acks[0] != *acks[1] {
			t.Errorf("acknowledged as %+v, then %+v", acks[0], acks[1])
		}
		for _, kind := range []protocol.Kind{protocol.KindEdit, protocol.KindDelete, protocol.KindReaction} {
			ann.send(post(kind, said.ID, "y"))
			if e := any1[*protocol.Error](ann); e.Code != protocol.CodeNotFound || !strings.Contains(e.Text, "deleted") {
				t.Errorf("%s of what is gone: %+v", kind, e)
			}
		}
		if head := ann.say("lobby", "end").Seq; head != 2+protocol.MaxReactions+2 {
			t.Errorf("of what was refused something stayed: the head is %d", head)
		}
	})
}
