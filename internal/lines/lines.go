// Package lines shows a client's state as plain lines, without moving a cursor:
// for pipes, logs, screen readers, dumb terminals and scripts. It is behind
// chat --plain, send, tail, who and rooms.
//
// A line for people is
//
//	15:04 #lobby <ann> hello
//	15:04 #lobby * ann waves
//	15:04 #lobby -- a remark of this program
//
// A guest's nick, which no key proves, has a ~ before it. Further lines of a
// text are indented by four spaces, so that nobody can write a line that looks
// like another's. A line for programs is one JSON object: see [Record].
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
		Room: e.Room, Seq: e.Seq, ID: e.ID.String(), From: safetext.Line(e.Nick), User: e.User.String(), Verified: !e.Guest, Bot: e.Bot,
		At: time.Unix(0, e.At).UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), Kind: string(e.Kind), Text: safetext.Text(e.Text),
		Edited: e.Edited, Gone: e.Gone,
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
	who := client.ShownNick(e.Nick, e.Guest)
	text := e.Text
	if e.Edited {
		text = "(edited) " + text
	}
	said := fmt.Sprintf("<%s> %s", who, text)
	switch e.Kind {
	case protocol.KindText, protocol.KindAction:
		if e.Kind == protocol.KindAction {
			said = fmt.Sprintf("* %s %s", who, text)
		}
		if e.Gone {
			said = fmt.Sprintf("* %s has deleted this message", who)
		}
	case protocol.KindTopic:
		said = fmt.Sprintf("* %s has set the topic: %s", who, e.Text)
	case protocol.KindEdit:
		if e.Text == "" { // what it has corrected was deleted since
			return nil
		}
		said = fmt.Sprintf("<%s> (corrected) %s", who, e.Text)
	case protocol.KindDelete:
		said = fmt.Sprintf("* %s has deleted a message", who)
	case protocol.KindReaction:
		if len(e.Reactions) == 1 && e.Reactions[0].Count == 0 { // it was taken back
			return nil
		}
		said = fmt.Sprintf("* %s reacts: %s", who, e.Text)
	default:
		said = fmt.Sprintf("<%s> [%s] %s", who, e.Kind, e.Text)
	}
	return p.line(time.Unix(0, e.At), title, said)
}

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
