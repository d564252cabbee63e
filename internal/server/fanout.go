package server

import (
	"runtime"
	"sync"
)

// fanout has sessions send what there is for them. A few goroutines take turns at it,
// and none waits for a socket: one that is full gets a goroutine of its own until it is
// not. So an entry for a thousand readers wakes a few goroutines instead of a thousand,
// and whoever commits wakes them and goes on.
//
// A session is in the queue at most once: whoever puts it there has made it run.
type fanout struct {
	srv     *Server
	mu      sync.Mutex
	due     []*session // in the order in which they came
	next    int        // due[:next] were taken
	workers int        // that run; none when nothing is due
}

const (
	// fanoutTurn is how many sessions a worker takes at once. What is due by the end
	// of it decides whether another worker is worth waking.
	fanoutTurn = 32
)

// add has a session send. It never waits.
func (f *fanout) add(ss *session) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.due = append(f.due, ss)
	f.employ()
}

// addAll is add for those who follow a room and have nothing under way.
func (f *fanout) addAll(followers []*follow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, to := range followers {
		if !to.quiet && to.session.mustLook() {
			f.due = append(f.due, to.session)
		}
	}
	f.employ()
}

// employ starts as many workers as there is work for. f.mu is held.
func (f *fanout) employ() {
	most := min(runtime.GOMAXPROCS(0), (len(f.due)-f.next+fanoutTurn-1)/fanoutTurn)
	for f.workers < most {
		f.workers++
		f.srv.running.Go(f.work) // a session is due, so one is served: nobody waits for all yet
	}
}

func (f *fanout) work() {
	var turn [fanoutTurn]*session
	for {
		n := f.take(turn[:])
		if n == 0 {
			return
		}
		for _, ss := range turn[:n] {
			ss.send(false)
		}
		clear(turn[:n])
		runtime.Gosched() // the committer and the readers have their turn
	}
}

func (f *fanout) take(turn []*session) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := copy(turn, f.due[f.next:])
	clear(f.due[f.next : f.next+n])
	f.next += n
	if f.next == len(f.due) {
		f.due, f.next = f.due[:0], 0
	}
	if n == 0 {
		f.workers--
	}
	return n
}
