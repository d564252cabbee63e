package server

import (
	"bytes"
	"testing"

	"lanchat/protocol"

	"pgregory.net/rapid"
)

// TestTail holds a tail against all the items that were ever put in.
func TestTail(t *testing.T) {
	type item struct {
		by protocol.UserID
		b  []byte
	}
	rapid.Check(t, func(t *rapid.T) {
		head := rapid.Uint64Range(0, 5).Draw(t, "head")
		tl := newTail(rapid.IntRange(1, 200).Draw(t, "limit"), head)
		var all []item                           // all[i] is item head+1+i
		var shown, copies = [][]byte{}, []byte{} // what was handed out, and what it was
		last := func() uint64 { return head + uint64(len(all)) }
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				it := item{protocol.UserID{rapid.ByteRange(1, 3).Draw(t, "by")}, rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "bytes")}
				tl.append(it.by, func(dst []byte) []byte { return append(dst, it.b...) })
				all = append(all, it)
			},
			"drop": func(t *rapid.T) { // an item, and what was said in its place
				if len(all) == 0 {
					t.Skip("nothing to drop")
				}
				seq := rapid.Uint64Range(max(tl.first, 2)-1, last()).Draw(t, "seq")
				edited := seq < last() && rapid.Bool().Draw(t, "edited by the newest")
				if edited {
					tl.edits = append(tl.edits, edit{last(), seq})
				}
				first := tl.first
				if tl.dropText(seq); seq >= first && tl.first <= seq || edited && tl.first != last()+1 || tl.first < first {
					t.Fatalf("item %d, edited %v: the tail begins at %d, and did at %d", seq, edited, tl.first, first)
				}
			},
			"limit": func(t *rapid.T) { tl.limit = rapid.IntRange(1, 200).Draw(t, "limit") },
			"read": func(t *rapid.T) {
				after := rapid.Uint64Range(0, last()).Draw(t, "after")
				limit := rapid.IntRange(-1, 300).Draw(t, "limit")
				user := protocol.UserID{rapid.ByteRange(1, 4).Draw(t, "user")}
				b, to, ok := tl.since(after, limit)
				except, toExcept, okExcept := tl.sinceExcept(after, limit, user)
				if ok != (after+1 >= tl.first) || ok != okExcept || to != toExcept {
					t.Fatalf("since %d: to %d, %v; without one user to %d, %v; the tail begins at %d", after, to, ok, toExcept, okExcept, tl.first)
				}
				if !ok {
					if to != after || b != nil || except != nil {
						t.Fatalf("since %d, which is gone: %d bytes to %d", after, len(b), to)
					}
					return
				}
				var want, wantExcept []byte
				n := after
				for ; n < last(); n++ {
					it := all[n-head]
					if n > after && len(want)+len(it.b) > limit {
						break
					}
					if want = append(want, it.b...); it.by != user {
						wantExcept = append(wantExcept, it.b...)
					}
				}
				if to != n || !bytes.Equal(b, want) || !bytes.Equal(except, wantExcept) {
					t.Fatalf("since %d, limit %d: %d bytes to %d, want %d to %d; without one user %d, want %d",
						after, limit, len(b), to, len(want), n, len(except), len(wantExcept))
				}
				shown, copies = append(shown, b), append(copies, b...)
			},
			"": func(t *rapid.T) {
				if n := tl.first + uint64(len(tl.ends)); n != last()+1 {
					t.Fatalf("the tail ends at %d, want %d", n-1, last())
				}
				if !bytes.Equal(bytes.Join(shown, nil), copies) {
					t.Fatal("bytes have changed that somebody may still be sending")
				}
			},
		})
	})
}

// TestTailIsBounded: whatever goes through, a tail keeps about its limit, and at
// least half of it.
func TestTailIsBounded(t *testing.T) {
	tl := newTail(1000, 0)
	for i := range 10_000 {
		size := i % 97
		tl.append(protocol.UserID{}, func(dst []byte) []byte { return append(dst, make([]byte, size)...) })
		if len(tl.buf) > 1000+97 || i > 100 && len(tl.buf) < 500-97 || cap(tl.buf) > 2500 || len(tl.by) != len(tl.ends) {
			t.Fatalf("%d bytes in %d, %d items", len(tl.buf), cap(tl.buf), len(tl.ends))
		}
	}
	tl.append(protocol.UserID{}, func(dst []byte) []byte { return append(dst, make([]byte, 5000)...) })
	if b, _, ok := tl.since(10_000, 10); !ok || len(b) != 5000 {
		t.Errorf("an item larger than all: %d bytes, %v", len(b), ok)
	}
}

func TestOutput(t *testing.T) {
	out := output{room: 10}
	if out.add(nil); !out.empty() || out.room != 10 {
		t.Errorf("nothing: %+v", out)
	}
	one := []byte("one")
	out.add(one)
	if b := out.bytes(); &b[0] != &one[0] {
		t.Error("a single part is copied")
	}
	out.add([]byte(" and two"))
	out.add([]byte(" and three"))
	if string(out.bytes()) != "one and two and three" || out.room != 10-21 || string(one) != "one" {
		t.Errorf("%q, room for %d", out.bytes(), out.room)
	}
	out.release()
	again := output{}
	again.add(one)
	again.add(one)
	if string(again.bytes()) != "oneone" {
		t.Errorf("from a used buffer: %q", again.bytes())
	}
}
