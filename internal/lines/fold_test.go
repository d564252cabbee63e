package lines

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

func TestChangedEntriesAsLines(t *testing.T) {
	entry := func(change func(e *protocol.Entry)) *protocol.Entry {
		e := &protocol.Entry{Room: "lobby", Seq: 3, Nick: "ann", Text: "hello"}
		change(e)
		return e
	}
	for name, tt := range map[string]struct {
		e    *protocol.Entry
		want string // "" for no line
		json string // what is in the object
	}{
		"edited": {entry(func(e *protocol.Entry) {
			e.Edited, e.Reactions = true, []protocol.Reaction{{Text: "👍", Count: 2}, {Text: "\x1b", Count: 1}}
		}), "<ann (edited)> hello", `"text":"hello","edited":true,"reactions":[{"text":"👍","n":2},{"text":"␛","n":1}]}`},
		"edited action": {entry(func(e *protocol.Entry) { e.Kind, e.Edited = protocol.KindAction, true }), "* ann (edited) hello", `"edited":true`},
		"gone":          {entry(func(e *protocol.Entry) { e.Text, e.Gone = "", true }), "-- ann has deleted this message", `"text":"","gone":true}`},
		"edit":          {entry(func(e *protocol.Entry) { e.Kind = protocol.KindEdit }), "<ann (corrected)> hello", `"kind":"edit"`},
		"old edit":      {entry(func(e *protocol.Entry) { e.Kind, e.Text = protocol.KindEdit, "" }), "", `"kind":"edit"`},
		"reaction": {entry(func(e *protocol.Entry) {
			e.Kind, e.Text, e.Reactions = protocol.KindReaction, "👍", []protocol.Reaction{{Text: "👍", Count: 1}}
		}), "-- ann reacts: 👍", `"reactions":[{"text":"👍","n":1}]`},
		"taken back": {entry(func(e *protocol.Entry) {
			e.Kind, e.Text, e.Reactions = protocol.KindReaction, "👍", []protocol.Reaction{{Text: "👍"}}
		}), "", `"reactions":[{"text":"👍","n":0}]`},
		"as it was said": {entry(func(*protocol.Entry) {}), "<ann> hello", `"text":"hello"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var people, programs strings.Builder
			if err := (&printer{out: &people, loc: time.UTC}).entry("#lobby", tt.e); err != nil {
				t.Fatal(err)
			}
			if want := "00:00 #lobby " + tt.want + "\n"; people.String() != want && (tt.want != "" || people.Len() > 0) {
				t.Errorf("%q, want %q", people.String(), want)
			}
			if err := (&printer{out: &programs, json: true}).entry("", tt.e); err != nil || !json.Valid([]byte(programs.String())) || !strings.Contains(programs.String(), tt.json) {
				t.Errorf("%s, %v; want %s", programs.String(), err, tt.json)
			}
		})
	}
}
