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
//
// What a commit brings is held back until the posters have their answers too, so that
// each is sent its entry and its answer in one write.
type fanout struct {
	srv     *Server
	mu      sync.Mutex
	due     []*session // in the order in which they came
	next    int        // due[:next] were taken,
	ready   int        // and due[:ready] may be
	held    bool       // what comes is not ready
	behind  bool       // the last commit's had not all been taken when this one began
	workers int        // that run; none when nothing is ready
}

const (
	// fanoutTurn is how many sessions a worker takes at once.
	fanoutTurn = 32
	// fanoutMany is how many are too many for one worker, whatever they wait for.
	fanoutMany = 1_024
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

// hold holds back what comes from now on.
func (f *fanout) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held, f.behind = true, f.next < f.ready
}

// release ends hold.
func (f *fanout) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = false
	f.employ()
}

// employ makes what is due ready, and starts workers for it. One does it as long as it
// has come to the end by the next commit: two at a time get in each other's way in the
// kernel, where most of the time is spent, and each write is dearer. f.mu is held.
func (f *fanout) employ() {
	if f.held {
		return
	}
	f.ready = len(f.due)
	most := 1
	if waiting := f.ready - f.next; waiting == 0 {
		return
	} else if f.behind || waiting >= fanoutMany {
		most = min(runtime.GOMAXPROCS(0), (waiting+fanoutTurn-1)/fanoutTurn)
	}
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
	n := copy(turn, f.due[f.next:f.ready])
	clear(f.due[f.next : f.next+n])
	f.next += n
	if f.next == len(f.due) || f.next >= fanoutMany && 2*f.next >= len(f.due) { // it may never be empty
		left := copy(f.due, f.due[f.next:])
		clear(f.due[left:])
		f.due, f.next, f.ready = f.due[:left], 0, f.ready-f.next
	}
	if n == 0 {
		f.workers--
	}
	return n
}
