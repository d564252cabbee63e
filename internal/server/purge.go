package server

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

const (
	// The newest messages of each room are deleted by an entry each, which clients without
	// [protocol.ExtModeration] understand as well; of older ones so many by one entry.
	purgeSingly = 64
	purgeBatch  = 128
	// One commit has so many of the first, or two of the others: people who post wait
	// for one at most, and have the server to themselves for as long as it took.
	purgeCommit = 64
	purgeRest   = 10 * time.Millisecond // at least
)

// purge is one ModPurge under way.
type purge struct {
	*Server
	by      *session
	as      protocol.Entry // an entry of by's, with nothing in it
	m       protocol.Moderate
	whom    string // as the admin is told
	told    string // as the rooms are told
	since   map[protocol.UserID]time.Time
	found   map[string][]protocol.Entry // and not yet deleted, by room: less than a batch
	deleted map[string]int              // how many, by room
	topics  map[string]string           // that were deleted, by room: the newest
	total   int
	poster  *roomlog.Poster
	done    chan error
	commit  []protocol.Entry // is submitted at once
	weight  int              // of commit: purgeCommit is a whole one
}

// purge deletes what somebody has posted, in the background. The answer comes twice: now,
// and when all is done.
func (d *deed) purge() (string, error) {
	if d.purging {
		return "", protocol.Errorf(protocol.CodeLimit, "another purge is under way: wait for its end")
	}
	since, err := d.purged()
	if err != nil {
		return "", err
	}
	p := d.by.person
	job := &purge{Server: d.Server, by: d.by, m: *d.m, whom: d.whom.nick, told: d.whom.nick, since: since,
		as:    protocol.Entry{User: p.user, Nick: p.name(), Guest: p.guest, Bot: d.by.bot},
		found: map[string][]protocol.Entry{}, deleted: map[string]int{}, topics: map[string]string{}, done: make(chan error, purgeCommit)}
	if d.whom.who.User.IsZero() { // an address is nothing for the rooms
		job.told = "guests and new users from one address"
	}
	job.poster = d.log.Poster(func(_ *protocol.Entry, err error) { job.done <- err })
	d.purging = true
	d.running.Go(job.run)
	return fmt.Sprintf("what %s posted is being deleted: the end is reported here. If the server stops before, ask for it again", d.whom.nick), nil
}

// purged returns whose messages a purge deletes, and since when.
func (d *deed) purged() (map[protocol.UserID]time.Time, error) {
	now := time.Now()
	var since time.Time
	if d.length > 0 {
		since = now.Add(-d.length)
	}
	if addr, err := netip.ParseAddr(d.m.Who); err == nil {
		addr = addr.Unmap().WithZone("")
		d.whom.nick = "guests and new users from " + addr.String()
		users := d.arrivedFrom(addr, now, since)
		if len(users) == 0 {
			return nil, protocol.Errorf(protocol.CodeNotFound, "no guest and no new user has posted from %s in the last hour", addr)
		}
		return users, nil
	}
	whom, err := d.subject(d.m.Who)
	if err != nil {
		if a, posted := d.arrivals.called(d.m.Who, now); posted {
			whom, err = a.subject(), nil
		}
	}
	if err != nil {
		return nil, err
	}
	if d.whom = whom; whom.who.User != d.by.person.user && d.rules.Role(whom.who, "") == protocol.RoleAdmin {
		return nil, protocol.Errorf(protocol.CodeForbidden, "%s is an admin of this server", whom.nick)
	}
	return map[protocol.UserID]time.Time{whom.who.User: since}, nil
}

// arrivedFrom returns the guests and new users who have come from an address, and since
// when: each since it came, and all since that moment.
func (s *Server) arrivedFrom(addr netip.Addr, now, since time.Time) map[protocol.UserID]time.Time {
	users := map[protocol.UserID]time.Time{}
	for _, a := range s.arrivals.recent(now) {
		if _, again := users[a.user]; again || a.addr != addr || s.rules.Role(access.Who{User: a.user}, "") == protocol.RoleAdmin {
			continue
		}
		if users[a.user] = a.at; since.After(a.at) {
			users[a.user] = since
		}
	}
	return users
}

// purgeHint tells an admin who has banned somebody how to delete what they posted; "" where
// they posted nothing in the last hour.
func (d *deed) purgeHint(addr netip.Addr) string {
	if !d.by.understands(protocol.ExtModeration) {
		return ""
	}
	now := time.Now()
	since := map[protocol.UserID]time.Time{d.whom.who.User: now.Add(-time.Hour)}
	who := d.whom.who.User.String() // the nick may be somebody else's soon
	if addr.IsValid() {
		who = addr.String()
		since = d.arrivedFrom(addr, now, now.Add(-time.Hour))
	}
	entries, next, err := d.log.Posted(context.Background(), roomlog.Posted{Since: since})
	n := 0
	for i := range entries {
		if entries[i].Kind != protocol.KindReaction {
			n++
		}
	}
	if err != nil || n == 0 {
		return ""
	}
	more := ""
	if next > 0 { // one step is enough to offer it
		more = " or more"
	}
	return fmt.Sprintf("; /purge %s 1h deletes what they posted in the last hour: %s%s", who, messages(n), more)
}

func (p *purge) run() {
	began := time.Now()
	err := p.deleteAll()
	if err == nil {
		err = p.endTopics()
	}
	p.deeds.Lock()
	p.purging = false
	p.deeds.Unlock()
	p.logger.Info("a purge", "by", p.as.User.String(), "who", safetext.Line(p.m.Who), "messages", p.total, "rooms", len(p.deleted), "took", time.Since(began), "err", err)
	p.tell()
	text := fmt.Sprintf("%s of %s deleted", messages(p.total), p.whom)
	if err != nil {
		text += "; then the log took no more: ask for it again later"
	}
	p.by.reply(&protocol.Moderate{Ref: p.m.Ref, Do: p.m.Do, Who: p.m.Who, For: p.m.For, Text: text})
}

// messages words a number of them.
func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return thousands(n) + " messages"
}

// thousands writes a number with a comma at each thousand.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func (p *purge) deleteAll() error {
	for before, more := int64(0), true; more; {
		entries, next, err := p.log.Posted(context.Background(), roomlog.Posted{Since: p.since, Before: before})
		if err != nil {
			return err
		}
		before, more = next, next > 0
		for i := range entries {
			if err := p.take(&entries[i]); err != nil {
				return err
			}
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	for _, room := range sortedKeys(p.found) {
		if err := p.delete(room, purgeCommit/2); err != nil {
			return err
		}
	}
	return nil
}

// take deletes what was found: the newest of a room at once, others by the batch.
func (p *purge) take(e *protocol.Entry) error {
	if e.Kind == protocol.KindReaction { // giving it again takes it back
		return p.submit(protocol.Entry{Room: e.Room, User: e.User, Nick: e.Nick, Guest: e.Guest, Bot: e.Bot,
			Kind: protocol.KindReaction, Text: e.Text, Target: e.Target}, 1)
	}
	if _, newer := p.topics[e.Room]; e.Kind == protocol.KindTopic && !newer {
		p.topics[e.Room] = e.Text
	}
	p.found[e.Room] = append(p.found[e.Room], *e)
	switch n := len(p.found[e.Room]); {
	case p.deleted[e.Room] < purgeSingly:
		return p.delete(e.Room, 1)
	case n == purgeBatch:
		return p.delete(e.Room, purgeCommit/2)
	}
	return nil
}

// delete deletes what was found in a room.
func (p *purge) delete(room string, weight int) error {
	e, list := p.as, p.found[room]
	delete(p.found, room)
	e.Room, e.Kind, e.Target = room, protocol.KindDelete, list[0].ID
	for i := range list {
		e.Purged = append(e.Purged, list[i].Seq)
	}
	slices.Sort(e.Purged)
	p.deleted[room] += len(list)
	p.total += len(list)
	return p.submit(e, weight)
}

// submit collects entries until they are a commit.
func (p *purge) submit(e protocol.Entry, weight int) error {
	e.ID = protocol.NewID()
	p.commit = append(p.commit, e)
	if p.weight += weight; p.weight < purgeCommit {
		return nil
	}
	return p.flush()
}

// flush commits what was collected, and rests.
func (p *purge) flush() (err error) {
	began := time.Now()
	for _, e := range p.commit {
		if err := p.poster.Submit(e); err != nil {
			p.done <- err // nobody else calls then
		}
	}
	for range p.commit {
		if one := <-p.done; isPassing(one) {
			err = one
		}
	}
	p.commit, p.weight = p.commit[:0], 0
	if err != nil {
		return err
	}
	timer := time.NewTimer(max(time.Since(began), purgeRest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.stopping:
		return roomlog.ErrClosed
	}
}

// endTopics empties the topics of rooms that were among what was deleted and still stand.
func (p *purge) endTopics() error {
	for _, room := range sortedKeys(p.topics) {
		info, _ := p.log.Room(room)
		if info.Topic == "" || info.Topic != p.topics[room] {
			continue
		}
		e := p.as
		e.Room, e.Kind = room, protocol.KindTopic
		if err := p.submit(e, 1); err != nil {
			return err
		}
	}
	return p.flush()
}

// tell says in the rooms what was done there, once in each. Direct talks are not told: an
// admin has no part in them.
func (p *purge) tell() {
	told := 0
	for _, room := range sortedKeys(p.deleted) {
		if _, _, direct := protocol.ParseDirectRoom(room); direct || told == toldRooms {
			continue
		}
		told++
		e := p.as
		e.Room, e.Kind = room, protocol.KindDeed
		e.Text = fmt.Sprintf("has deleted what %s posted: %s", p.told, messages(p.deleted[room]))
		if p.submit(e, 1) != nil {
			return // it is logged as why the purge has ended
		}
	}
	_ = p.flush()
}
