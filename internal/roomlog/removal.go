package roomlog

import (
	"errors"
	"slices"
	"time"

	"lanchat/protocol"
)

// A Removal says when RemoveRoom spares a room.
type Removal struct {
	// Spoken spares a room in which somebody but By has said something, by a text or an
	// action that was not deleted. The zero By is nobody.
	Spoken bool
	By     protocol.UserID
	// Force removes the room also where as many removed ones are remembered as may be,
	// none of them for RemovedKept: the oldest of those is forgotten.
	Force bool
}

// The bounds of what is remembered of removed rooms: each is a name and a head, some
// 100 bytes in the file and 300 in memory.
const (
	MaxRemoved = 50_000
	// RemovedKept is how long a removed room is remembered at least. A post that is
	// sent again is known for as long.
	RemovedKept = idsKept
)

// Errors of RemoveRoom, to be compared with errors.Is.
var (
	// ErrSpoken says that the room was spared.
	ErrSpoken = errors.New("something was said in this room")
	// ErrRemoved says that as many removed rooms are remembered as may be.
	ErrRemoved = errors.New("the log remembers as many removed rooms as it may: try again in some days")
)

// isSaid is true for an entry that says something.
func isSaid(e *protocol.Entry) bool {
	return !e.Gone && (e.Kind == protocol.KindText || e.Kind == protocol.KindAction)
}

// removedRoom is what is remembered of a removed room.
type removedRoom struct {
	name string
	head uint64
	at   time.Time // when it was removed
}

// forgettable are those that make place for others: an eighth of as many as may be, the oldest,
// as far as they are old enough.
func forgettable(all []removedRoom, most int, now time.Time, force bool) ([]removedRoom, error) {
	slices.SortFunc(all, func(a, b removedRoom) int { return a.at.Compare(b.at) })
	n := 0
	for n < min(len(all), most/8) && now.Sub(all[n].at) > RemovedKept {
		n++
	}
	if n == 0 && force {
		n = min(len(all), 1)
	}
	if n == 0 {
		return nil, ErrRemoved
	}
	return all[:n], nil
}

// dropDirect takes a direct talk from those of its two users.
func dropDirect(directs map[protocol.UserID][]string, name string) {
	a, b, direct := protocol.ParseDirectRoom(name)
	if !direct {
		return
	}
	for _, u := range []protocol.UserID{a, b} {
		rest := slices.DeleteFunc(directs[u], func(n string) bool { return n == name })
		if directs[u] = rest; len(rest) == 0 {
			delete(directs, u)
		}
	}
}

// countDirects counts the direct talks among sorted names: no other room's name has a
// colon.
func countDirects(names []string) int {
	first, _ := slices.BinarySearch(names, "dm:")
	end, _ := slices.BinarySearch(names, "dm;")
	return end - first
}
