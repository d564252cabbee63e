package server

import "lanchat/protocol"

// noticeKey is what a notice is about. A client keeps the newest about each.
type noticeKey struct{ about, room string }

// notifyAdmins sends a notice about the whole server to the admins who are here. An empty
// text ends what was said about the same before.
func (s *Server) notifyAdmins(n *protocol.Notice) {
	s.notify(n, func(ss *session) bool { return s.rules.Role(ss.person.who(), "") == protocol.RoleAdmin })
}

// notifyOps sends a notice about a room to its ops who are in it.
func (s *Server) notifyOps(n *protocol.Notice) {
	s.notify(n, func(ss *session) bool {
		ss.mu.Lock()
		here := ss.following(n.Room) != nil
		ss.mu.Unlock()
		return here && s.rules.Role(ss.person.who(), n.Room) == protocol.RoleOp
	})
}

// notify sends a notice to the sessions that it is for. A session that has an earlier one
// about the same, and that this one is not for, is told that it is over.
func (s *Server) notify(n *protocol.Notice, isFor func(*session) bool) {
	for _, ss := range s.allSessions() {
		if ss.understands(protocol.ExtNotices) {
			ss.notify(n, n.Text != "" && isFor(ss))
		}
	}
}

func (ss *session) notify(n *protocol.Notice, isFor bool) {
	key := noticeKey{n.About, n.Room}
	ss.mu.Lock()
	_, has := ss.notices[key]
	switch {
	case isFor && !has:
		if ss.notices == nil {
			ss.notices = map[noticeKey]struct{}{}
		}
		ss.notices[key] = struct{}{}
	case !isFor && has:
		delete(ss.notices, key)
		n = &protocol.Notice{About: n.About, Room: n.Room}
	}
	ss.mu.Unlock()
	if isFor || has {
		ss.reply(n)
	}
}
