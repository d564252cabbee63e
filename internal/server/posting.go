package server

import (
	"context"
	"strings"
	"time"
	"unicode"

	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// post submits an entry. Its answer comes when the log has it.
func (ss *session) post(m *protocol.Post) {
	e, err := ss.entry(m)
	if err == nil {
		err = ss.submit(e, nil)
	}
	if isPassing(err) {
		ss.mu.Lock()
		ss.sendAway(err) // as where the log refuses it: nothing behind it is taken
		ss.mu.Unlock()
		ss.wake()
		return
	}
	if err != nil {
		answer := *toError(err)
		answer.ID = m.ID
		ss.waitFor(asking)
		ss.reply(&answer)
	}
}

// entry checks a post and makes an entry of it.
func (ss *session) entry(m *protocol.Post) (*protocol.Entry, error) {
	f, err := ss.followed(m.Room)
	if err != nil {
		return nil, err
	}
	if m.ID.Version() != 7 {
		return nil, protocol.Errorf(protocol.CodeBadID, "a post's id is a UUIDv7")
	}
	text, err := ss.srv.cleanText(m.Text)
	if err != nil {
		return nil, err
	}
	kind := m.Kind
	needsTarget := false
	switch kind {
	case "text":
		kind = protocol.KindText
	case protocol.KindText, protocol.KindAction:
	case protocol.KindEdit, protocol.KindDelete, protocol.KindReaction:
		needsTarget = true
	default:
		return nil, protocol.Errorf(protocol.CodeUnsupported, "this server takes no posts of the kind %q", safetext.Line(string(kind)))
	}
	if strings.TrimSpace(text) == "" && kind != protocol.KindDelete {
		return nil, errNoText
	}
	if kind == protocol.KindReaction {
		text = safetext.Line(m.Text)
		if len(text) > protocol.MaxReaction || strings.ContainsFunc(text, unicode.IsSpace) {
			return nil, protocol.Errorf(protocol.CodeBadText, "a reaction has 1 to %d bytes and no spaces, as 👍 or +1 do", protocol.MaxReaction)
		}
	}
	if needsTarget {
		if err := ss.mayChange(m, kind); err != nil {
			return nil, err
		}
	}
	p := ss.person
	if err := ss.srv.rules.Posts(p.who(), m.Room); err != nil && !ss.said(m) {
		return nil, err
	}
	if err := ss.mayPostDirect(f.room); err != nil && !ss.said(m) {
		return nil, err
	}
	if err := ss.mayFill(f.room); err != nil {
		return nil, err
	}
	if err := ss.mayPostNow(m.Room, m.ID); err != nil {
		return nil, err
	}
	e := &protocol.Entry{ID: m.ID, Room: m.Room, User: p.user, Nick: p.name(), Guest: p.guest, Bot: ss.bot,
		Kind: kind, Text: text, Target: m.Target}
	if err := ss.hasSpace(e); err != nil && !ss.said(m) {
		return nil, err
	}
	return e, nil
}

// mayChange reports why an edit, a delete or a reaction is refused.
func (ss *session) mayChange(m *protocol.Post, kind protocol.Kind) error {
	target, found, err := ss.srv.log.Find(context.Background(), m.Target)
	var refused error
	switch {
	case err != nil:
		return err
	case !found || target.Room != m.Room:
		refused = protocol.Errorf(protocol.CodeNotFound, "the message that this is about is not in the room")
	case target.Kind != protocol.KindText && target.Kind != protocol.KindAction:
		refused = protocol.Errorf(protocol.CodeBadText, "only what somebody said or did can be edited, deleted or reacted to")
	case kind == protocol.KindDelete && ss.srv.rules.Deletes(ss.person.who(), m.Room):
		if !target.Gone {
			return nil
		}
		refused = protocol.Errorf(protocol.CodeNotFound, "the message that this is about was deleted")
	case kind != protocol.KindReaction && target.User != ss.person.user:
		refused = protocol.Errorf(protocol.CodeForbidden, "this message is somebody else's")
	case target.Gone:
		refused = protocol.Errorf(protocol.CodeNotFound, "the message that this is about was deleted")
	default:
		return nil
	}
	if ss.said(m) {
		return nil
	}
	return refused
}

// said reports whether the log has a post already: it is sent again because its ack
// was lost, and is for the log to judge.
func (ss *session) said(m *protocol.Post) bool {
	known, found, err := ss.srv.log.Find(context.Background(), m.ID)
	return err == nil && found && known.User == ss.person.user && known.Room == m.Room
}

// submit hands an entry to the log, as fast as the rate limit lets it. What comes in
// masses is in no hurry: twenty of those who post it are one commit then, and one write
// to each who hears it, in place of twenty, and what others say does not wait behind it.
// It fails where the session has been put out of the room while it waited.
func (ss *session) submit(e *protocol.Entry, before func()) error {
	ss.postTo = e.Room
	posts := ss.waitToPost(e.MaxSize())
	if ss.postTo = ""; !posts {
		return nil
	}
	ss.srv.arrivals.note(ss)
	hand := ss.poster.Submit
	if ss.isBusy() {
		hand = ss.poster.SubmitLater
	}
	ss.mu.Lock()
	if ss.following(e.Room) == nil {
		ss.mu.Unlock()
		return errPutOut
	}
	if before != nil {
		before()
	}
	ss.pending.posts++
	ss.pending.bytes += e.MaxSize()
	if ss.measured == (protocol.ID{}) {
		ss.measured, ss.submitted = e.ID, time.Now()
	}
	ss.mu.Unlock()
	if err := hand(*e); err != nil {
		ss.posted(e, err)
		ss.end(shuttingDown(time.Second))
	}
	return nil
}
