package client

import (
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"lanchat/protocol"
)

// InvitationScheme is how an invitation begins.
const InvitationScheme = "chat://"

// Invitation is a line by which others can join a server: where it is, a room, the
// server's key as a fingerprint in hex, and a token where one is needed.
func Invitation(addr, room, token, key string) string {
	link := InvitationScheme + addr + "/" + url.PathEscape(room)
	if token != "" {
		link += "?t=" + url.QueryEscape(token)
	}
	return link + "#" + key
}

// Invited words the answer to an Invite: for whom the invitation is, and the line
// itself, "" where there can be none.
func (s *State) Invited(m *protocol.Invite) (terms, link string) {
	if s.Server.Key == "" {
		return "This connection is not encrypted: there is no key for an invitation.", ""
	}
	terms = InvitationTerms(m)
	if at, err := netip.ParseAddrPort(s.Server.Public); err == nil && at.Addr().IsLoopback() {
		terms += fmt.Sprintf("\n%s is this machine alone: put the address that others have for it in its place.", at.Addr())
	}
	return terms, Invitation(s.Server.Public, m.Room, m.Token, s.Server.Key)
}

// InvitationTerms says for whom an invitation is.
func InvitationTerms(m *protocol.Invite) string {
	if m.Token == "" {
		return "An invitation by which anybody can join, without an end."
	}
	who := "one person"
	if m.Uses > 1 {
		who = fmt.Sprintf("%d people", m.Uses)
	}
	terms := fmt.Sprintf("An invitation for %s, within %s. Who has it can come in: send it to nobody else.", who, span(time.Duration(m.TTL)*time.Second))
	if m.Name != "" {
		terms += fmt.Sprintf(" Its name is %s: /revoke %s ends it.", m.Name, m.Name)
	}
	return terms
}

// span words how long something lasts.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d.Round(24*time.Hour)/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d.Round(time.Hour)/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

// invite asks for an invitation to this room; the answer is a Received
// *protocol.Invite. With a nick it lets that person in.
func (d *deed) invite(rest string) error {
	if rest != "" {
		return deedAbout(protocol.ModInvite, false)(d, rest)
	}
	return d.request(&protocol.Invite{Room: d.room})
}
