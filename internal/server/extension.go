package server

import (
	"slices"

	"lanchat/protocol"
)

// offers are the extensions that this server has.
var offers = []string{protocol.ExtWhois, protocol.ExtDirects, protocol.ExtModeration, protocol.ExtNotices}

// understands reports whether the client wants the messages of an extension.
func (ss *session) understands(extension string) bool {
	return slices.Contains(ss.wants, extension)
}
