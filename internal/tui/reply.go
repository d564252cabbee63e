package tui

import (
	"errors"
	"slices"
	"strings"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// subject is what the text in a room's input is about: a reply to an entry, or its
// new wording.
type subject struct {
	item  *client.Item
	edit  bool
	draft editor // of an edit: what was being written before
	sure  bool   // an edit was emptied, and Enter pressed: again deletes
}

// subject is nil when the input is about nothing.
func (u *chat) subject() *subject { return u.subjects[u.st.Active] }

// replyTo makes what is written in the active room a reply to an item. What is
// already in the input becomes its text.
func (u *chat) replyTo(it *client.Item) {
	if it.Status != client.Said && it.Status != client.Acked || it.Entry.Gone {
		u.say("Only to what was said, and is still there, can there be a reply")
		return
	}
	u.endSubject()
	u.subjects[u.st.Active] = &subject{item: it}
	u.flashed = ""
}

// editItem puts an own message into the input, to be changed. One that was refused
// is taken off the list: it is written anew.
func (u *chat) editItem(it *client.Item) {
	kind := it.Entry.Kind
	switch {
	case !it.Mine || it.Status == client.Notice || kind != protocol.KindText && kind != protocol.KindAction:
		u.say("Only what you have said yourself can be changed")
	case it.Entry.Gone:
		u.say("This message was deleted")
	case it.Status == client.Failed:
		u.takeBack(it)
	case it.Status == client.Pending:
		u.say("This is still on its way: once it is sent it can be changed")
	default:
		u.endSubject()
		text := it.Entry.Text
		if c := it.Change; c != nil && c.Kind == protocol.KindEdit {
			text = c.Text
		}
		e := u.input()
		u.subjects[u.st.Active] = &subject{item: it, edit: true, draft: *e}
		*e = editor{bin: e.bin}
		e.set(literal(text))
		e.undos = nil
		u.flashed = ""
	}
}

// literal is a text as it is typed so that it is no command.
func literal(text string) string {
	if strings.HasPrefix(text, "/") {
		return "/" + text
	}
	return text
}

// takeBack puts a refused message back into the input.
func (u *chat) takeBack(it *client.Item) {
	if u.input().text != "" || u.subject() != nil {
		u.say("First send or clear what you are writing")
		return
	}
	text := literal(it.Entry.Text)
	if it.Entry.Kind == protocol.KindAction {
		text = "/me " + it.Entry.Text
	}
	if room := u.room(); it.Entry.Kind == protocol.KindText && !it.Entry.Target.IsZero() && room != nil {
		if i := slices.IndexFunc(room.Items, func(to *client.Item) bool { return to.Entry.ID == it.Entry.Target }); i >= 0 {
			u.replyTo(room.Items[i])
		}
	}
	u.input().set(text)
	u.st.Apply(client.Dropped{Room: u.st.Active, ID: it.Entry.ID})
}

// editLast puts the last message of this user into the input.
func (u *chat) editLast() {
	room := u.room()
	if room == nil {
		return
	}
	for i := room.Len() - 1; i >= 0; i-- {
		it := room.At(i)
		if k := it.Entry.Kind; it.Mine && it.Status != client.Notice && !it.Entry.Gone && (k == protocol.KindText || k == protocol.KindAction) {
			u.editItem(it)
			return
		}
	}
	u.say("You have said nothing here yet")
}

// endSubject ends a reply or an edit of the active room. The text of a reply stays,
// as one that answers nothing; an edit gives way to what was there before it.
func (u *chat) endSubject() { u.endSubjectOf(u.st.Active) }

func (u *chat) endSubjectOf(room string) {
	s := u.subjects[room]
	if s == nil {
		return
	}
	delete(u.subjects, room)
	if s.edit {
		*u.inputOf(room) = s.draft
	}
	if room == u.st.Active {
		u.flashed = ""
	}
}

// sendAbout posts the text that is about something.
func (u *chat) sendAbout(s *subject, text string) error {
	it := s.item
	if room := u.room(); room != nil {
		// Since it was chosen it may have been changed, and its item replaced.
		if i := slices.IndexFunc(room.Items, func(now *client.Item) bool { return now.Entry.ID == it.Entry.ID }); i >= 0 {
			it = room.Items[i]
		}
	}
	if text != "" {
		s.sure = false
	}
	kind := protocol.KindText
	switch {
	case !s.edit && strings.HasPrefix(text, "//"):
		text = text[1:]
	case !s.edit:
	case text == "" && !s.sure:
		s.sure = true
		return errors.New("press Enter again to delete this message; Esc leaves it as it is")
	case text == "":
		kind = protocol.KindDelete
	case isCommand(text):
		return errors.New("a message is being changed: Esc ends that, and // begins a text with a /")
	default:
		kind = protocol.KindEdit
		if strings.HasPrefix(text, "//") {
			text = text[1:]
		}
		if text == it.Entry.Text && it.Change == nil {
			u.endSubject()
			u.say("Nothing was changed")
			return nil
		}
	}
	events, err := client.About(u.cfg.Engine, &u.st, it, kind, text)
	for _, ev := range events {
		u.st.Apply(ev)
	}
	if err != nil {
		return err
	}
	if !s.edit {
		u.past.add(literal(text))
		u.input().clear()
	}
	u.endSubject()
	return nil
}

// words says what the input is about, for the row above it.
func (s *subject) words(w int) string {
	who := client.ShownNick(s.item.Entry.Nick, s.item.Entry.Guest)
	what, end := signReply+" "+who+": ", "  (Esc: not a reply)"
	if s.edit {
		what, end = signEdit+" changing: ", "  (Esc: leave it as it is)"
	}
	if w < 50 {
		end = ""
	}
	text := s.item.Entry.Text
	text = strings.ToValidUTF8(text[:min(len(text), 1000)], "") // more never fits
	return fit(what+safetext.Line(text), w-width(end)) + end
}

// signEdit stands before a message that is being changed, as signReply does before
// what is answered.
const signEdit = "✎"

// prompt says which room the input goes to, and what it is about where there is no
// row for that.
func (u *chat) prompt(w int, about string) string {
	if about != "" {
		about += " "
	}
	if w < 20 {
		return about + "> "
	}
	return about + fit(u.title(), max(8, w/4)) + "> "
}

// inputRows counts the rows that the input would have.
func (u *chat) inputRows(w int) int {
	switch {
	case u.seek != nil:
		return 1
	case u.subject() != nil:
		return 1 + u.input().rows(w-width(u.prompt(w, "")))
	}
	return u.input().rows(w - width(u.prompt(w, "")))
}

func (u *chat) drawInput(p painter) {
	s, sign := u.subject(), ""
	switch {
	case u.seek != nil:
		u.drawSeek(p)
		return
	case s != nil && p.h > 1:
		p.text(0, 0, s.words(p.w), quote)
		p = p.sub(0, 1, p.w, p.h-1)
	case s != nil && s.edit:
		sign = signEdit
	case s != nil:
		sign = signReply
	}
	x := p.text(0, 0, u.prompt(p.w, sign), bold)
	u.input().draw(p.sub(x, 0, p.w-x, p.h))
}
