package client

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lanchat/protocol"
)

// TestReports: of each subject and room the newest notice is kept, until it is over or the
// connection is lost, and not more than so many.
func TestReports(t *testing.T) {
	b := newBench(t, "lobby")
	notice := func(about, room, text string) {
		m := &protocol.Notice{About: about, Room: room, Text: text}
		clean(m)
		b.receive(m)
	}
	want := func(texts ...string) {
		t.Helper()
		var got []string
		for i := range b.Reports {
			got = append(got, b.Report(&b.Reports[i]))
		}
		if strings.Join(got, "; ") != strings.Join(texts, "; ") {
			t.Errorf("reports %q, want %q", got, texts)
		}
	}
	notice(protocol.NoticeLimits, "lobby", "many posts")
	notice(protocol.NoticeLimits, "", "limits reached \x1b[2J\n3 times")
	notice(protocol.NoticeDisk, "", "the disk is nearly full")
	notice(protocol.NoticeLimits, "hall", "many bots")
	notice(protocol.NoticeLimits, "lobby", "more posts")
	want("the disk is nearly full", "limits reached ␛[2J 3 times", "#hall: many bots", "#lobby: more posts")
	notice(protocol.NoticeDisk, "", "")
	notice(protocol.NoticeDisk, "lobby", "") // never said
	want("limits reached ␛[2J 3 times", "#hall: many bots", "#lobby: more posts")
	b.Apply(WentDown{Err: errors.New("cut")})
	want()
	for i := range 1000 {
		notice(fmt.Sprint(i), "", "a subject of tomorrow")
	}
	if len(b.Reports) != maxReports {
		t.Errorf("%d reports are kept", len(b.Reports))
	}
}
