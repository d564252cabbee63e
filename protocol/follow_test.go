package protocol

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// feed is a server as far as a Follower sees it: it replays four entries and has pages
// of three.
type feed struct {
	log     []Entry
	pending []*History // requests that it has not answered
	out     []Message  // what it has said and nobody has read
}

func (s *feed) post() {
	e := Entry{Room: "lobby", Seq: uint64(len(s.log)) + 1, ID: NewID()}
	s.log = append(s.log, e)
	s.out = append(s.out, &e)
}

func (s *feed) join(m *Join) {
	head := uint64(len(s.log))
	after := m.After
	if m.Live {
		after = head
	}
	s.pending, s.out = nil, []Message{&Joined{Room: m.Room, Head: head}}
	if head-after > 4 {
		s.out = append(s.out, &Skipped{Room: m.Room, From: after + 1, To: head - 4})
		after = head - 4
	}
	for _, e := range s.log[after:] {
		s.out = append(s.out, &e)
	}
}

func (s *feed) answer() {
	h := s.pending[0]
	s.pending = s.pending[1:]
	end := min(int(h.After)+3, len(s.log))
	s.out = append(s.out, &Page{Room: h.Room, Entries: s.log[h.After:end], More: end < len(s.log)})
}

// Whatever comes by itself, in pages, late or not at all before the connection breaks:
// every entry is handed out once and in order.
func TestFollowerMissesAndDoublesNothing(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s, f := &feed{}, &Follower{Room: "lobby"}
		for range rng.IntN(9) {
			s.post()
		}
		first := uint64(len(s.log))
		w := &Welcome{Epoch: id(1)}
		s.join(f.join(w))
		last, late := first, false // late: it is to be asked, when there is place again
		read := func() {
			m := s.out[0]
			s.out = s.out[1:]
			if rng.IntN(9) == 0 {
				f.Ask()
				late = true
			}
			next, more := f.Take(m)
			for _, e := range next {
				if last++; e.Seq != last {
					t.Fatalf("seed %d: entry %d where %d is next", seed, e.Seq, last)
				}
			}
			late = late || more
		}
		for range 300 {
			switch n := rng.IntN(20); {
			case n == 0 && f.Epoch == w.Epoch:
				kept, err := json.Marshal(f)
				if f = new(Follower); errors.Join(err, json.Unmarshal(kept, f)) != nil {
					t.Fatal(err)
				}
				s.join(f.join(w))
				late = false
			case n < 8:
				s.post()
			case n < 12 && late:
				late = false
				s.pending = append(s.pending, f.Ask())
			case n < 15 && len(s.pending) > 0:
				s.answer()
			case len(s.out) > 0:
				read()
			}
		}
		for len(s.out)+len(s.pending) > 0 || late {
			for len(s.out) > 0 {
				read()
			}
			if late {
				late = false
				s.pending = append(s.pending, f.Ask())
			}
			for len(s.pending) > 0 {
				s.answer()
			}
		}
		if last != uint64(len(s.log)) || f.Cursor != last {
			t.Fatalf("seed %d: the last entry is %d, not %d; the cursor %d", seed, last, len(s.log), f.Cursor)
		}
	}
}

// What has left the log before it could be asked for is not asked for over and over.
func TestFollowerOfAPurgedRoom(t *testing.T) {
	f := &Follower{Room: "lobby", Cursor: 5}
	f.Ask()
	f.Take(&Entry{Room: "lobby", Seq: 9})
	if _, more := f.Take(&Page{Room: "lobby"}); !more {
		t.Error("an entry that came behind the question is not asked for")
	}
	f.Ask()
	if _, more := f.Take(&Page{Room: "lobby"}); more {
		t.Error("an entry that is gone is asked for again")
	}
	if next, _ := f.Take(&Entry{Room: "lobby", Seq: 10}); len(next) != 1 || f.Cursor != 10 {
		t.Errorf("then come %d entries, and the cursor is %d", len(next), f.Cursor)
	}
}

func TestFollowerOfAnotherLog(t *testing.T) {
	for name, joined := range map[string]*Joined{
		"another epoch":         {Room: "lobby", Head: 3},
		"cursor above its head": {Room: "lobby", Head: 3, Reset: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Follower{Room: "lobby", Epoch: id(1), Cursor: 70}
			w := &Welcome{Epoch: id(1)}
			if !joined.Reset {
				w.Epoch = id(2)
			}
			if j := f.join(w); j.Live == joined.Reset {
				t.Errorf("it joins with %+v", j)
			}
			if f.Epoch != id(1) || f.Cursor != 70 {
				t.Error("it forgets the old log before it is in the new one")
			}
			f.Take(&Joined{Room: "elsewhere", Head: 1})
			f.Take(joined)
			f.Take(&Entry{Room: "lobby", Seq: 2}) // a replay from the start
			if f.Epoch != w.Epoch || f.Cursor != 3 {
				t.Errorf("it goes on behind %d of %v", f.Cursor, f.Epoch)
			}
		})
	}
}

// The cursor stays before an entry until the reply to it is in the log, or never will be.
func TestFollowerReplies(t *testing.T) {
	question := &Entry{Room: "lobby", Seq: 8, ID: NewID()}
	reply := replyID(question.ID, "dice")
	if reply.Version() != 7 || reply == replyID(question.ID, "other") || reply != replyID(question.ID, "dice") {
		t.Errorf("the reply's id is %v", reply)
	}
	for name, test := range map[string]struct {
		answer Message
		cursor uint64
		fails  bool
	}{
		"ack":            {&Ack{ID: reply}, 9, false},
		"seen":           {&Entry{Room: "lobby", Seq: 10, ID: reply}, 10, false},
		"conflict":       {&Error{ID: reply, Code: CodeIDConflict}, 9, false},
		"limit":          {&Error{ID: reply, Code: CodeLimit}, 7, true},
		"another's":      {&Ack{ID: NewID()}, 7, false},
		"not of a reply": {&Error{Code: CodeForbidden}, 7, true},
		"bye":            {&Bye{Code: CodeShuttingDown}, 7, true},
		"put out":        {&Left{Room: "lobby"}, 7, true},
		"left elsewhere": {&Left{Room: "games"}, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			f := &Follower{Room: "lobby", Cursor: 7}
			go server.Write(question, &Entry{Room: "lobby", Seq: 9})
			for want := uint64(8); want <= 9; want++ {
				if next, err := f.Next(client); err != nil || len(next) != 1 || f.Cursor != want {
					t.Fatalf("%v, %v, the cursor is %d", next, err, f.Cursor)
				}
			}
			go server.Read()
			if err := f.Reply(client, question, "dice", "6"); err != nil || f.Cursor != 7 {
				t.Fatalf("%v, the cursor is %d", err, f.Cursor)
			}
			go server.Write(test.answer)
			if _, err := f.Next(client); (err != nil) != test.fails || f.Cursor != test.cursor {
				t.Errorf("%v, the cursor is %d, not %d", err, f.Cursor, test.cursor)
			}
		})
	}
}

func TestFollowerKeepsTheConnectionAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t)
		f := &Follower{Room: "lobby"}
		go f.Begin(client, &Welcome{Epoch: id(1)})
		if m, err := server.Read(); err != nil || m.(*Join).Room != "lobby" || !m.(*Join).Live {
			t.Fatalf("%v, %v", m, err)
		}
		begin := time.Now()
		for n := range 3 {
			m, err := server.Read()
			if _, ok := m.(*Ping); !ok || time.Since(begin) != time.Duration(n+1)*PingInterval {
				t.Fatalf("%v, %v after %v", m, err, time.Since(begin))
			}
		}
		go server.Write(&Skipped{Room: "lobby", From: 1, To: 4})
		go f.Next(client)
		if m, err := server.Read(); err != nil || !m.(*History).Oldest {
			t.Errorf("behind skipped it says %v, %v", m, err)
		}
	})
}
