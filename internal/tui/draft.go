package tui

import (
	"time"

	"lanchat/internal/client"
)

// pen is what the user is writing with.
type pen struct {
	drafts   map[string]*editor  // the inputs, by room
	subjects map[string]*subject // what they are about, by room
	past     history
	seek     *seek // in the history; nil: none
	bin      string
	popup    popup
	asking   *pasted   // what is to become of a paste; nil: nothing is asked
	struck   time.Time // when a key was pressed last
	moved    time.Time // when the room changed under what was being written

	connected  bool              // was once
	kept       map[string]string // drafts as they were last kept, by room
	keptAt     time.Time
	roomsAsked time.Time // of the server, for completion
}

func newPen() pen {
	return pen{drafts: map[string]*editor{}, subjects: map[string]*subject{}, kept: map[string]string{}}
}

func (u *chat) input() *editor { return u.inputOf(u.st.Active) }

func (u *chat) inputOf(room string) *editor {
	e := u.drafts[room]
	if e == nil {
		e = &editor{bin: &u.bin}
		u.drafts[room] = e
	}
	return e
}

// What is being written in each room is kept on disk by the engine: while it is
// written, when the room is left, and when the chat ends, however it does.

const keepEvery = time.Second

// draft is what is kept of a room's input.
func (u *chat) draft(room string) string {
	if s := u.subjects[room]; s != nil && s.edit {
		return s.draft.draft() // the message that is being changed is no draft
	}
	if e := u.drafts[room]; e != nil {
		return e.draft()
	}
	return ""
}

// keepDraft keeps a room's draft if it has changed. Before the first connection
// the engine does not know for which server.
func (u *chat) keepDraft(room string) {
	if text := u.draft(room); u.connected && text != u.kept[room] {
		u.kept[room] = text
		ev := client.Drafted{Room: room, Text: text}
		u.st.Apply(ev)
		u.cfg.Engine.Keep(ev)
	}
}

func (u *chat) keepDrafts() {
	for room := range u.drafts {
		u.keepDraft(room)
	}
}

// end is the last that is done, however the chat ends.
func (u *chat) end() {
	u.over = nil
	u.keepPaste()
	u.keepDrafts()
}

// recall puts the drafts of an earlier run where nothing is written yet. Those
// whose place is taken are in the history.
func (u *chat) recall(drafts map[string]string) {
	for room, text := range drafts {
		if u.draft(room) != "" || u.subjects[room] != nil || len(text) > maxInput {
			if text != u.draft(room) {
				u.past.add(text)
			}
			continue
		}
		u.kept[room] = text
		u.inputOf(room).set(text)
	}
}
