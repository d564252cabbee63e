package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

// desk is an engine that notes what it is asked for.
type desk struct {
	posts []protocol.Post
	asked []protocol.Message
	kept  []Event
	err   error
}

func (d *desk) Join(string) error  { return d.err }
func (d *desk) Leave(string) error { return d.err }
func (d *desk) Keep(ev Event)      { d.kept = append(d.kept, ev) }
func (d *desk) Post(p protocol.Post) (Queued, error) {
	p.ID = protocol.NewID()
	d.posts = append(d.posts, p)
	return Queued{Post: p}, d.err
}
func (d *desk) Request(m protocol.Message) (uint32, error) {
	d.asked = append(d.asked, m)
	return 1, d.err
}

// do carries out a line in the lobby, and returns its remarks.
func (b *bench) do(d *desk, line string) (remarks string, err error) {
	events, _, err := Do(d, &b.State, "lobby", line, time.Unix(1, 0))
	for _, ev := range events {
		b.Apply(ev)
		if r, ok := ev.(Remarked); ok {
			remarks += r.Text
		}
	}
	return remarks, err
}

// talkative is a lobby with something to be about.
func talkative(t *testing.T) *bench {
	b := newBench(t, "lobby")
	guest := protocol.Member{User: protocol.UserID{7}, Nick: "Guest", Guest: true}
	b.receive(&protocol.Presence{Room: "lobby", Joined: []protocol.Member{ann, bob, guest}, Count: 3})
	b.receive(entry(1, ann, "", 0, "mine"))
	b.receive(entry(2, bob, "", 0, "his"))
	b.receive(entry(3, eve, protocol.KindAction, 0, "waves"))
	b.receive(entry(4, eve, protocol.KindTopic, 0, "a topic"))
	b.receive(entry(5, bob, "", 0, "gone"))
	b.receive(entry(6, bob, protocol.KindDelete, 5, ""))
	return b
}

func TestCommandsAboutMessages(t *testing.T) {
	for _, tt := range []struct {
		line string
		want protocol.Post // its ID left out
		err  string
	}{
		{line: "/edit mine, corrected", want: protocol.Post{Kind: protocol.KindEdit, Text: "mine, corrected", Target: idOf(1)}},
		{line: "/delete", want: protocol.Post{Kind: protocol.KindDelete, Target: idOf(1)}},
		{line: "/react 👍", want: protocol.Post{Kind: protocol.KindReaction, Text: "👍", Target: idOf(3)}},
		{line: "/reply Bob good morning", want: protocol.Post{Text: "good morning", Target: idOf(2)}},
		{line: "/reply @eve: good morning", want: protocol.Post{Text: "good morning", Target: idOf(3)}},
		{line: "/edit", err: "what should it say"},
		{line: "/edit mine"}, // as it is
		{line: "/delete all", err: "no message of all"},
		{line: "/delete bob", err: "somebody else's"},
		{line: "/react", err: "with what"},
		{line: "/react two words", err: "one emoji"},
		{line: "/react " + strings.Repeat("x", 33), err: "32 bytes"},
		{line: "/reply bob", err: "whom, and what"},
		{line: "/reply nobody hi", err: "no message of nobody"},
		{line: "/reply bob " + strings.Repeat("x", 200), err: "too long"},
	} {
		b, d := talkative(t), &desk{}
		b.Limits.Text = 100
		_, err := b.do(d, tt.line)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) || len(d.posts) > 0 {
				t.Errorf("%s: %v, %d posts", tt.line, err, len(d.posts))
			}
			continue
		}
		var got protocol.Post
		if len(d.posts) > 0 {
			got = d.posts[0]
			tt.want.Room = "lobby"
		}
		got.ID = protocol.ID{}
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.line, got, err, tt.want)
		}
	}
	b := newBench(t, "lobby")
	for line, want := range map[string]string{"/edit x": "no message of yours", "/delete": "no message of yours", "/react x": "nobody else"} {
		if _, err := b.do(&desk{}, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s in an empty room: %v", line, err)
		}
	}
	if _, _, err := Do(&desk{}, &State{}, "lobby", "/edit x", time.Time{}); !errors.Is(err, errNoRoom) {
		t.Errorf("in no room: %v", err)
	}
}

func TestAboutSaysWhyNot(t *testing.T) {
	b := talkative(t)
	r := b.Room("lobby")
	full := *r.Items[1]
	for i := range protocol.MaxReactions {
		full.Entry.Reactions = append(full.Entry.Reactions, protocol.Reaction{Text: fmt.Sprint(i), Count: 1})
	}
	for _, tt := range []struct {
		it   *Item
		kind protocol.Kind
		text string
		err  string
	}{
		{nil, "", "x", "no message"},
		{&Item{Status: Notice}, "", "x", "no message"},
		{&Item{Status: Pending}, "", "x", "on its way"},
		{&Item{Status: Failed}, protocol.KindDelete, "", "not sent"},
		{r.Items[4], "", "x", "deleted"},
		{r.Items[1], protocol.KindEdit, "x", "somebody else's"},
		{r.Items[1], protocol.KindDelete, "", "somebody else's"},
		{&Item{Mine: true, Entry: *entry(1, eve, "", 0, "x")}, protocol.KindEdit, "y", "earlier connection"},
		{r.Items[0], protocol.KindEdit, " ", "/delete"},
		{r.Items[3], protocol.KindReaction, "x", "only messages"},
		{&full, protocol.KindReaction, "x", "20 different"},
		{r.Items[1], "", "\n", "needs a text"},
		{r.Items[1], protocol.KindTopic, "x", "not about"},
	} {
		d := &desk{}
		if _, err := About(d, &b.State, tt.it, tt.kind, tt.text); err == nil || !strings.Contains(err.Error(), tt.err) || len(d.posts) > 0 {
			t.Errorf("%s %q: %v, want %s", tt.kind, tt.text, err, tt.err)
		}
	}
	if _, err := About(&desk{}, &b.State, &full, protocol.KindReaction, "3"); err != nil {
		t.Errorf("one of twenty: %v", err)
	}
	if _, err := About(&desk{err: ErrOutboxFull}, &b.State, r.Items[1], "", "x"); err != ErrOutboxFull {
		t.Errorf("a full outbox: %v", err)
	}
}

func TestRetry(t *testing.T) {
	b, d := talkative(t), &desk{}
	r := b.Room("lobby")
	b.Apply(Queued{Post: protocol.Post{ID: idOf(9), Room: "lobby", Kind: protocol.KindAction, Text: "waves", Target: idOf(2)}})
	if _, err := Retry(d, &b.State, r.Pending[0]); err == nil {
		t.Error("what is on its way is sent twice")
	}
	b.Apply(Refused{ID: idOf(9), Text: "no"})
	again := func(it *Item) protocol.Post {
		t.Helper()
		events, err := Retry(d, &b.State, it)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			b.Apply(ev)
		}
		p := d.posts[len(d.posts)-1]
		if p.ID == idOf(9) {
			t.Error("the id is the old one")
		}
		p.ID = protocol.ID{}
		return p
	}
	if got := again(r.Pending[0]); got != (protocol.Post{Room: "lobby", Kind: protocol.KindAction, Text: "waves", Target: idOf(2)}) {
		t.Errorf("sent again: %+v", got)
	}
	if len(r.Pending) != 1 || r.Pending[0].Status != Pending {
		t.Errorf("pending: %+v", r.Pending)
	}
	if _, err := b.do(d, "/edit changed"); err == nil {
		t.Error("the last message is on its way, and an older one was changed")
	}
	b.Apply(Dropped{Room: "lobby", ID: r.Pending[0].Entry.ID})
	if _, err := b.do(d, "/edit changed"); err != nil {
		t.Fatal(err)
	}
	b.Apply(Refused{ID: r.Items[0].Change.ID, Text: "no"})
	if got := again(r.Items[0]); got != (protocol.Post{Room: "lobby", Kind: protocol.KindEdit, Text: "changed", Target: idOf(1)}) {
		t.Errorf("changed again: %+v", got)
	}
	if c := r.Items[0].Change; c == nil || c.Status != Pending || c.ID != d.posts[len(d.posts)-1].ID {
		t.Errorf("change: %+v", c)
	}
}

func TestIgnoreAndNotify(t *testing.T) {
	b, d := talkative(t), &desk{}
	want := func(line, remark string) {
		t.Helper()
		got, err := b.do(d, line)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, remark) {
			t.Errorf("%s: %q, want %q", line, got, remark)
		}
	}
	want("/ignore", "You ignore nobody")
	want("/ignore carol", "nobody called carol")
	want("/ignore ann", "that is you")
	want("/ignore @BOB", "no more of bob")
	want("/ignore bob", "already")
	want("/ignore eve", "no more of eve") // who has left
	want("/ignore ~guest", "connect anew")
	want("/ignore", "Guest, bob, eve")
	if got := texts(b.Room("lobby").Items); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("there is %q", got)
	}
	want("/unignore", "whom?")
	want("/unignore dave", "do not ignore dave")
	want("/unignore bob", "bob's messages again")
	want("/ignore", "You ignore: Guest, eve")
	want("/notify", "that mention you")
	want("/notify sometimes", "/notify all")
	want("/notify ALL", "every message in #lobby")
	want("/notify", "every message in #lobby")
	want("/notify nothing", "told of nothing")
	kept := []Event{Ignored{bob.User, "bob", true}, Ignored{eve.User, "eve", true}, Ignored{bob.User, "bob", false}, Told{"lobby", TellAll}, Told{"lobby", TellNothing}}
	if !slices.Equal(d.kept, kept) { // and no guest
		t.Errorf("kept: %+v", d.kept)
	}
	if b.Policy("lobby") != TellNothing {
		t.Errorf("policy %q", b.Policy("lobby"))
	}
}

func TestHelpHasEveryCommandInItsColumn(t *testing.T) {
	help, _ := newBench(t, "lobby").do(&desk{}, "/help")
	for line := range strings.Lines(help) {
		if line[helpColumn] != ' ' || line[helpColumn-1] != ' ' && line[helpColumn+1] == ' ' || len(line) > 110 {
			t.Errorf("%q", line)
		}
	}
	for _, c := range Commands {
		if !strings.Contains(help, "/"+c.Name+" ") {
			t.Errorf("/help does not know /%s", c.Name)
		}
	}
}

func BenchmarkPersonOf5000(b *testing.B) {
	bench := newBench(b, "lobby")
	r := bench.Room("lobby")
	for i := range 5000 {
		u := protocol.UserID{byte(i), byte(i >> 8), 1}
		r.Members[u] = protocol.Member{User: u, Nick: fmt.Sprint("somebody", i)}
	}
	for b.Loop() {
		if _, ok := bench.Person("nobody"); ok {
			b.Fatal("found")
		}
	}
}
