package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lanchat/protocol"
)

// diskLevel is how short the space for the log is.
type diskLevel int32

const (
	diskEnough  diskLevel = iota
	diskLow               // it is reported, and everybody may post
	diskNoDay             // who has posted more than a day's bytes may not post
	diskNoFresh           // nor may the fresh
	diskNobody            // nor may anybody
)

// diskBounds are where the levels begin, in quarters of the floor.
var diskBounds = [...]int64{diskLow: 8, diskNoDay: 6, diskNoFresh: 5, diskNobody: 4}

const (
	diskEach      = time.Second // how often the system is asked for the space
	diskLookBytes = 64 << 10    // posts of at least so many bytes come before it is asked again
)

// disk watches the space for the log. A post asks it nothing but an atomic number, and
// the system only where posts could use up the space before it is asked anyway.
type disk struct {
	ask   func() (free, floor int64, err error) // nil: there is enough
	level atomic.Int32
	left  atomic.Int64 // bytes of posts until the system is asked

	mu          sync.Mutex // held while the system is asked
	free, floor int64
	failed      bool
	notice      atomic.Pointer[string] // for admins; nil: there is nothing to say
}

// watchDisk asks for the space until ctx ends.
func (s *Server) watchDisk(ctx context.Context) {
	tick := time.NewTicker(diskEach)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.lookAtDisk()
		case <-ctx.Done():
			return
		}
	}
}

// lookAtDisk asks for the space, and reports it where its level has changed.
func (s *Server) lookAtDisk() {
	d := &s.disk
	if d.ask == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	free, floor, err := d.ask()
	if err != nil {
		if !d.failed {
			s.logSome(slog.LevelWarn, "the space of the disk is not known; posts are not refused for it", "err", err)
		}
		// Posts are not refused for what is not known.
		free, floor = 0, 0
	}
	d.failed = err != nil
	d.free, d.floor = free, floor
	d.left.Store(max((free-floor)/8, diskLookBytes))
	before := diskLevel(d.level.Load())
	now := levelOf(free, floor, before)
	if now == before {
		return
	}
	d.level.Store(int32(now))
	text := diskNotice(now, free, floor)
	d.notice.Store(&text)
	switch {
	case now == diskEnough:
		s.logSome(slog.LevelInfo, "there is enough space on the disk again", "free", free, "floor", floor)
	case now > before:
		s.logSome(slog.LevelWarn, "the disk is nearly full", "free", free, "floor", floor, "posts", diskRefused[now])
	}
	s.notifyAdmins(&protocol.Notice{About: protocol.NoticeDisk, Text: text})
}

// levelOf is the level for so much space. It gets better when there is an eighth of the
// floor more than where it got worse, so that it does not flicker.
func levelOf(free, floor int64, before diskLevel) diskLevel {
	level := diskEnough
	for l := diskLow; l <= diskNobody; l++ {
		bound := floor / 4 * diskBounds[l]
		if l <= before {
			bound += floor / 8
		}
		if free < bound {
			level = l
		}
	}
	return level
}

var diskRefused = [...]string{
	diskLow:     "everybody can post still",
	diskNoDay:   "posts of those who have posted much today are refused",
	diskNoFresh: "posts of those whose nick is not bound, and who have posted much today, are refused",
	diskNobody:  "posts are refused",
}

func diskNotice(level diskLevel, free, floor int64) string {
	if level == diskEnough {
		return ""
	}
	return fmt.Sprintf("The server's disk is nearly full: %s free, of which %s stay free; %s.", sizeText(free), sizeText(floor), diskRefused[level])
}

// sizeText is a size for people.
func sizeText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d kB", n/1e3)
}

// tellDisk tells a session that has just begun, where it is an admin's.
func (ss *session) tellDisk() {
	text := ss.srv.disk.notice.Load()
	if text == nil || *text == "" || !ss.understands(protocol.ExtNotices) {
		return
	}
	ss.notify(&protocol.Notice{About: protocol.NoticeDisk, Text: *text}, ss.srv.rules.Role(ss.person.who(), "") == protocol.RoleAdmin)
}

// spaceFor reports why an entry is refused for want of space: isOver says whether its
// user has posted more than the bytes of a day. It counts the entry's bytes.
func (s *Server) spaceFor(bytes int, known bool, isOver func() bool) error {
	d := &s.disk
	if d.ask == nil {
		return nil
	}
	if d.left.Add(-int64(bytes)) < 0 {
		s.lookAtDisk()
	}
	text := ""
	switch level := diskLevel(d.level.Load()); {
	case level == diskNobody:
		text = "the server's disk is nearly full: nobody can post until there is space on it"
	case level >= diskNoFresh && !known:
		text = "the server's disk is nearly full: only users whose nick is bound can post until there is space on it"
	case level >= diskNoDay && isOver():
		text = "the server's disk is nearly full: you, or those at your address, have posted much today, and can post when there is space on it"
	default:
		return nil
	}
	s.stats.reached(limitDisk)
	return protocol.Errorf(protocol.CodeLimit, "%s", text)
}

// hasSpace reports why a post is refused for want of space. What takes text away by
// moderation is let through: it is little, and may be what makes the space.
func (ss *session) hasSpace(e *protocol.Entry) error {
	if ss.srv.disk.ask == nil || e.Kind == protocol.KindDelete && ss.srv.rules.Deletes(ss.person.who(), e.Room) {
		return nil
	}
	return ss.srv.spaceFor(e.MaxSize(), ss.person.known.Load(), ss.isOverDay)
}
