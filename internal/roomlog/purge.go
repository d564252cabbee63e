package roomlog

import (
	"context"
	"errors"
	"time"
)

// purger rids the files of texts that people have deleted or replaced. In the
// row a text is overwritten as the commit is made; the purger does the rest
// behind it: the index drops its words, and the write-ahead log is emptied.
//
// The file says how far it has come, so a crash interrupts it and no more. Its
// connection does not wait for a reader, as posting would wait with it.
type purger struct {
	behind
	s      *SQLite
	merged int64 // up to here the index has dropped the words
	// What the last merge took, and when it ended.
	took  time.Duration
	ended time.Time
}

const (
	// purgePause gathers what is deleted at about the same time.
	purgePause = 200 * time.Millisecond
	// purgeRest bounds what purging may cost, whatever people delete: a merge has
	// to write all of the index, and rests for this many times as long.
	purgeRest = 20
	// purgeAgain is the time until the write-ahead log is looked at again that a
	// reader has kept from being emptied.
	purgeAgain = time.Second
)

func newPurger(s *SQLite) *purger { return &purger{behind: newBehind(), s: s} }

func (p *purger) begin() error {
	if err := p.open(p.s, neverWaits); err != nil {
		return err
	}
	p.start(p.run)
	p.wakeUp() // what the last process has left
	return nil
}

func (p *purger) run(ctx context.Context) {
	for p.woken(ctx) {
		pause := purgePause
		for rest(ctx, pause) {
			// A fault here is one of the file, and posting tells of it.
			if again, err := p.purge(ctx); err == nil && !again {
				break
			}
			pause = purgeAgain
		}
	}
}

// purge rids the files of what was replaced before the call. again is true where
// a reader is in the way of the end.
func (p *purger) purge(ctx context.Context) (again bool, err error) {
	replaced, err := p.due(ctx)
	if err != nil || replaced == 0 {
		return false, err
	}
	if p.merged < replaced {
		if !rest(ctx, time.Until(p.ended.Add(purgeRest*p.took))) {
			return false, ctx.Err()
		}
		if replaced, err = p.due(ctx); err != nil { // more by now
			return false, err
		}
		if err := p.s.indexer.catchUp(ctx); err != nil {
			return false, err
		}
		begin := time.Now()
		err := p.s.mergeAll(ctx, p.conn)
		p.ended, p.took = time.Now(), time.Since(begin)
		if err != nil {
			return false, err
		}
		p.merged = replaced
	}
	if busy, err := p.s.emptyWAL(ctx, p.conn); err != nil || busy {
		return true, err
	}
	p.s.writing.Lock()
	defer p.s.writing.Unlock()
	return false, setMeta(ctx, p.conn, metaPurged, replaced, p.ended.UnixNano())
}

// due says up to where texts were replaced; 0 when all that was is done with.
func (p *purger) due(ctx context.Context) (int64, error) {
	p.s.writing.Lock()
	defer p.s.writing.Unlock()
	replaced, _, err := meta(ctx, p.conn, metaReplaced)
	purged, _, errPurged := meta(ctx, p.conn, metaPurged)
	if replaced <= purged {
		replaced = 0
	}
	return replaced, errors.Join(err, errPurged)
}
