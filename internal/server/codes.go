package server

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// codes is where errors of Go become codes on the wire.
var codes = []struct {
	err  error
	code protocol.Code
	text string
}{
	{roomlog.ErrIDConflict, protocol.CodeIDConflict, "this message's id belongs to another message"},
	{roomlog.ErrReactions, protocol.CodeLimit, "this message has as many different reactions as it can have"},
	{roomlog.ErrNickTaken, protocol.CodeNickTaken, "this nick belongs to somebody else"},
	{roomlog.ErrUnavailable, protocol.CodeUnavailable, "the room's log cannot be reached now"},
	{roomlog.ErrNoSearch, protocol.CodeUnsupported, "this server keeps its log in memory, without an index to search"},
	{roomlog.ErrClosed, protocol.CodeShuttingDown, "the server is stopping"},
}

// toError returns what a client is told of err.
func toError(err error) *protocol.Error {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return &protocol.Error{Code: c.code, Text: c.text}
		}
	}
	return protocol.ToError(err)
}

// isPassing is true for a fault that may be over when the client comes again.
func isPassing(err error) bool {
	return errors.Is(err, roomlog.ErrUnavailable) || errors.Is(err, roomlog.ErrClosed)
}

// readError is what a client is told whose bytes could not be read; nil when it
// has simply gone.
func readError(err error) protocol.Message {
	if errors.Is(err, protocol.ErrProtocol) || errors.Is(err, os.ErrDeadlineExceeded) {
		return toError(err)
	}
	return nil
}

// isReset is true when the peer was cut off or went without a word.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// isTransientAccept is true when the next connection may well be accepted.
func isTransientAccept(err error) bool {
	_, isSyscall := errors.AsType[*os.SyscallError](err)
	return isSyscall && !errors.Is(err, net.ErrClosed)
}
