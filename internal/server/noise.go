package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// noise holds back what strangers could fill the log with.
type noise struct {
	mu   sync.Mutex
	by   map[string]*bucket // by message, of which there are a few
	held map[string]int
}

// noisePace is that of one kind of message.
var noisePace = pace{rate: 0.2, burst: 10}

// log1 logs something that comes as often as others like, but only so often: the next
// one says how many are not shown.
func (s *Server) logSome(level slog.Level, msg string, args ...any) {
	n := &s.noise
	n.mu.Lock()
	b := n.by[msg]
	if b == nil {
		if n.by == nil {
			n.by, n.held = map[string]*bucket{}, map[string]int{}
		}
		b = &bucket{}
		n.by[msg] = b
	}
	if b.try(time.Now(), noisePace) > 0 {
		n.held[msg]++
		n.mu.Unlock()
		return
	}
	held := n.held[msg]
	delete(n.held, msg)
	n.mu.Unlock()
	if held > 0 {
		args = append(args, "not_shown", held)
	}
	s.logger.Log(context.Background(), level, msg, args...)
}
