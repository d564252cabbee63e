package roomlog

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lanchat/protocol"
)

// What is remembered of removed entries is found again as it was, whatever their ids
// and times are, and forgotten when it is time and not before.
func TestGoneIDs(t *testing.T) {
	s := openStore(t, t.TempDir())
	begin := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for seed := range uint64(3) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		want := map[protocol.ID]goneID{}
		check := func() {
			t.Helper()
			count, size, err := s.gone.size(t.Context())
			if err != nil || count != int64(len(want)) || (size == 0) != (count == 0) || size > 60*count+1000 {
				t.Fatalf("%d ids in %d bytes of %d, %v", count, size, len(want), err)
			}
			to := int64(0)
			for id, one := range want {
				got, ok, err := s.gone.lookup(t.Context(), id)
				if err != nil || !ok || got != one {
					t.Fatalf("seed %d, %v: %+v, %v, %v; want %+v", seed, id, got, ok, err, one)
				}
				to = max(to, msOf(id[:])+1)
			}
			if got, err := s.gone.newest(t.Context()); err != nil || got != to {
				t.Fatalf("their times end at %d, want %d, %v", got, to, err)
			}
		}
		now, seq := begin, uint64(0)
		for range 1 + rnd.IntN(4) {
			var step []goneID
			honest := rnd.IntN(4) // so many of four are what a client makes
			for range 1 + rnd.IntN(400) {
				now = now.Add(time.Duration(1 + rnd.Int64N(int64(time.Minute))))
				seq += 1 + rnd.Uint64N(1000)
				id := protocol.NewID()
				switch n := rnd.IntN(8); {
				case n < 2*honest:
					copy(id[:6], binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))[2:])
				case n == 7: // all of one millisecond
					copy(id[:6], []byte{1, 2, 3, 4, 5, 6})
				default:
					copy(id[:6], binary.BigEndian.AppendUint64(nil, rnd.Uint64()))
				}
				one := goneID{key: keyOf(id), room: 1 + rnd.Int64N(300), seq: seq, at: now.UnixNano(), removed: now.Unix() + rnd.Int64N(2)*3600, sum: rnd.Uint32N(1 << 24)}
				step, want[id] = append(step, one), one
			}
			if err := s.transact(t.Context(), func(ctx context.Context) error { return s.gone.add(ctx, step) }); err != nil {
				t.Fatal(err)
			}
			check()
		}
		forget := func(said bool, until time.Time) {
			t.Helper()
			for did := true; did; {
				var err error
				if said {
					did, err = s.gone.forgetSaid(t.Context(), until, 0)
				} else {
					did, err = s.gone.forgetRemoved(t.Context(), until)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			maps.DeleteFunc(want, func(_ protocol.ID, one goneID) bool {
				return said && one.at < until.UnixNano() || !said && one.removed < until.Unix()
			})
			check()
		}
		forget(true, begin.Add(time.Duration(rnd.Int64N(int64(now.Sub(begin))))))
		forget(false, begin.Add(time.Duration(rnd.Int64N(int64(now.Sub(begin))))))
		forget(true, now.Add(time.Hour))
	}
}

// Ids that come in their order take 12 to 20 bytes each, with all that is about them.
func TestGoneIDsAreSmall(t *testing.T) {
	for name, tt := range map[string]struct {
		apart time.Duration
		most  float64
	}{"a busy log": {time.Millisecond, 19}, "a quiet one": {3 * time.Second, 24}} {
		s := openStore(t, t.TempDir())
		const count = 6_400
		at := time.Now()
		for seq := range count / 128 {
			var ids []goneID
			for i := range 128 {
				at = at.Add(tt.apart)
				id := protocol.NewID()
				ms := at.UnixMilli()
				copy(id[:6], []byte{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms)})
				ids = append(ids, goneID{key: keyOf(id), room: 1, seq: uint64(seq*128 + i), at: at.UnixNano(), removed: at.Unix(), sum: uint32(i)})
			}
			if err := s.transact(t.Context(), func(ctx context.Context) error { return s.gone.add(ctx, ids) }); err != nil {
				t.Fatal(err)
			}
		}
		n, size, err := s.gone.size(t.Context())
		var pages int64
		if err := s.db.QueryRow("SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1 AND (name LIKE 'gone%' OR name LIKE '%autoindex_gone%')").Scan(&pages); err != nil {
			t.Fatal(err)
		}
		each, counted := float64(pages)/float64(n), float64(size)/float64(n)
		t.Logf("%s: %.1f bytes an id, %.1f by its own count", name, each, counted)
		if err != nil || each > tt.most || math.Abs(each-counted) > 4 {
			t.Errorf("%s: %.1f bytes an id, %.1f by its own count, %v", name, each, counted, err)
		}
	}
}

// A log of version 7 had a row for each id.
func TestGoneIDsOfAnOlderLog(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	var entries []protocol.Entry
	olderLog(t, dir, 7, func(run func(string, ...any)) {
		run("INSERT INTO rooms (id, name, head, topic) VALUES (1, 'lobby', 3000, '')")
		for i := range 2500 {
			e := entry("lobby", fmt.Sprint("message ", i))
			e.Seq, e.At = uint64(i+1), now.UnixNano()+int64(i)
			entries = append(entries, e)
			sum := contentSum(&e)
			if i == 7 {
				sum = []byte{} // it was deleted
			}
			run("INSERT INTO gone (id, room, seq, at, sum, removed) VALUES (?,1,?,?,?,?)", e.ID[:], i+1, e.At, sum, now.Unix())
		}
	})
	s := openStore(t, dir)
	if n, _, err := s.gone.size(t.Context()); err != nil || n != int64(len(entries)) {
		t.Fatalf("%d ids, %v", n, err)
	}
	slices.Reverse(entries)
	for i, r := range add(t, s, entries...) {
		if e := entries[i]; !r.Known || r.Err != nil || r.Entry.Seq != e.Seq || r.Entry.At != e.At {
			t.Fatalf("sent again: %+v, want %+v", r, e)
		}
	}
	for i := range entries {
		entries[i].Text += "!"
	}
	for i, r := range add(t, s, entries...) {
		if deleted := entries[i].Seq == 8; r.Known != deleted || (r.Err != nil) == deleted {
			t.Fatalf("other content under the id of %d: %+v", entries[i].Seq, r)
		}
	}
}
