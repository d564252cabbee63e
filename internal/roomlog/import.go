package roomlog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"lanchat/protocol"
)

// Imported says what an import did.
type Imported struct {
	Added int
	Known int // were there already, by their ids
	// Later counts the added ones that got a later time than their line says.
	Later int
}

const (
	importEntries = 1000 // of one commit
	importBytes   = 4 << 20
	maxLine       = 1 << 20 // bytes; the longest text, all of it escaped, takes less
)

// Import reads what Export wrote, and adds the entries that are not there yet,
// in the order of the lines. When it fails, everything before the line that the
// error names has been added.
//
// A room that is empty takes the numbers of the lines; in any other, numbers go
// on behind its head. No two entries have the same time, and later ones stand
// behind earlier ones: an entry keeps its time if it is later than all that the
// log has, and else it gets the next moment behind them. So it is an empty log
// to which a file is restored without any change; to bring several files into
// one log, they are first merged by time.
func (s *SQLite) Import(ctx context.Context, r io.Reader) (Imported, error) {
	in := importer{s: s, fresh: map[string]bool{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	number, size := 0, 0
	var bad error
	for bad == nil && lines.Scan() {
		number++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		e, err := fromLine(lines.Bytes(), s.now())
		if err != nil {
			bad = fmt.Errorf("line %d: %w", number, err)
			break
		}
		in.entries, in.lines = append(in.entries, e), append(in.lines, number)
		if size += e.MaxSize(); len(in.entries) >= importEntries || size >= importBytes {
			bad, size = in.commit(ctx), 0
		}
	}
	if err := lines.Err(); bad == nil && err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("line %d: it is longer than an entry can be", number+1)
		}
		bad = err
	}
	// What stands before a bad line is added all the same.
	if err := in.commit(ctx); err != nil {
		return in.done, err
	}
	if bad == nil {
		bad = s.indexer.catchUp(ctx)
	}
	return in.done, bad
}

type importer struct {
	s       *SQLite
	fresh   map[string]bool // rooms that this import has met, and whether they were empty
	entries []protocol.Entry
	lines   []int // their lines' numbers
	done    Imported
}

// commit adds the entries that were read, up to the first that cannot be.
func (in *importer) commit(ctx context.Context) error {
	entries := in.entries
	in.entries = in.entries[:0]
	numbers := in.lines
	in.lines = in.lines[:0]
	s := in.s
	s.writing.Lock()
	defer s.writing.Unlock()
	rooms, done, n, last := heads{}, in.done, s.n, s.last
	var conflict error
	err := s.transact(ctx, func(ctx context.Context) error {
		for i := range entries {
			e := &entries[i]
			at := max(e.At, last+1)
			later := at > e.At
			added, err := s.add(ctx, rooms, e, Place{}, n+1, at, in.seq(e), true)
			switch {
			case errors.Is(err, ErrIDConflict), errors.Is(err, ErrReactions):
				conflict = fmt.Errorf("line %d: id %s: %w", numbers[i], e.ID, err)
				return s.saveHeads(ctx, rooms)
			case err != nil:
				return err
			case !added:
				done.Known++
				continue
			}
			n, last = n+1, at
			done.Added++
			if later {
				done.Later++
			}
		}
		return s.saveHeads(ctx, rooms)
	})
	if err != nil {
		return err
	}
	in.done = done
	s.committed(rooms, n, last)
	return conflict
}

// seq is the least number for an entry: its line's, if its room was empty.
func (in *importer) seq(e *protocol.Entry) uint64 {
	fresh, met := in.fresh[e.Room]
	if !met {
		info, _ := in.s.Room(e.Room)
		fresh = info.Head == 0
		in.fresh[e.Room] = fresh
	}
	if fresh {
		return e.Seq
	}
	return 0
}
