package protocol

import "slices"

// The extensions that this package knows; the package comment says how they are
// used.
const (
	ExtWhois      = "whois"      // the request whois
	ExtDirects    = "directs"    // rooms with direct, and the request refuse
	ExtModeration = "moderation" // the actions of moderate from ModInvites on
	ExtNotices    = "notices"    // the server sends notice, to who wants it
)

// Extensions returns all of them.
func Extensions() []string {
	return []string{ExtWhois, ExtDirects, ExtModeration, ExtNotices}
}

var extendedActions = []ModAction{ModInvites, ModRevoke, ModInvite, ModRules, ModDropRules, ModDeleteRoom, ModFree, ModPurge}

// Extension returns the extension that a message belongs to; "": it needs none.
func Extension(m Message) string {
	switch m := m.(type) {
	case *Whois:
		return ExtWhois
	case *Refuse:
		return ExtDirects
	case *Rooms:
		if m.Direct {
			return ExtDirects
		}
	case *Moderate:
		if slices.Contains(extendedActions, m.Do) {
			return ExtModeration
		}
	case *Notice:
		return ExtNotices
	}
	return ""
}
