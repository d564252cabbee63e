package lines

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// script is an engine that plays events.
type script struct {
	events chan client.Event
	posts  []protocol.Post
}

func (s *script) Events() <-chan client.Event              { return s.events }
func (s *script) Join(string) error                        { return nil }
func (s *script) Leave(string) error                       { return nil }
func (s *script) Keep(client.Event)                        {}
func (s *script) Request(protocol.Message) (uint32, error) { return 1, nil }
func (s *script) Post(p protocol.Post) (client.Queued, error) {
	p.ID = protocol.NewID()
	s.posts = append(s.posts, p)
	return client.Queued{Post: p}, nil
}

var (
	ann = protocol.Member{User: protocol.UserID{1}, Nick: "ann"}
	bob = protocol.Member{User: protocol.UserID{2}, Nick: "bob"}
	eve = protocol.Member{User: protocol.UserID{3}, Nick: "eve", Guest: true}
)

func heard(seq uint64, by protocol.Member, kind protocol.Kind, target uint64, text string) *protocol.Entry {
	e := &protocol.Entry{Room: "lobby", Seq: seq, ID: protocol.ID{15: byte(seq)}, User: by.User, Nick: by.Nick, Guest: by.Guest, Kind: kind, Text: text, TargetSeq: target}
	if target > 0 {
		e.Target = protocol.ID{15: byte(target)}
	}
	if kind == protocol.KindReaction {
		e.Reactions = []protocol.Reaction{{Text: text, Count: 1, By: []protocol.UserID{by.User}}}
	}
	return e
}

// play gives ann's plain lines some events, and returns what it prints, without
// the times.
func play(t *testing.T, events ...any) []string {
	t.Helper()
	s := &script{events: make(chan client.Event)}
	go func() {
		defer close(s.events)
		s.events <- client.WentUp{Me: ann, Asked: "ann"}
		for _, ev := range events {
			switch ev := ev.(type) {
			case protocol.Message:
				s.events <- client.Received{Message: ev}
			case client.Event:
				s.events <- ev
			}
		}
		s.events <- client.GaveUp{Err: errors.New("the end")}
	}()
	var out bytes.Buffer
	in, typed := io.Pipe()
	defer typed.Close()
	err := Plain(t.Context(), PlainConfig{Engine: s, In: in, Out: &out, Now: func() time.Time { return time.Unix(0, 0) }})
	if err == nil || err.Error() != "the end" {
		t.Errorf("Plain = %v", err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "    ") {
			line = line[len("15:04 "):]
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines[1:] // but that it is connected
}

func joinedAt(head uint64) *protocol.Joined {
	return &protocol.Joined{Ref: 1, Room: "lobby", Head: head}
}

func TestPlainPrintsChanges(t *testing.T) {
	old := heard(2, bob, protocol.KindText, 0, "folded")
	old.Edited = true
	gone := heard(3, bob, protocol.KindAction, 0, "")
	gone.Gone = true
	backAgain := heard(12, eve, protocol.KindReaction, 4, "👍")
	backAgain.Reactions[0] = protocol.Reaction{Text: "👍"}
	got := play(t, joinedAt(0), heard(1, ann, protocol.KindText, 0, "a first message\nthat is somewhat longer than what reminds of it"), old, gone,
		heard(4, bob, protocol.KindText, 1, "a reply"), heard(5, bob, protocol.KindText, 99, "of what is not here"),
		heard(6, ann, protocol.KindEdit, 1, "new"), heard(7, eve, protocol.KindReaction, 4, "👍"), backAgain,
		heard(13, bob, protocol.KindDelete, 4, ""), heard(14, eve, protocol.KindText, 4, "what did you say?"),
		&protocol.Typing{Room: "lobby", User: bob.User, Nick: "bob"},
		client.Ignored{User: eve.User, Nick: "eve", On: true}, heard(15, eve, protocol.KindText, 0, "unheard"), heard(16, bob, "poll", 0, "what next?"))
	want := []string{
		"-- you are in #lobby, 0 here",
		"#lobby <ann> a first message", "    that is somewhat longer than what reminds of it",
		"#lobby <bob (edited)> folded",
		"#lobby -- bob has deleted this message",
		"#lobby <bob (to ann: a first message that is somewhat longer…)> a reply",
		"#lobby <bob (to an earlier message)> of what is not here",
		"#lobby <ann (corrected)> new",
		"#lobby -- ~eve reacts 👍 to bob: a reply",
		"#lobby -- ~eve takes back 👍 to bob: a reply",
		"#lobby -- bob has deleted a message",
		"#lobby <~eve (to bob: (deleted))> what did you say?",
		"#lobby <bob (poll)> what next?",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("line %d of\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestPlainSaysWhatWasMissed(t *testing.T) {
	got := play(t, joinedAt(0), heard(1, bob, protocol.KindText, 0, "before"), client.WentDown{Err: errors.New("cut")}, client.WentUp{Me: ann},
		joinedAt(5), heard(2, bob, protocol.KindText, 0, "one"), heard(3, ann, protocol.KindText, 0, "of her other device"), heard(4, bob, protocol.KindText, 0, "two"),
		heard(5, bob, protocol.KindEdit, 4, "two!"), heard(6, bob, protocol.KindText, 0, "after"),
		client.WentDown{Err: errors.New("cut")}, client.WentUp{Me: ann}, joinedAt(6), heard(7, bob, protocol.KindText, 0, "nothing missed"))
	i := slices.Index(got, "#lobby -- 2 missed: said while there was no connection")
	if i < 1 || got[i-1] != "#lobby <bob (corrected)> two!" || got[i+1] != "#lobby <bob> after" || strings.Count(strings.Join(got, "\n"), "missed:") != 1 {
		t.Errorf("printed:\n%s", strings.Join(got, "\n"))
	}
}

// Whatever anybody says, only text and newlines are written, and each line that
// is not indented is this program's.
func TestPlainWritesNothingButText(t *testing.T) {
	hostile := []string{"\x1b[2J\x1b]0;t\x07$<2000>", "one\r12:00 #lobby <root> two", "x\u2028y\u0085z\vw", "\u202eright\u2066", "tab\tand\x00nul\x9b31m", "bad\xff", "", strings.Repeat("\u0301", 50)}
	var events []any
	events = append(events, &protocol.Joined{Ref: 1, Room: "lobby", Topic: hostile[0], Head: 1})
	seq := uint64(1)
	for _, text := range hostile {
		by := protocol.Member{User: bob.User, Nick: "b" + text}
		for _, kind := range []protocol.Kind{"", "", protocol.KindAction, protocol.KindTopic, protocol.KindEdit, protocol.KindReaction, protocol.KindDelete, "k" + protocol.Kind(text)} {
			// As they are, though an engine cleans them: the last door must hold too.
			events = append(events, heard(seq, by, kind, seq/2, text))
			seq++
		}
		events = append(events, client.Refused{Text: text}, client.Remarked{Room: "lobby", Text: text}, &protocol.Error{Code: "x", Text: text},
			&protocol.Found{Entries: []protocol.Entry{*heard(1, by, "", 0, text)}}, &protocol.Rooms{Rooms: []protocol.RoomInfo{{Room: text, Topic: text}}})
	}
	for _, line := range play(t, events...) {
		if strings.ContainsFunc(line, func(r rune) bool {
			return r != '\t' && unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
		}) {
			t.Errorf("%q is written", line)
		}
		if strings.Contains(line, "12:00 #lobby <root>") && !strings.HasPrefix(line, "    ") && strings.HasPrefix(line, "#lobby <root>") {
			t.Errorf("a forged line: %q", line)
		}
	}
}

// Posts of an earlier client are waited for too, and the count does not slip.
func TestPlainWaitsForWhatWasRecalled(t *testing.T) {
	s := &script{events: make(chan client.Event, 10)}
	id := protocol.NewID()
	for _, ev := range []client.Event{client.WentUp{Me: ann}, client.Queued{Post: protocol.Post{ID: id, Room: "lobby", Text: "old"}},
		client.Received{Message: joinedAt(0)}, client.Received{Message: &protocol.Ack{ID: id, Room: "lobby", Seq: 1}}} {
		s.events <- ev
	}
	if err := Plain(t.Context(), PlainConfig{Engine: s, In: strings.NewReader(""), Out: io.Discard}); err != nil || len(s.events) > 0 {
		t.Errorf("Plain = %v, with %d events left", err, len(s.events))
	}
}

// A notice of the server is printed once a minute for each subject.
func TestPlainPrintsNotices(t *testing.T) {
	limits := func(room, text string) *protocol.Notice {
		return &protocol.Notice{About: protocol.NoticeLimits, Room: room, Text: text}
	}
	now := time.Unix(0, 0)
	p := &plain{PlainConfig: PlainConfig{Now: func() time.Time { return now }}, printer: printer{loc: time.UTC}}
	var out bytes.Buffer
	p.out = &out
	hear := func(m protocol.Message) {
		if err := p.apply(client.Received{Message: m, At: now}); err != nil {
			t.Fatal(err)
		}
	}
	hear(limits("", "one"))
	hear(limits("", "two"))
	hear(limits("", ""))
	hear(limits("hall", "three"))
	hear(&protocol.Notice{About: protocol.NoticeDisk, Text: "four"})
	now = now.Add(reportEvery)
	hear(limits("", ""))
	hear(limits("", "five"))
	want := "00:00 -- the server reports: one\n00:00 -- the server reports: #hall: three\n00:00 -- the server reports: four\n00:01 -- the server reports: five\n"
	if out.String() != want {
		t.Errorf("printed:\n%swant:\n%s", out.String(), want)
	}
}
