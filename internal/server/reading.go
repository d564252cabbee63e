package server

import (
	"context"
	"math"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

func (ss *session) history(m *protocol.History) error {
	if err := ss.reads(m.Room); err != nil {
		return err
	}
	limit := listLimit(m.Limit)
	if ss.person.guest { // who can come again as somebody else, and have as much once more
		limit = min(limit, guestPage)
	}
	entries, more, err := ss.srv.log.Read(context.Background(), roomlog.Range{
		Room: m.Room, After: m.After, Before: m.Before, Oldest: m.Oldest, Limit: limit, Bytes: pageBytes})
	if err != nil {
		return err
	}
	ss.reply(&protocol.Page{Ref: m.Ref, Room: m.Room, Entries: entries, More: more})
	return nil
}

// search answers from the log's index: the newest first. What people write in
// the query counts beside the request's own fields; dates are the server's.
func (ss *session) search(m *protocol.Search) error {
	if len(m.Query) > maxQuery {
		return protocol.Errorf(protocol.CodeTooLong, "a search has at most %d bytes, this one has %d", maxQuery, len(m.Query))
	}
	q, err := roomlog.ParseQuery(m.Query, time.Local)
	if err != nil {
		return protocol.Errorf(protocol.CodeBadText, "%v", err)
	}
	if m.Room != "" {
		q.Room = m.Room
	}
	if q.Room != "" {
		if err := ss.reads(q.Room); err != nil {
			return err
		}
	} else {
		q.Hidden = ss.srv.rules.Hidden(ss.person.who())
	}
	if m.From != "" {
		q.From = m.From
	}
	if before := int64(min(m.Before, math.MaxInt64)); before > 0 && (q.Before == 0 || before < q.Before) {
		q.Before = before
	}
	q.After = max(q.After, int64(min(m.After, math.MaxInt64)))
	q.User, q.Limit, q.Bytes = ss.person.user, listLimit(m.Limit), pageBytes
	entries, more, err := ss.searchLog(q)
	if err != nil {
		return err
	}
	ss.reply(&protocol.Found{Ref: m.Ref, Entries: entries, More: more})
	return nil
}

// searchLog has one search of a person at a time, and few of all together, so that
// nobody's searches hold up what others read.
func (ss *session) searchLog(q roomlog.Query) ([]protocol.Entry, bool, error) {
	for _, places := range []chan struct{}{ss.srv.people.searchPlace(ss.person), ss.srv.searches} {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
		case <-ss.ended:
			return nil, false, context.Canceled
		}
	}
	return ss.srv.log.Search(context.Background(), q)
}

// listLimit is how many a client gets that asks for n; 0 asks for any number.
func listLimit(n uint32) int {
	if n == 0 || n > listMax {
		return listMax
	}
	return int(n)
}
