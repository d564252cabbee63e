package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

func textsOf(posts []protocol.Post) (out []string) {
	for _, p := range posts {
		out = append(out, p.Text)
	}
	return out
}

func open(t *testing.T, dir string) *journal {
	t.Helper()
	j, err := openJournal(dir, "key")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.close() })
	return j
}

func post(text string) protocol.Post {
	return protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: text, Target: protocol.NewID()}
}

func TestJournalKeepsWhatIsUnsent(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	epoch := protocol.NewID()
	j.wiped(epoch)
	a, b, c := post("a"), post("b\nb2"), post("c")
	for _, p := range []protocol.Post{a, b, c} {
		j.post(p)
	}
	j.done(b.ID)
	now := time.Now()
	j.seen("lobby", 7, now)
	j.seen("lobby", 9, now) // not yet written
	// The process dies: nothing is closed, the last line is cut off.
	j.unlock()
	if _, err := j.file.WriteString(`{"post":{"id":"`); err != nil {
		t.Fatal(err)
	}

	j = open(t, dir)
	if !slices.Equal(j.posts, []protocol.Post{a, c}) || j.epoch != epoch || j.cursors["lobby"] != 7 {
		t.Errorf("left: %+v, epoch %v, cursors %v", j.posts, j.epoch, j.cursors)
	}
	j.wiped(protocol.NewID())
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	if len(j.posts) != 2 || len(j.cursors) != 0 {
		t.Errorf("after a wipe: %d posts, cursors %v", len(j.posts), j.cursors)
	}
}

func TestJournalOfAClientThatIsGone(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	if first.path == second.path {
		t.Fatal("two clients share a journal")
	}
	first.post(post("of the first"))
	second.post(post("of the second"))
	second.close()
	third := open(t, dir) // while the first still runs
	if got := textsOf(third.posts); !slices.Equal(got, []string{"of the second"}) {
		t.Errorf("the third has %q", got)
	}
	third.close()
	first.close()
	fourth := open(t, dir)
	if got := textsOf(fourth.posts); !slices.Equal(got, []string{"of the first", "of the second"}) {
		t.Errorf("the fourth has %q", got)
	}
	for range journals - 1 {
		open(t, dir)
	}
	if _, err := openJournal(dir, "key"); !errors.Is(err, ErrNoJournal) {
		t.Errorf("one too many: %v", err)
	}
}

func TestJournalStaysSmall(t *testing.T) {
	j := open(t, t.TempDir())
	kept := post("kept")
	j.post(kept)
	for range 20_000 {
		p := post(strings.Repeat("x", 100))
		j.post(p)
		j.done(p.ID)
	}
	info, err := os.Stat(j.path)
	if err != nil || info.Size() > 3*journalSlack {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	if j.err != nil || !slices.Equal(textsOf(j.posts), []string{"kept"}) {
		t.Errorf("%q, %v", textsOf(j.posts), j.err)
	}
}

func TestDamagedJournalIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key-0.journal")
	const damaged = "{\"post\":{}}\nnonsense\n"
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(dir, "key"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("openJournal = %v", err)
	}
	if now, _ := os.ReadFile(path); string(now) != damaged {
		t.Errorf("it was changed: %q", now)
	}
}

// What was said while the server was away is sent by the next process.
func TestUnsentSurvivesTheClient(t *testing.T) {
	r := startRoom(t)
	dir := t.TempDir()
	keep := func(cfg *Config) {
		cfg.Journals = dir
		cfg.Dial = func(ctx context.Context) (*Dialed, error) {
			link, err := r.dial(ctx)
			if err == nil {
				link.Key = "key" // as TLS would tell it
			}
			return link, err
		}
	}
	ann := r.join("ann", keep)
	a := ann.joined("lobby")
	ann.say("lobby", "one")
	ann.until("the entry", func() bool { return len(a.Items) == 1 && ann.Waiting() == 0 })
	r.pause(true)
	r.cut()
	ann.until("being cut off", func() bool { return ann.state.Link.Phase == Waiting })
	ann.say("lobby", "two")
	ann.say("lobby", "three")
	ann.stop()
	r.pause(false)

	again := r.join("ann", keep)
	again.until("her room", func() bool { return again.state.Room("lobby") != nil })
	b := again.state.Room("lobby")
	again.until("all three", func() bool { return len(b.Items) == 3 && len(b.Pending) == 0 })
	if got := texts(b.Items); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("she sees %q", got)
	}
	again.until("the acks", func() bool { return again.Waiting() == 0 })
	again.stop()
	third := r.join("ann", keep)
	third.joined("lobby")
	if third.Waiting() != 0 {
		t.Error("what was acknowledged is sent again")
	}
}
