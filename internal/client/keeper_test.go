package client

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/internal/files"
	"lanchat/protocol"
)

// startKeeper runs a keeper in a bubble, where a second takes no time, and leaves it
// running, as a process that is killed does.
func startKeeper(t *testing.T, dir string) (*keeper, Recalled) {
	t.Helper()
	k := newKeeper(dir)
	ev, err := k.open("key")
	if err != nil {
		t.Fatal(err)
	}
	go k.run(t.Context())
	return k, ev
}

func recall(t *testing.T, dir string) Recalled {
	t.Helper()
	ev, err := newKeeper(dir).open("key")
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestKeptAcrossAKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(dir)
		k.keep(Drafted{"lobby", "before any server\nwas met"})
		k.keep(Drafted{"gone", "x"})
		k.keep(Drafted{"gone", ""})
		ev, err := k.open("key")
		if err != nil || !maps.Equal(ev.Drafts, map[string]string{"lobby": "before any server\nwas met"}) {
			t.Errorf("open = %+v, %v", ev, err)
		}
		go k.run(t.Context())
		k.keep(Ignored{bob.User, "bob", true})
		k.keep(Ignored{eve.User, "eve", true})
		k.keep(Ignored{eve.User, "eve", false})
		k.keep(Told{"lobby", TellAll})
		time.Sleep(2 * keepAfter)
		synctest.Wait()
		got := recall(t, dir)
		if got.Drafts["lobby"] != "before any server\nwas met" || len(got.Drafts) != 1 || !maps.Equal(got.Ignored, map[protocol.UserID]string{bob.User: "bob"}) ||
			!maps.Equal(got.Notices, map[string]Policy{"lobby": TellAll}) {
			t.Errorf("the next client finds %+v", got)
		}
		if info, err := os.Stat(filepath.Join(dir, "key.kept")); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("others can read it: %v, %v", info, err)
		}
	})
}

// Several clients of one user share what is kept: by room, the last one holds.
func TestKeptIsShared(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first, _ := startKeeper(t, dir)
		second, _ := startKeeper(t, dir)
		first.keep(Drafted{"lobby", "of the first"})
		first.keep(Drafted{"kitchen", "of the first"})
		time.Sleep(2 * keepAfter)
		second.keep(Drafted{"lobby", "of the second"})
		second.keep(Drafted{"hall", "of the second"})
		time.Sleep(2 * keepAfter)
		first.keep(Drafted{"kitchen", ""})
		time.Sleep(2 * keepAfter)
		synctest.Wait()
		if got := recall(t, dir).Drafts; !maps.Equal(got, map[string]string{"lobby": "of the second", "hall": "of the second"}) {
			t.Errorf("kept: %q", got)
		}
	})
}

// While the file cannot be written, nothing is forgotten and nobody waits.
func TestKeptIsWrittenLater(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := newKeeper(dir)
		if _, err := k.open("key"); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { k.run(ctx); close(ended) }()
		unlock, err := files.TryLock(filepath.Join(dir, "key.kept.lock"))
		if err != nil {
			t.Fatal(err)
		}
		k.keep(Drafted{"lobby", "first"})
		k.keep(Drafted{"hall", "first"})
		time.Sleep(5 * time.Second)
		k.keep(Drafted{"lobby", "second"})
		time.Sleep(10 * time.Second)
		unlock()
		k.keep(Told{"lobby", TellNothing})
		cancel()
		<-ended
		if got := recall(t, dir); !maps.Equal(got.Drafts, map[string]string{"lobby": "second", "hall": "first"}) || len(got.Notices) != 1 {
			t.Errorf("kept: %+v", got)
		}
	})
}

func TestKeptIsBounded(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(dir)
	if _, err := k.open("key"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 * maxDrafts {
		k.keep(Drafted{fmt.Sprint("room", i), strings.Repeat("é", maxDraft)})
		k.keep(Told{fmt.Sprint("room", 3*i), TellAll})
	}
	for i := range 5 * maxIgnored {
		k.keep(Ignored{protocol.UserID{1, byte(i), byte(i >> 8)}, "x", true})
		k.keep(Told{fmt.Sprint("room", i), TellAll})
		if i%maxIgnored == maxIgnored-1 {
			k.write()
		}
	}
	got := recall(t, dir)
	if len(got.Drafts) != maxDrafts || len(got.Ignored) != maxIgnored || len(got.Notices) != maxNotices {
		t.Errorf("%d drafts, %d ignored, %d policies", len(got.Drafts), len(got.Ignored), len(got.Notices))
	}
	if text := got.Drafts[fmt.Sprint("room", 5*maxDrafts-1)]; len(text) == 0 || len(text) > maxDraft {
		t.Errorf("the newest draft has %d bytes", len(text))
	}
}

func TestDamagedKeptFile(t *testing.T) {
	for _, damaged := range []string{"{\"drafts\":[", "[]", `{"ignored":[{"user":"nobody"}]}`, `{"notices":{"lobby":"sometimes"}}`} {
		dir := t.TempDir()
		path := filepath.Join(dir, "key.kept")
		damage := func() {
			if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		damage()
		k := newKeeper(dir)
		ev, err := k.open("key")
		if err == nil || !strings.Contains(err.Error(), "key.kept.damaged") || strings.Contains(err.Error(), "\n") || len(ev.Drafts) > 0 {
			t.Errorf("%s: %+v, %v", damaged, ev, err)
		}
		if aside, _ := os.ReadFile(path + ".damaged"); string(aside) != damaged {
			t.Errorf("%s: moved aside is %q", damaged, aside)
		}
		k.keep(Drafted{"lobby", "new"})
		k.write()
		if got := recall(t, dir).Drafts["lobby"]; got != "new" {
			t.Errorf("%s: a new one is begun, and has %q", damaged, got)
		}
		// A second time there is something aside already: both stay as they are.
		damage()
		k = newKeeper(dir)
		if _, err := k.open("key"); err == nil {
			t.Errorf("%s: taken the second time", damaged)
		}
		k.keep(Drafted{"lobby", "newer"})
		k.write()
		if now, _ := os.ReadFile(path); string(now) != damaged {
			t.Errorf("%s: overwritten with %q", damaged, now)
		}
	}
}

// What is kept on this side comes back to the next client of the same server.
func TestRecalled(t *testing.T) {
	r := startRoom(t)
	dir := t.TempDir()
	here := func(cfg *Config) {
		cfg.Journals = dir
		cfg.Dial = func(ctx context.Context) (*Dialed, error) {
			link, err := r.dial(ctx)
			if err == nil {
				link.Key = "key"
			}
			return link, err
		}
	}
	ann := r.join("ann", here)
	ann.Keep(Drafted{"lobby", "half a line"}) // nobody is connected yet
	ann.joined("lobby")
	if got := ann.state.Drafts["lobby"]; got != "half a line" {
		t.Errorf("her own draft is %q", got)
	}
	ann.Keep(Ignored{eve.User, "eve\x1b", true})
	ann.Keep(Told{"lobby", TellNothing})
	ann.stop()
	if err := <-ann.ended; err != nil {
		t.Fatal(err)
	}
	again := r.join("ann", here)
	again.joined("lobby")
	st := &again.state
	if st.Drafts["lobby"] != "half a line" || st.Ignored[eve.User] != "eve␛" || st.Policy("lobby") != TellNothing || st.Policy("x") != TellMentions {
		t.Errorf("recalled: %q, %q, %q", st.Drafts, st.Ignored, st.Notices)
	}
	r.cut()
	again.until("the cut", func() bool { return again.downs == 1 })
	st.Apply(Drafted{Room: "lobby"})
	again.until("being back", func() bool { return st.Link.Phase == Up })
	again.say("lobby", "x")
	again.until("the ack", func() bool { return again.Waiting() == 0 })
	if len(st.Drafts) > 0 {
		t.Errorf("recalled a second time: %q", st.Drafts)
	}

	if err := os.WriteFile(filepath.Join(dir, "key.kept"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := r.join("ann", here)
	l := third.joined("lobby")
	third.until("the remark", func() bool { return len(l.Items) > 0 })
	if it := l.Items[0]; it.Status != Notice || !strings.Contains(it.Entry.Text, "cannot be read") {
		t.Errorf("%+v", it)
	}
}
