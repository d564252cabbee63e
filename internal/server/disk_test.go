package server

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

func TestDiskLevels(t *testing.T) {
	const floor = 1000
	for _, tt := range []struct {
		free         int64
		before, want diskLevel
	}{
		{5000, diskEnough, diskEnough}, {2000, diskEnough, diskEnough}, {1999, diskEnough, diskLow},
		{2000, diskLow, diskLow}, {2124, diskLow, diskLow}, {2125, diskLow, diskEnough},
		{1500, diskLow, diskLow}, {1499, diskLow, diskNoDay}, {1249, diskEnough, diskNoFresh}, {999, diskLow, diskNobody},
		{1000, diskNobody, diskNobody}, {1125, diskNobody, diskNoFresh}, {0, diskNobody, diskNobody}, {9999, diskNobody, diskEnough},
	} {
		if got := levelOf(tt.free, floor, tt.before); got != tt.want {
			t.Errorf("%d free after %d: %d, not %d", tt.free, tt.before, got, tt.want)
		}
	}
	if levelOf(0, 0, diskEnough) != diskEnough {
		t.Error("nothing is refused where the space is not known")
	}
}

// TestDiskShort: with less and less space posts of the first, then of the second, then of
// all are refused, with a text, and without the session's end. Admins are told before, and
// can still delete. With space again all is as before.
func TestDiskShort(t *testing.T) {
	const floor = 1_000_000
	var free atomic.Int64
	free.Store(10 * floor)
	var logged syncBuffer
	s, addr, _ := governed(t, func(c *Config) {
		c.Limits = Limits{PostRate: 10_000, PostBurst: 10_000, ByteRate: 1 << 30, ByteBurst: 1 << 30, DayBytes: 100_000, BotBurst: 1 << 20}
		c.Disk = func() (int64, int64, error) { return free.Load(), floor, nil }
		c.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	})
	admin, busy := newKey(t), newKey(t)
	s.SetAdmins([]protocol.UserID{admin.Fingerprint().UserID()})
	wants := &protocol.Hello{Nick: "root", Wants: []string{protocol.ExtNotices}}
	root := connectTLSAs(t, addr, admin, wants)
	known := connectTLS(t, addr, newKey(t), "known")
	over := connectTLS(t, addr, busy, "over")
	fresh := connectTLS(t, addr, newKey(t), "fresh")
	guest := connectTLS(t, addr, nil, "guest")
	everybody := []*peer{root, known, over, fresh, guest}
	for _, p := range everybody {
		p.join("lobby", 0)
	}
	first := known.say("lobby", "first")
	for _, p := range []*peer{known, root, over} {
		p.binds(s)
	}
	paces := s.limits.postPaces(true, 1)
	s.person(over.welcome.User).own.post(time.Now(), &paces, 1<<30)
	token := [16]byte{9}

	refused := func(p *peer) string {
		post := &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "more"}
		p.send(post, &protocol.Ping{N: 99})
		text := ""
		for {
			switch m := any1[protocol.Message](p).(type) {
			case *protocol.Error:
				if m.Code != protocol.CodeLimit || m.ID != post.ID || !strings.Contains(m.Text, "disk") {
					t.Errorf("%+v", m)
				}
				text = m.Text
			case *protocol.Bye:
				t.Fatalf("sent away: %+v", m)
			case *protocol.Pong:
				return text
			}
		}
	}
	for _, step := range []struct {
		free    int64
		refuses []*peer
		note    bool // of a webhook
		told    string
	}{
		{2*floor - 1, nil, false, "everybody"},
		{3*floor/2 - 1, []*peer{over}, false, "much today"},
		{5*floor/4 - 1, []*peer{over, fresh, guest}, false, "not bound"},
		{floor - 1, everybody, true, "posts are refused"},
		{3 * floor, nil, false, ""},
	} {
		free.Store(step.free)
		s.lookAtDisk()
		notice := any1[*protocol.Notice](root)
		if notice.About != protocol.NoticeDisk || !strings.Contains(notice.Text, step.told) || (notice.Text == "") != (step.told == "") {
			t.Errorf("%d free: admins are told %q", step.free, notice.Text)
		}
		for _, p := range everybody {
			if p == over && !slices.Contains(step.refuses, over) {
				continue // it would wait for days
			}
			if p == fresh || p == guest {
				s.person(p.welcome.User).known.Store(false)
			}
			if got := refused(p); (got != "") != slices.Contains(step.refuses, p) {
				t.Errorf("%d free: %s is refused: %q", step.free, p.welcome.Nick, got)
			}
		}
		_, err := s.Post(t.Context(), Note{Room: "lobby", User: token, Nick: "ci", Text: "x"})
		if r, _ := errors.AsType[*Refusal](err); (r != nil && r.Code == string(protocol.CodeUnavailable) && r.RetryAfter > 0) != step.note {
			t.Errorf("%d free: a note: %v", step.free, err)
		}
		if ready := s.Ready(); (ready != nil) != (step.free < floor) {
			t.Errorf("%d free: ready: %v", step.free, ready)
		}
		if st := s.Stats(); st.DiskNotice != notice.Text || st.DiskFree != step.free || st.DiskFloor != floor {
			t.Errorf("%d free: %+v", step.free, st)
		}
		if step.free >= floor {
			continue
		}
		// What is in the log is acknowledged again, and an admin deletes and moderates.
		root.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindDelete, Target: first.ID})
		any1[*protocol.Ack](root)
		known.send(&protocol.Post{ID: first.ID, Room: "lobby", Text: "first"})
		any1[*protocol.Ack](known)
		root.does(protocol.Moderate{Do: protocol.DeedMute, Room: "lobby", Who: "guest"})
		known.send(&protocol.Topic{Ref: 5, Room: "lobby", Topic: "x"})
		if e := any1[*protocol.Error](known); e.Ref != 5 || e.Code != protocol.CodeLimit {
			t.Errorf("a topic: %+v", e)
		}
		root.does(protocol.Moderate{Do: protocol.DeedUnmute, Room: "lobby", Who: "guest"})
		again := connectTLSAs(t, addr, admin, wants)
		if n := any1[*protocol.Notice](again); n.Text != notice.Text {
			t.Errorf("an admin who connects is told %q", n.Text)
		}
	}
	if s.Stats().Limits["disk"] == 0 {
		t.Errorf("counted: %v", s.Stats().Limits)
	}
	if text := logged.String(); !strings.Contains(text, "nearly full") || !strings.Contains(text, "enough space") {
		t.Errorf("logged:\n%s", text)
	}
}

// TestDiskIsAskedAgain: by the clock, and after so many bytes of posts that the space may
// have been used up meanwhile.
func TestDiskIsAskedAgain(t *testing.T) {
	var asked atomic.Int32
	s := New(Config{Log: roomlog.Local(roomlog.NewMemory()), Disk: func() (int64, int64, error) {
		if asked.Add(1) == 2 {
			return 0, 0, errors.New("not now")
		}
		return 1_800_000, 1_000_000, nil
	}})
	defer s.log.Close()
	never := func() bool { return false }
	for range 7 {
		if err := s.spaceFor(100_000, true, never); err != nil {
			t.Error(err)
		}
	}
	if n := asked.Load(); n != 5 {
		t.Errorf("asked %d times", n)
	}
}
