package roomlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"lanchat/protocol"
)

// jsonLine is an entry as it is exported: one JSON object on a line. The fields
// are those of chat tail --json, whose lines can be imported as well.
//
// A line says what the entry says now, and no older text: edits too carry their
// target's newest one. An import takes text, edited and gone from the line, and
// folds the edits, deletes and reactions behind it once more: they find the text
// that they had made, toggle the same reactions, and give the same rev. reactions
// is for people and programs that read the line; an import does not need it.
type jsonLine struct {
	Room     string `json:"room"`
	Seq      uint64 `json:"seq"`
	ID       string `json:"id"`
	User     string `json:"user"`     // 26 characters of base32
	From     string `json:"from"`     // the nick
	Verified bool   `json:"verified"` // a key stands behind the nick
	Bot      bool   `json:"bot,omitempty"`
	At       string `json:"at"`   // RFC 3339 with nanoseconds, UTC
	Kind     string `json:"kind"` // text, action, topic, edit, delete, reaction, …
	Text     string `json:"text"`
	Target   string `json:"target,omitempty"` // the id of the entry that this one is about

	Edited    bool           `json:"edited,omitempty"` // text is not the first one
	Gone      bool           `json:"gone,omitempty"`   // it was deleted, and text is empty
	Reactions []reactionLine `json:"reactions,omitempty"`
	Purged    []uint64       `json:"purged,omitempty"` // of a delete: the seqs of all that it deleted
}

// reactionLine is one reaction and how many people gave it; on the line of a
// reaction itself, how many do now.
type reactionLine struct {
	Text string `json:"text"`
	N    uint32 `json:"n"`
}

const (
	textKind = "text" // KindText, which has no name on the wire

	lineTime = "2006-01-02T15:04:05.000000000Z07:00" // RFC 3339, always with all nanoseconds
)

// writeLine writes an entry as a line.
func writeLine(w io.Writer, e *protocol.Entry) error {
	var line bytes.Buffer
	lines := json.NewEncoder(&line)
	lines.SetEscapeHTML(false) // < and > are nothing special here
	if err := lines.Encode(toLine(e)); err != nil {
		return err
	}
	_, err := w.Write(escapeControls(line.Bytes()))
	return err
}

// escapeControls escapes the controls that JSON takes as they are, DEL and C1: a log that
// was imported may have them, and what is exported may come to a terminal. In JSON they
// stand in strings only.
func escapeControls(line []byte) []byte {
	isControl := func(r rune) bool { return r >= 0x7f && r < 0xa0 }
	if !bytes.ContainsFunc(line, isControl) {
		return line
	}
	var out []byte
	for _, r := range string(line) { // of valid UTF-8, as JSON is
		if isControl(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func toLine(e *protocol.Entry) jsonLine {
	l := jsonLine{Room: e.Room, Seq: e.Seq, ID: e.ID.String(), User: e.User.String(), From: e.Nick, Verified: !e.Guest, Bot: e.Bot,
		At: time.Unix(0, e.At).UTC().Format(lineTime), Kind: string(e.Kind), Text: e.Text, Edited: e.Edited, Gone: e.Gone, Purged: e.Purged}
	for _, r := range e.Reactions {
		l.Reactions = append(l.Reactions, reactionLine{r.Text, r.Count})
	}
	if e.Kind == protocol.KindText {
		l.Kind = textKind
	}
	if !e.Target.IsZero() {
		l.Target = e.Target.String()
	}
	return l
}

var kindForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// maxSeq bounds the numbers that are taken from a file, far above all that
// posting reaches and far below where numbers end.
const maxSeq = 1 << 48

// fromLine reads a line. What it refuses is what no server would have accepted:
// an import must not bring in what posting keeps out.
func fromLine(b []byte, now time.Time) (e protocol.Entry, err error) {
	var l jsonLine
	if err := json.Unmarshal(b, &l); err != nil {
		return e, fmt.Errorf("this is no entry in JSON: %w", err)
	}
	e = protocol.Entry{Room: l.Room, Seq: l.Seq, Nick: l.From, Guest: !l.Verified, Bot: l.Bot, Kind: protocol.Kind(l.Kind), Text: l.Text}
	if e.Kind == textKind {
		e.Kind = protocol.KindText
	} else if !kindForm.MatchString(l.Kind) {
		return e, fmt.Errorf("kind: %q is none; that of a plain message is %q", l.Kind, textKind)
	}
	if e.Kind == protocol.KindDelete && len(l.Purged) <= protocol.MaxPurged && slices.IsSorted(l.Purged) {
		e.Purged = l.Purged
	}
	if isPurgeable(e.Kind) {
		if e.Edited, e.Gone = l.Edited && !l.Gone, l.Gone; e.Gone {
			e.Text = ""
		}
	}
	if err := protocol.ValidRoom(l.Room); err != nil {
		return e, fmt.Errorf("room: %w", err)
	}
	if l.Seq > maxSeq {
		return e, fmt.Errorf("seq: %d is too large", l.Seq)
	}
	if e.ID, err = protocol.ParseID(l.ID); err != nil || e.ID.Version() != 7 {
		return e, fmt.Errorf("id: %q is no UUIDv7", l.ID)
	}
	if e.User, err = protocol.ParseUserID(l.User); err != nil {
		return e, fmt.Errorf("user: %w", err)
	}
	if err := protocol.ValidNick(l.From); err != nil {
		return e, fmt.Errorf("from: %w", err)
	}
	at, err := time.Parse(time.RFC3339Nano, l.At)
	if err != nil {
		return e, fmt.Errorf("at: %q is no time of the form 2026-11-22T18:00:00Z", l.At)
	}
	switch tomorrow := now.Add(24 * time.Hour); {
	case at.Before(time.Unix(1, 0)):
		return e, fmt.Errorf("at: %s is before there was a lanchat", l.At)
	case at.After(tomorrow): // all later entries would have to be later still
		return e, fmt.Errorf("at: %s is in the future", l.At)
	}
	e.At = at.UnixNano()
	if l.Target != "" {
		if e.Target, err = protocol.ParseID(l.Target); err != nil {
			return e, fmt.Errorf("target: %q is no id", l.Target)
		}
	}
	if e.MaxSize() > protocol.MaxFrame {
		return e, errors.New("text: it is longer than a message can be")
	}
	return e, nil
}
