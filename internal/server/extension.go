package server

import (
	"slices"

	"lanchat/protocol"
)

// offers are the extensions that this server has.
var offers = []string{protocol.ExtDirects, protocol.ExtModeration, protocol.ExtNotices}

var errUnsupported = protocol.Errorf(protocol.CodeUnsupported, "this server cannot do that")

// understands reports whether the client wants the messages of an extension.
func (ss *session) understands(extension string) bool {
	return slices.Contains(ss.wants, extension)
}
