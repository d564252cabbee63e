package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// chat is the whole of the screen. The event loop alone touches it; the pump
// hands it work through stage.update.
type chat struct {
	cfg   Config
	st    client.State
	leave func()      // ends Run
	focus <-chan bool // what the terminal tells about its focus; the pump takes it

	looks    looks
	lists    map[string]*msgList // by room
	pen                          // what is being written
	people   []protocol.Member   // of the room peopleOf; nil: to be listed anew
	peopleOf string
	settings *Settings
	keys     *keymap
	theme    *theme
	wear     func(*theme) // changes it
	over     layer        // what is over the talk; nil: nothing
	went     string       // the room that was gone to last
	jump     *jump        // where one is going in the talk; nil: nowhere
	layout   layout       // as last drawn
	panes    panes
	held     border          // by the mouse
	found    *search         // as last closed; nil: nothing was searched
	refs     map[uint32]bool // requests of a layer's, which shows the answer if it is still open
	mention  place           // the last one that was gone to
	teller   teller

	flashed   string // a word to the user, for a moment
	flashedAt time.Time
	greetings []string // remarks for the first room there will be
	met       bool     // the server's key was spoken of

	leaving  bool                 // as soon as everything is sent
	ctrlC    time.Time            // when it was pressed last
	asked    map[string]time.Time // pages of history asked for, by room
	typed    time.Time            // when the room was last told
	read     map[string]uint64    // seen at the end, by room
	readSent map[string]uint64
}

// How often something is sent, and how long something is shown.
const (
	typingEvery = 3 * time.Second
	flashFor    = 6 * time.Second
	pageAgain   = 10 * time.Second // a page that does not come is asked for again
	pageSize    = 200
	twice       = 2 * time.Second  // between two presses of Ctrl-C
	writingNow  = 3 * time.Second  // since the last key
	movedAgo    = 10 * time.Second // so long it may not have been seen that the room has changed
)

func newChat(cfg Config) *chat {
	u := &chat{cfg: cfg, lists: map[string]*msgList{},
		pen: newPen(), asked: map[string]time.Time{}, refs: map[uint32]bool{}, read: map[string]uint64{}, readSent: map[string]uint64{}}
	if u.settings = cfg.Settings; u.settings == nil {
		u.settings = defaultSettings()
	}
	u.keys, u.theme = u.settings.keys, u.settings.theme
	u.wear = func(th *theme) { u.theme = th }
	u.greetings = slices.Clone(cfg.Remarks)
	u.st.Default = cfg.Default
	u.st.Apply(client.Selected{Room: cfg.Room})
	return u
}

func (u *chat) now() time.Time { return u.cfg.Now() }

// room is the active room; nil while it is not joined.
func (u *chat) room() *client.Room { return u.st.Room(u.st.Active) }

func (u *chat) list() *msgList {
	l := u.lists[u.st.Active]
	if l == nil {
		l = newMsgList(&u.looks, u.now().Location())
		u.lists[u.st.Active] = l
	}
	u.looks.setMe(u.st.Me.User)
	return l
}

// apply takes events from the engine.
func (u *chat) apply(events []client.Event) {
	active := u.st.Active
	for _, ev := range events {
		if !u.forLayer(ev) {
			u.st.Apply(ev)
		}
		switch ev := ev.(type) {
		case client.WentUp:
			u.wentUp(ev)
		case client.GaveUp:
			u.say("There is no connection, and no further try will be made: %v", ev.Err)
		case client.WentDown:
			clear(u.asked)
			clear(u.readSent)
			u.found.lost()
			clear(u.refs)
		case client.Recalled:
			u.recall(ev.Drafts)
		case client.Received:
			u.received(ev.Message)
		}
	}
	if active != "" && active != u.st.Active && u.now().Sub(u.struck) < writingNow {
		u.moved = u.now() // the keys that come may have been meant for the other room
		u.say("You are in %s now, and what you write goes there", u.title())
	}
	if len(u.greetings) > 0 && u.room() != nil {
		for _, text := range u.greetings {
			u.remark(text)
		}
		u.greetings = nil
	}
	u.hear()
	u.settle()
}

// forLayer is true for a refusal that a layer shows: the talk need not say it too.
func (u *chat) forLayer(ev client.Event) bool {
	r, ok := ev.(client.Received)
	if !ok {
		return false
	}
	e, ok := r.Message.(*protocol.Error)
	return ok && u.refs[e.Ref]
}

func (u *chat) wentUp(ev client.WentUp) {
	u.connected = true
	if ev.Server.NewKey && !u.met {
		u.met = true
		u.greetings = append(u.greetings, fmt.Sprintf("You meet this server for the first time. Its key words: %s. Compare them with those that its owner sees.\nWrite a line and press Enter; F1 shows the keys and the commands.", ev.Server.KeyWords))
	}
	if ev.Asked != "" && ev.Asked != ev.Me.Nick {
		u.greetings = append(u.greetings, fmt.Sprintf("The name %s is somebody else's here, so you are %s. /nick changes it.", ev.Asked, client.ShownNick(ev.Me.Nick, ev.Me.Guest)))
	}
}

func (u *chat) received(m protocol.Message) {
	switch m := m.(type) {
	case *protocol.Joined, *protocol.Presence, *protocol.Who:
		u.people = nil
	case *protocol.Moderate:
		if u.room() == nil && m.Text != "" {
			u.say("%s", m.Text)
		}
	case *protocol.Page:
		delete(u.asked, m.Room)
		if l := u.lists[m.Room]; l != nil {
			l.first = 1 // not again before it is drawn
		}
	case *protocol.Left:
		delete(u.lists, m.Room)
		delete(u.read, m.Room)
		u.endSubjectOf(m.Room)
		if m.Room == u.st.Active && len(u.st.Rooms) > 0 {
			u.open(u.st.Rooms[0].Name)
		}
		if m.Ref == 0 && m.Text != "" && u.room() == nil {
			u.say("You are not in #%s any more: %s", m.Room, m.Text)
		}
	case *protocol.Rooms:
		if u.popupOpen() && !u.popup.put {
			u.suggest()
		}
		if p, open := u.over.(*palette); open {
			p.answer(m)
		}
		if list := u.st.RoomList(m); !u.answered(m.Ref) && list != "" {
			u.remark(list)
		}
	case *protocol.Whois:
		u.remark(client.Whois(m))
	case *protocol.Invite:
		terms, link := u.st.Invited(m)
		u.remark(terms + "\nCtrl-X and c copy it; chat invite, outside of this program, has a QR code too.")
		if link != "" {
			u.remark(link)
		}
	case *protocol.Found:
		u.found.answer(m)
		if !u.answered(m.Ref) {
			u.remark(u.st.FoundList(m))
		}
	case *protocol.Error:
		u.found.failed(m)
		u.answered(m.Ref)
		clear(u.asked) // it may have been the answer
		if u.room() == nil {
			u.say("The server says: %s", m.Error())
		}
	}
}

// ask sends a request of a layer's.
func (u *chat) ask(m protocol.Message) (ref uint32, err error) {
	if ref, err = u.cfg.Engine.Request(m); err == nil {
		u.refs[ref] = true
	}
	return ref, err
}

// answered reports whether a layer has asked for an answer.
func (u *chat) answered(ref uint32) bool {
	asked := u.refs[ref]
	delete(u.refs, ref)
	return asked
}

// settle does what follows from a change: of the state, of the list's place.
func (u *chat) settle() {
	u.teller.entitle(u)
	u.keepPaste()
	if u.leaving && u.cfg.Engine.Waiting() == 0 {
		u.leave()
	}
	room := u.room()
	if room == nil {
		return
	}
	l := u.list()
	if u.went != room.Name {
		u.went = room.Name
		l.opened = l.opened || !l.standing
	}
	if l.opened {
		l.openAtLine(room)
	}
	if l.atEnd() && l.height > 0 && u.talkSeen() && !u.st.Away {
		if seq := room.LastSeq(); seq > u.read[room.Name] {
			u.read[room.Name] = seq
		}
	}
	u.stepJump()
	u.loadOlder(room, l)
}

// loadOlder asks for the page above, when the first line held is on the screen.
func (u *chat) loadOlder(room *client.Room, l *msgList) {
	empty := len(room.Items) == 0 && room.LastSeq() >= room.Head // and nothing is on its way
	if !room.Older || l.first > 0 && !empty && !u.jump.in(room) || u.st.Link.Phase != client.Up || u.now().Sub(u.asked[room.Name]) < pageAgain {
		return
	}
	_, err := u.cfg.Engine.Request(&protocol.History{Room: room.Name, Before: room.FirstSeq(), Limit: u.jump.page()})
	if err == nil {
		u.asked[room.Name] = u.now()
	}
}

// tick is called twice a second.
func (u *chat) tick() {
	if u.flashed != "" && u.now().Sub(u.flashedAt) > flashFor {
		u.flashed = ""
	}
	if now := u.now(); now.Sub(u.keptAt) >= keepEvery {
		u.keptAt = now
		u.keepDrafts()
	}
	u.settle()
	u.sendRead()
	u.teller.due(u.now())
}

// sendRead tells the server what has been read, at most once a tick. A guest has
// no marker.
func (u *chat) sendRead() {
	if u.st.Link.Phase != client.Up || u.st.Me.Guest {
		return
	}
	for name, seq := range u.read {
		if seq <= u.readSent[name] || u.st.Room(name) == nil {
			continue
		}
		if _, err := u.cfg.Engine.Request(&protocol.Read{Room: name, Seq: seq}); err == nil {
			u.readSent[name] = seq
		}
	}
}

// tellTyping tells the room that a message is being written.
func (u *chat) tellTyping() {
	e := u.input()
	if e.text == "" || strings.HasPrefix(e.text, "/") || u.room() == nil || u.now().Sub(u.typed) < typingEvery {
		return
	}
	if _, err := u.cfg.Engine.Request(&protocol.Typing{Room: u.st.Active}); err == nil {
		u.typed = u.now()
	}
}

// say shows the user a word for a moment; one that does not fit stays in the talk.
func (u *chat) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if u.room() != nil && width(text) > u.layout.bar.w-20 {
		u.flashed = ""
		u.remark(text)
		return
	}
	u.flashed, u.flashedAt = text, u.now()
}

// remark leaves the user a word in the talk.
func (u *chat) remark(text string) {
	u.st.Apply(client.Remarked{Room: u.st.Active, Text: text, At: u.now()})
}
