package roomlog

import (
	"fmt"
	"testing"

	"lanchat/protocol"
)

// Killed while entries are removed as others are posted, again and again: what was
// acknowledged is there or remembered, in its place and once.
func TestCrashDuringRetention(t *testing.T) {
	dir := t.TempDir()
	want := map[protocol.ID]protocol.Entry{} // acknowledged, with room and seq
	for round := range 3 {
		cmd, lines := startChild(t, "keep", dir)
		read := func(most int) {
			for ; most > 0 && lines.Scan(); most-- {
				var e protocol.Entry
				var id string
				if _, err := fmt.Sscanf(lines.Text(), "ack %s %d %s", &e.Room, &e.Seq, &id); err != nil {
					t.Fatalf("%q: %v", lines.Text(), err)
				}
				key, err := protocol.ParseID(id)
				if err != nil {
					t.Fatal(err)
				}
				want[key] = e
			}
		}
		read(1500 + 173*round)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		read(1 << 30) // what it had said before the end
		s, err := OpenSQLite(dir)
		if err != nil {
			t.Fatalf("after kill %d: %v", round+1, err)
		}
		var left, ids int64
		for id, w := range want {
			e, found, err := s.Find(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			one, removed, err := s.gone.lookup(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case found == removed:
				t.Errorf("after kill %d: %s %d is there: %v, and remembered as removed: %v", round+1, w.Room, w.Seq, found, removed)
			case found && (e.Room != w.Room || e.Seq != w.Seq), removed && (s.byRoom[one.room].info.Name != w.Room || one.seq != w.Seq):
				t.Errorf("after kill %d: acknowledged as %s %d; the log has %+v, or remembers %+v", round+1, w.Room, w.Seq, e, one)
			}
		}
		heads := uint64(0)
		for _, r := range s.Rooms("", 10) {
			heads += r.Head
			got, _, err := s.Read(t.Context(), Range{Room: r.Name, Limit: 1 << 20, Bytes: 1 << 30})
			if err != nil {
				t.Fatal(err)
			}
			left += int64(len(got))
			if len(got) > 0 && got[0].Seq+uint64(len(got))-1 != r.Head {
				t.Errorf("after kill %d: %s has %d entries from %d to %d", round+1, r.Name, len(got), got[0].Seq, r.Head)
			}
		}
		if ids, _, err = s.gone.size(t.Context()); err != nil || left+ids != int64(heads) {
			t.Errorf("after kill %d: %d entries and %d ids of %d, %v", round+1, left, ids, heads, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
		t.Logf("after kill %d: %d entries, %d ids of removed ones", round+1, left, ids)
		if round == 2 && ids < 500 {
			t.Error("that is too easy")
		}
	}
}
