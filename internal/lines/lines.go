// Package lines shows a client's state as plain lines, without moving a cursor:
// for pipes, logs, screen readers, dumb terminals and scripts. It is behind
// chat --plain, send, tail, who and rooms.
//
// A line for people is
//
//	15:04 #lobby <ann> hello
//	15:04 #lobby * ann waves
//	15:04 #lobby <bob (to ann: hello)> good morning
//	15:04 #lobby <ann (corrected)> hello all
//	15:04 #lobby -- bob reacts 👍 to ann: hello all
//	15:04 #lobby -- ann has deleted a message
//	15:04 #lobby <cobot (bot)> the build is green
//	15:04 #lobby ! ann announces: pizza is here
//	15:04 #lobby ! ann has muted bob for 10 min
//	15:04 #lobby -- a remark of this program
//
// A guest's nick, which no key proves, has a ~ before it. A line says by how it
// begins whose word it is, and no text can change that:
//
//   - between < and the first > stands who speaks, and what the server or this
//     program knows of the message; behind it their text;
//   - behind * what a person says of themselves;
//   - behind -- what the server or this program tells, behind ! what ops announce.
//
// Further lines of a text are indented by four spaces. Where a terminal breaks a
// long line it does so by itself: a line begins with its time. Text from right to
// left stays as it was written, without characters that turn the direction, so a
// terminal that orders it does so within its line. A line for programs is one JSON
// object: see [Record].
//
// What is printed was cleaned by package safetext when it came in, and is
// cleaned again here.
//
// Each function reads the client's events until it is done. Only one of them
// may run on one client at a time.
package lines

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// Engine is what this package needs of a client.Client.
type Engine interface {
	client.Engine
	Events() <-chan client.Event
}

// Record is an entry as one JSON object on a line.
type Record struct {
	Room     string `json:"room"`
	Seq      uint64 `json:"seq"`
	ID       string `json:"id"`
	From     string `json:"from"`     // the nick
	User     string `json:"user"`     // 26 characters of base32
	Verified bool   `json:"verified"` // a key stands behind the nick
	Bot      bool   `json:"bot,omitempty"`
	At       string `json:"at"`   // RFC 3339 with nanoseconds, UTC
	Kind     string `json:"kind"` // text, action, topic, edit, delete, reaction, …
	Text     string `json:"text"`
	Target   string `json:"target,omitempty"` // the id of the entry that this one is about

	Edited    bool       `json:"edited,omitempty"` // text is not the first one
	Gone      bool       `json:"gone,omitempty"`   // it was deleted, and text is empty
	Reactions []Reaction `json:"reactions,omitempty"`
	Purged    []uint64   `json:"purged,omitempty"` // of a delete: the seqs of all that it deletes
}

// Reaction is one reaction in a Record, with how many people gave it; in the
// Record of a reaction itself, how many do now.
type Reaction struct {
	Text string `json:"text"`
	N    uint32 `json:"n"`
}

// NewRecord makes a Record of an entry.
func NewRecord(e *protocol.Entry) Record {
	r := Record{
		Room: safetext.Line(e.Room), Seq: e.Seq, ID: e.ID.String(), From: safetext.Line(e.Nick), User: e.User.String(), Verified: !e.Guest, Bot: e.Bot,
		At: time.Unix(0, e.At).UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), Kind: safetext.Line(string(e.Kind)), Text: safetext.Text(e.Text),
		Edited: e.Edited, Gone: e.Gone, Purged: e.Purged,
	}
	for _, reaction := range e.Reactions {
		r.Reactions = append(r.Reactions, Reaction{safetext.Line(reaction.Text), reaction.Count})
	}
	if e.Kind == protocol.KindText {
		r.Kind = "text"
	}
	if !e.Target.IsZero() {
		r.Target = e.Target.String()
	}
	return r
}

// printer writes entries in the chosen form.
type printer struct {
	out  io.Writer
	json bool
	loc  *time.Location
	// dates has each line say the day too: not all are of today.
	dates bool
}

func (p *printer) entry(title string, e *protocol.Entry) error {
	if p.json {
		line, err := json.Marshal(NewRecord(e))
		if err != nil {
			return err
		}
		_, err = p.out.Write(append(line, '\n'))
		return err
	}
	return p.said(title, e, nil)
}

// said prints an entry for people, unless a later one has left nothing to say of
// it. about is the entry that it is about, nil where that is not at hand.
func (p *printer) said(title string, e, about *protocol.Entry) error {
	if words := inWords(e, about); words != "" {
		return p.line(time.Unix(0, e.At), title, words)
	}
	return nil
}

func inWords(e, about *protocol.Entry) string {
	who, text := client.ShownNick(e.Nick, e.Guest), safetext.Links(e.Text)
	if e.Bot {
		who += " (bot)" // no nick has a space
	}
	switch {
	case e.Gone:
		return fmt.Sprintf("-- %s has deleted this message", who)
	case e.Edited:
		who += " (edited)"
	}
	switch e.Kind {
	case protocol.KindText:
		if e.Target.IsZero() {
			return fmt.Sprintf("<%s> %s", who, text)
		}
		return fmt.Sprintf("<%s (to %s)> %s", who, firstWords(about), text)
	case protocol.KindAction:
		return fmt.Sprintf("* %s %s", who, text)
	case protocol.KindAnnounce:
		return fmt.Sprintf("! %s announces: %s", who, text)
	case protocol.KindDeed:
		return fmt.Sprintf("! %s %s", who, text)
	case protocol.KindTopic:
		return fmt.Sprintf("-- %s has set the topic: %s", who, text)
	case protocol.KindEdit:
		if text == "" { // what it has corrected was deleted since
			return ""
		}
		return fmt.Sprintf("<%s (corrected)> %s", who, text)
	case protocol.KindDelete:
		if e.Purged != nil { // the room is told when all is deleted
			return ""
		}
		return fmt.Sprintf("-- %s has deleted a message", who)
	case protocol.KindReaction:
		return reacts(who, e, about)
	default:
		return fmt.Sprintf("<%s (%s)> %s", who, headless.Replace(string(e.Kind)), text)
	}
}

// reacts words a reaction. One that was taken back is worth a line only where it
// is known what it was about.
func reacts(who string, e, about *protocol.Entry) string {
	takenBack := false
	if len(e.Reactions) == 1 {
		// Up to so many are named: who is not among fewer has taken it back.
		r := e.Reactions[0]
		takenBack = int(r.Count) <= len(r.By) && !slices.Contains(r.By, e.User)
	}
	switch {
	case about == nil && takenBack:
		return ""
	case about == nil:
		return fmt.Sprintf("-- %s reacts: %s", who, e.Text)
	case takenBack:
		return fmt.Sprintf("-- %s takes back %s to %s", who, e.Text, firstWords(about))
	}
	return fmt.Sprintf("-- %s reacts %s to %s", who, e.Text, firstWords(about))
}

// firstMost is how many characters of a text remind of it.
const firstMost = 40

// firstWords reminds of an entry: who said it, and how it begins.
func firstWords(e *protocol.Entry) string {
	if e == nil {
		return "an earlier message"
	}
	who := client.ShownNick(e.Nick, e.Guest)
	if e.Gone {
		return who + ": (deleted)"
	}
	text := strings.Join(strings.Fields(e.Text), " ")
	if runes := []rune(text); len(runes) > firstMost {
		text = string(runes[:firstMost])
		if i := strings.LastIndexByte(text, ' '); i > 0 {
			text = text[:i]
		}
		text += "…"
	}
	return who + ": " + headless.Replace(text)
}

// headless keeps what somebody wrote from ending the head of a line.
var headless = strings.NewReplacer("<", "‹", ">", "›")

// remark prints what this program has to say, never as JSON.
func (p *printer) remark(at time.Time, title, text string) error {
	if p.json {
		return nil
	}
	return p.line(at, title, "-- "+text)
}

func (p *printer) line(at time.Time, title, text string) error {
	text = strings.ReplaceAll(safetext.Text(text), "\n", "\n    ")
	if title != "" {
		title = safetext.Line(title) + " "
	}
	layout := "15:04"
	if p.dates {
		layout = "2006-01-02 15:04"
	}
	_, err := fmt.Fprintf(p.out, "%s %s%s\n", at.In(p.loc).Format(layout), title, text)
	return err
}
