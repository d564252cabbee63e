package torture

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// rooms are where all is said.
var rooms = []string{"lobby", "kitchen", "build", "attic"}

// plan says what a run is to be.
type plan struct {
	seed         uint64
	length       time.Duration
	kills, posts int
	acks, skips  int           // go on until so many lines were acknowledged and gaps announced
	every, pause time.Duration // at most, between two kills and behind one
	peers, users int
}

// run is what the clients of a run share.
type run struct {
	*judge
	plan
	target
	begun time.Time
	about time.Duration // how long it will take
	taken atomic.Int64  // lines that were said
	quiet atomic.Bool   // nothing new is said or broken any more
}

// report says how a run went.
type report struct {
	*judge
	seed                                        uint64
	took                                        time.Duration
	kills, entries, said                        int
	ups, again, acks, toldEntries, skips, pages int
}

// actor is a client of either kind.
type actor interface {
	live(ctx context.Context)
	book() *record
}

// torture carries out a plan and judges what comes of it.
func torture(t *testing.T, to target, p plan) *report {
	t.Helper()
	begin := time.Now()
	r := &run{judge: newJudge(), plan: p, target: to, begun: begin}
	r.about = max(p.length, time.Duration(p.kills)*(p.every+p.pause)/2)
	if err := to.start(); err != nil {
		t.Fatal(err)
	}
	var actors []actor
	for i := range p.peers + p.users {
		rng := rand.New(rand.NewPCG(p.seed, uint64(i+1)))
		id, err := identity.LoadOrCreate(filepath.Join(t.TempDir(), "id"), "torture")
		if err != nil {
			t.Fatal(err)
		}
		if name := fmt.Sprint("c", i); i < p.peers {
			actors = append(actors, newPeer(r, name, i, id, rng))
		} else {
			actors = append(actors, newUser(r, name, id, rng))
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var living sync.WaitGroup
	defer living.Wait()
	defer stop()
	var records []*record
	for _, a := range actors {
		living.Go(func() { a.live(ctx) })
		records = append(records, a.book())
	}
	// A client of ours gives up when its very first try fails.
	await(ctx, 20*time.Second, func() bool { return all(records, func(r *record) bool { return r.connected() > 0 }) })
	kills := r.killer(ctx, begin, records)

	r.quiet.Store(true)
	r.await(ctx, records, "has lines that nobody acknowledges", func(r *record) bool { return r.waiting("") == 0 })
	id, err := identity.LoadOrCreate(filepath.Join(t.TempDir(), "id"), "torture")
	if err != nil {
		t.Fatal(err)
	}
	log, err := r.readAll(ctx, id.ClientTLS(nil))
	if err != nil {
		r.wrong(other, "reading the log in the end: %v", err)
	}
	r.await(ctx, records, "is not told all", func(r *record) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for room, v := range r.views {
			if v.follows && v.cursor < uint64(len(log[room])) {
				return false
			}
		}
		return true
	})
	stop()
	living.Wait()
	r.check(log, records)
	if p, ok := to.(*process); ok {
		r.reopen(p, log)
	}
	return r.report(kills, time.Since(begin), log, records)
}

// killer kills the server and starts it again until the run is long enough. Where all is
// slow, little happens between two kills, and it takes several times as long until
// enough has been at stake.
func (r *run) killer(ctx context.Context, begin time.Time, records []*record) (kills int) {
	rng := rand.New(rand.NewPCG(r.seed, 0))
	enough := func() bool {
		acks, skips := 0, 0
		for _, rec := range records {
			rec.mu.Lock()
			acks += rec.acks
			skips += rec.skips
			rec.mu.Unlock()
		}
		return acks >= r.plan.acks && skips >= r.plan.skips
	}
	for time.Since(begin) < r.length || kills < r.plan.kills || !enough() && time.Since(begin) < r.length+time.Minute {
		if !wait(ctx, upTo(rng, r.every)) {
			break
		}
		r.kill()
		kills++
		if rng.IntN(5) == 0 { // once more, while it looks at what the last one has left
			wait(ctx, upTo(rng, r.pause))
			r.stillborn(upTo(rng, 100*time.Millisecond))
			kills++
		}
		wait(ctx, upTo(rng, r.pause))
		if err := r.start(); err != nil {
			r.wrong(other, "after %d kills: %v", kills, err)
			break
		}
	}
	return kills
}

// await waits for every client, and tells of those for whom it waits in vain.
func (r *run) await(ctx context.Context, records []*record, complaint string, cond func(*record) bool) {
	if await(ctx, rest-15*time.Second, func() bool { return all(records, cond) }) {
		return
	}
	for _, rec := range records {
		if !cond(rec) {
			r.wrong(other, "%s %s; %d lines are open", rec.name, complaint, rec.waiting(""))
		}
	}
}

// readAll reads the log as a client does, by pages. Those of a guest, who has no config, are smaller.
func (r *run) readAll(ctx context.Context, config *tls.Config) (entries, error) {
	c, _, err := protocol.Dial(ctx, r.addr(), config, &protocol.Hello{Nick: "reader"})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	log := entries{}
	for _, room := range rooms {
		for more := true; more; {
			if err := c.Write(&protocol.History{Ref: 1, Room: room, After: uint64(len(log[room])), Oldest: true}); err != nil {
				return log, err
			}
			page, err := answer(c)
			if e, ok := err.(*protocol.Error); ok && e.Code == protocol.CodeNotFound {
				break // nothing was ever said there
			}
			if err != nil {
				return log, fmt.Errorf("a page of %s: %w", room, err)
			}
			log[room] = append(log[room], page.Entries...)
			more = page.More && len(page.Entries) > 0
		}
	}
	return log, nil
}

// answer reads the page that was asked for. Before it, the server may say that so many
// pages are not to be had so soon.
func answer(c *protocol.Conn) (*protocol.Page, error) {
	for {
		m, err := c.Read()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *protocol.Page:
			return m, nil
		case *protocol.Error:
			return nil, m
		}
	}
}

// reopen ends the server and looks at its file: it has what the server has told.
func (r *run) reopen(p *process, log entries) {
	if err := p.stop(); err != nil {
		r.wrong(other, "%v", err)
	}
	s, err := roomlog.OpenSQLite(p.data)
	if err != nil {
		r.wrong(other, "%v", err)
		return
	}
	defer s.Close()
	for _, room := range rooms {
		es := log[room]
		if info, _ := s.Room(room); info.Head != uint64(len(es)) {
			r.wrong(other, "the file has %d entries in %s, and %d were told", info.Head, room, len(es))
		}
		for i := range es {
			if got, found, err := s.Find(context.Background(), es[i].ID); err != nil || !found || !reflect.DeepEqual(got, es[i]) {
				r.wrong(changed, "the file has %+v where %+v was told, %v", got, es[i], err)
				return
			}
		}
	}
}

func (r *run) report(kills int, took time.Duration, log entries, records []*record) *report {
	out := &report{judge: r.judge, seed: r.seed, took: took, kills: kills}
	for _, es := range log {
		out.entries += len(es)
	}
	for _, rec := range records {
		out.said += len(rec.said)
		out.ups += rec.ups
		out.again += rec.again
		out.acks += rec.acks
		out.toldEntries += rec.toldEntries
		out.skips += rec.skips
		out.pages += rec.pages
	}
	return out
}

// pauseFor is how long a client waits between two deeds: short enough for all of
// them together to say the planned number of lines in the time that the run takes,
// although they are often away.
func (r *run) pauseFor(rng *rand.Rand) time.Duration {
	deeds := 4 * float64(max(r.posts, 1)) / maxBurst / float64(r.peers+r.users)
	return upTo(rng, min(time.Duration(float64(r.about)/deeds), time.Second))
}

// take returns how many of n lines may be said now. They are spread over the run:
// to its end there is something under way when the server is killed.
func (r *run) take(n int) int {
	due := int64(float64(r.posts) * min(1, float64(time.Since(r.begun)+time.Second)/float64(r.about)))
	if over := r.taken.Add(int64(n)) - due; over > 0 {
		back := min(over, int64(n))
		r.taken.Add(-back)
		n -= int(back)
	}
	return n
}

// room picks one: half of the talk is in the lobby.
func (r *run) room(rng *rand.Rand) string {
	if rng.IntN(2) == 0 {
		return rooms[0]
	}
	return rooms[rng.IntN(len(rooms))]
}

func (r *record) connected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ups
}

func all(records []*record, cond func(*record) bool) bool {
	for _, r := range records {
		if !cond(r) {
			return false
		}
	}
	return true
}

func upTo(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(most) + 1))
}

// wait waits for a time that somebody has decided on; false when ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// await looks again and again until cond holds.
func await(ctx context.Context, limit time.Duration, cond func() bool) bool {
	for end := time.Now().Add(limit); !cond(); {
		if time.Now().After(end) || !wait(ctx, 10*time.Millisecond) {
			return false
		}
	}
	return true
}
