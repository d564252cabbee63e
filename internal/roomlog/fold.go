package roomlog

import (
	"encoding/binary"
	"errors"
	"slices"

	"lanchat/protocol"
)

// This file has the rules of folding that both stores share; see the package
// comment for what they are.

// ErrReactions says that an entry has as many different reactions as it takes.
var ErrReactions = errors.New("this message has as many different reactions as it can have")

// reactors is how many of those who gave a reaction it names.
const reactors = 16

// isFolded is true for entries that change the one that they are about.
func isFolded(kind protocol.Kind) bool {
	return kind == protocol.KindEdit || kind == protocol.KindDelete || kind == protocol.KindReaction
}

// takesFolds is true for entries that can be edited, deleted and reacted to.
func takesFolds(kind protocol.Kind) bool {
	return kind == protocol.KindText || kind == protocol.KindAction
}

// isPurgeable is true for entries that a purge deletes: a topic can be deleted by nothing
// else.
func isPurgeable(kind protocol.Kind) bool { return takesFolds(kind) || kind == protocol.KindTopic }

// isReaction is true for what can stand on the wire as a reaction. Older logs
// and imported lines may have more in such an entry; it is not folded.
func isReaction(text string) bool { return text != "" && len(text) <= protocol.MaxReaction }

func reactionAt(list []protocol.Reaction, text string) int {
	return slices.IndexFunc(list, func(r protocol.Reaction) bool { return r.Text == text })
}

// isFull is true where one more kind of reaction is too many.
func isFull(list []protocol.Reaction, text string) bool {
	return len(list) >= protocol.MaxReactions && reactionAt(list, text) < 0
}

// gaveReaction returns the list with one more user behind a reaction. The list
// itself stays as it is, for whoever is reading it.
func gaveReaction(list []protocol.Reaction, text string, user protocol.UserID) []protocol.Reaction {
	list = slices.Clone(list)
	at := reactionAt(list, text)
	if at < 0 {
		return append(list, protocol.Reaction{Text: text, Count: 1, By: []protocol.UserID{user}})
	}
	r := &list[at]
	if r.Count++; len(r.By) < reactors {
		r.By = append(slices.Clone(r.By), user)
	}
	return list
}

// tookReaction returns the list with one user less behind a reaction; first are
// the first of those who are left.
func tookReaction(list []protocol.Reaction, text string, first []protocol.UserID) []protocol.Reaction {
	at := reactionAt(list, text)
	if at < 0 {
		return list
	}
	list = slices.Clone(list)
	r := &list[at]
	if r.Count--; r.Count == 0 {
		list = slices.Delete(list, at, at+1)
		if len(list) == 0 {
			return nil
		}
		return list
	}
	r.By = first
	return list
}

// oneReaction is what the entry of a reaction carries: how it stands.
func oneReaction(list []protocol.Reaction, text string) []protocol.Reaction {
	if !isReaction(text) {
		return nil
	}
	if at := reactionAt(list, text); at >= 0 {
		return []protocol.Reaction{list[at]}
	}
	return []protocol.Reaction{{Text: text}}
}

// packReactions encodes reactions for a column of the file: of each the text
// behind its length, the count, and the users behind their number.
func packReactions(list []protocol.Reaction) []byte {
	var b []byte // nil for none
	for i := range list {
		r := &list[i]
		b = append(append(b, byte(len(r.Text))), r.Text...)
		b = append(binary.AppendUvarint(b, uint64(r.Count)), byte(len(r.By)))
		for _, u := range r.By {
			b = append(b, u[:]...)
		}
	}
	return b
}

var errReactionsColumn = errors.New("the file is damaged: an entry's reactions cannot be read")

// unpackReactions decodes what packReactions made.
func unpackReactions(b []byte) (list []protocol.Reaction, err error) {
	take := func(n int) (part []byte) {
		if n > len(b) {
			err, n = errReactionsColumn, len(b)
		}
		part, b = b[:n], b[n:]
		return part
	}
	for len(b) > 0 && err == nil {
		var r protocol.Reaction
		r.Text = string(take(int(take(1)[0])))
		count, n := binary.Uvarint(b)
		if n <= 0 || n >= len(b) {
			return nil, errReactionsColumn
		}
		take(n)
		r.Count = uint32(count)
		for range take(1)[0] {
			var u protocol.UserID
			copy(u[:], take(len(u)))
			r.By = append(r.By, u)
		}
		list = append(list, r)
	}
	return list, err
}

// packSeqs encodes what a purge deletes, for the column of reactions, which a delete has
// no other use for: each seq as the difference from the one before.
func packSeqs(seqs []uint64) []byte {
	var b []byte
	last := uint64(0)
	for _, seq := range seqs {
		b = binary.AppendUvarint(b, seq-last)
		last = seq
	}
	return b
}

var errPurgedColumn = errors.New("the file is damaged: what a purge has deleted cannot be read")

// unpackSeqs decodes what packSeqs made.
func unpackSeqs(b []byte) (seqs []uint64, err error) {
	last := uint64(0)
	for len(b) > 0 {
		diff, n := binary.Uvarint(b)
		if n <= 0 || len(seqs) == protocol.MaxPurged {
			return nil, errPurgedColumn
		}
		last += diff
		seqs, b = append(seqs, last), b[n:]
	}
	return seqs, nil
}
