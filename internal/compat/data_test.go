package compat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/tied"
	"lanchat/protocol"
)

// legacy is what the earlier build has left.
type legacy struct {
	addr, data, admins     string
	ann, bob, carol, dave  *user
	eve                    *user
	invitation, token      string
	removed, present       protocol.Post
	removedSeq, presentSeq uint64
	read                   uint64 // ann's marker in the lobby
	export                 string
}

const someday = 20 * time.Second // for what takes a moment

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(someday); !holds(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not after %v", what, someday)
		}
	}
}

// peer is a connection of a user's key.
type peer struct {
	t *testing.T
	*protocol.Conn
}

// dials connects, and is in some rooms without hearing of them.
func (u *user) dials(addr string, rooms ...string) *peer {
	u.t.Helper()
	id, err := identity.LoadOrCreate(u.configDir(), u.nick)
	if err != nil {
		u.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(u.t.Context(), someday)
	defer stop()
	conn, _, err := protocol.Dial(ctx, addr, id.ClientTLS(nil), &protocol.Hello{Nick: u.nick})
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { conn.Close() })
	p := &peer{u.t, conn}
	for _, room := range rooms {
		if _, err := ask[*protocol.Joined](p, &protocol.Join{Ref: 1, Room: room, Quiet: true}); err != nil {
			u.t.Fatal(err)
		}
	}
	return p
}

// ask sends a message and returns the first answer of a type, or the server's error.
func ask[A protocol.Message](p *peer, m protocol.Message) (answer A, err error) {
	p.t.Helper()
	if err := p.Write(m); err != nil {
		p.t.Fatal(err)
	}
	for {
		got, err := p.Read()
		if err != nil {
			p.t.Fatal(err)
		}
		switch got := got.(type) {
		case A:
			return got, nil
		case *protocol.Error:
			return answer, got
		}
	}
}

func post(room, text string) protocol.Post {
	return protocol.Post{ID: protocol.NewID(), Room: room, Text: text}
}

// fill has the earlier programs make a data directory with something of every kind.
func fill(t *testing.T, old build) *legacy {
	l := &legacy{addr: tied.FreePort(t), data: t.TempDir()}
	for who, nick := range map[**user]string{&l.ann: "ann", &l.bob: "bob", &l.carol: "carol", &l.dave: "dave", &l.eve: "eve"} {
		*who = newUser(t, old, nick)
	}
	l.admins = write(t, filepath.Join(t.TempDir(), "admins"), l.ann.id()+"\n")

	// An entry that --keep removes, which leaves its id.
	l.removed = post("attic", "long ago")
	line, err := json.Marshal(map[string]any{"room": "attic", "seq": 7, "id": l.removed.ID.String(), "user": l.ann.id(), "from": "ann", "verified": true,
		"at": time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339Nano), "kind": "text", "text": l.removed.Text})
	if err != nil {
		t.Fatal(err)
	}
	old.manage(t, string(line)+"\n", "import", "--data", l.data)
	l.removedSeq = 7
	srv := old.serve(t, l.addr, l.data, "--post-rate", "10000", "--admins-file", l.admins, "--keep", "1h", "--webhook", "0")
	eventually(t, "--keep removes an entry", func() bool { return old.manage(t, "", "export", "--data", l.data, "--room", "attic") == "" })

	ann, bob := l.ann.joins(l.addr), l.bob.joins(l.addr)
	for _, step := range []struct{ say, hears string }{ // what an entry is about has to be there first
		{"hello", "<ann> hello"}, {"/topic legacy", "the topic: legacy"}, {"/me waves", "ann waves"}, {"wrong", "<ann> wrong"},
		{"/edit right", `corrected\)> right`}, {"away", "<ann> away"}, {"/delete", "deleted a message"}, {"/announce all is well", "all is well"},
	} {
		ann.Say(step.say)
		ann.Await(step.hears)
	}
	bob.Await(`announces: all is well`)
	bob.Say("/react +1", "/reply ann hello", "/msg ann psst")
	ann.Await(`<bob> psst`)
	l.eve.does("", "send", "-s", l.addr, "buy my coins")
	l.dave.does("", "send", "-s", l.addr, "I am dave")
	l.carol.does("", "send", "-s", l.addr, "--bot", "I am a bot")
	l.ann.does("", "send", "-s", l.addr, "--code", "a\n b")
	ann.Say("/mute dave", "/op bob", "/ban eve 30d spam", "/ban 10.9.9.9")
	ann.Await(`has made bob an op`)
	bob.Say("/private den")
	bob.Await(`you are in #den`)
	bob.Say("/invite")
	ofCarol := bob.Await(`chat://\S+`)[0]
	bob.Say("/invite")
	l.invitation = bob.Await(`chat://\S+`)[0]
	carol := l.carol.joins(ofCarol)
	carol.Say("I am in")
	bob.Await(`<carol> I am in`)
	carol.Say("/quit")
	bob.Say("/lock", "/slow 1h")
	bob.Await(`made this a slow room`)

	// Plain lines, a webhook, and what the protocol alone shows.
	guest, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	if _, err := io.WriteString(guest, "I have nc alone\n"); err != nil {
		t.Fatal(err)
	}
	ann.Await(`<~guest-\d+> I have nc alone`)
	l.token = strings.TrimSpace(old.manage(t, "", "webhook", "add", "build", "--data", l.data, "--as", "jenkins"))
	l.present = post(protocol.DefaultRoom, "said once")
	p := l.ann.dials(l.addr, protocol.DefaultRoom)
	ack, err := ask[*protocol.Ack](p, &l.present)
	if err != nil {
		t.Fatal(err)
	}
	l.presentSeq, l.read = ack.Seq, ack.Seq-2
	if err := p.Write(&protocol.Read{Room: protocol.DefaultRoom, Seq: l.read}); err != nil {
		t.Fatal(err)
	}
	if _, err := ask[*protocol.Rooms](p, &protocol.Rooms{Ref: 1}); err != nil { // it comes after the marker
		t.Fatal(err)
	}
	ann.Say("/quit")
	bob.Say("/quit")
	ann.Exit()
	bob.Exit()
	if code := srv.Interrupt(); code != 0 {
		t.Fatalf("the old chatd ends with %d:\n%s", code, srv.Output())
	}
	l.export = old.manage(t, "", "export", "--data", l.data, "--direct")
	return l
}

// What the earlier build has kept is all there for today's.
func TestDataDirectory(t *testing.T) {
	t.Parallel()
	old, today := builds(t)
	l := fill(t, old)
	hook := tied.FreePort(t)
	srv := today.serve(t, l.addr, l.data, "--admins-file", l.admins, "--webhook", hook)
	sameEntries(t, l.export, today.manage(t, "", "export", "--data", l.data, "--direct")) // which takes a log that was opened once

	p := l.ann.dials(l.addr, protocol.DefaultRoom, "attic")
	for _, tt := range []struct {
		post protocol.Post
		seq  uint64
	}{{l.removed, l.removedSeq}, {l.present, l.presentSeq}} {
		if ack, err := ask[*protocol.Ack](p, &tt.post); err != nil || ack.Seq != tt.seq {
			t.Errorf("%q sent again: %+v, %v; want the number %d, as the first time", tt.post.Text, ack, err, tt.seq)
		}
		tt.post.Text = "another text"
		_, err := ask[*protocol.Ack](p, &tt.post)
		if e, ok := errors.AsType[*protocol.Error](err); !ok || e.Code != protocol.CodeIDConflict {
			t.Errorf("another text under an id that is in use: %v", err)
		}
	}
	joined, err := ask[*protocol.Joined](p, &protocol.Join{Ref: 1, Room: protocol.DefaultRoom, After: l.presentSeq})
	if err != nil || joined.Read != l.read || joined.Topic != "legacy" || joined.Role != protocol.RoleAdmin {
		t.Errorf("ann joins the lobby: %+v, %v; want the marker %d, the topic and the role", joined, err, l.read)
	}
	p.Close()

	res, err := http.Post("http://"+hook+"/hook/"+l.token, "text/plain", strings.NewReader("tests are green"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 200 || !strings.Contains(string(b), `"room":"build"`) {
		t.Errorf("the old webhook token: %s %s", res.Status, b)
	}

	// People come with either program.
	l.bob.with, l.dave.with = today, today
	_, errs := l.eve.ends(4, "", "send", "-s", l.addr, "x")
	if !strings.Contains(errs, "banned") || !strings.Contains(errs, "spam") {
		t.Errorf("eve is told %s", errs)
	}
	l.dave.ends(4, "", "send", "-s", l.addr, "x") // muted
	l.dave.ends(4, "", "who", "-s", l.addr, "-r", "den")
	l.carol.does("", "who", "-s", l.addr, "-r", "den")
	ann, bob := l.ann.joins(l.addr), l.bob.joins(l.addr)
	ann.Say("/bans")
	banned := ann.Await(`(?:.*\n)*.*10\.9\.9\.9(?:.*\n)*`)[0]
	if !strings.Contains(ann.Output(), "eve") {
		t.Errorf("the bans are\n%s", banned)
	}
	bob.Say("/who")
	bob.Await(`bob \(op\)`)
	bob.Say("/msg ann still here")
	ann.Await(`@bob <bob> still here`)
	dm := ann.Output()
	if !strings.Contains(dm, "psst") {
		l.ann.with = today
		again := l.ann.joins(l.addr)
		again.Say("/msg bob and you")
		again.Await(`<bob> psst`)
		again.Say("/quit")
	}
	frank := newUser(t, today, "frank").joins(l.invitation)
	frank.Say("/topic mine")
	frank.Await(`ops`) // it is locked
	frank.Say("one", "two")
	frank.Await(`not sent: .*slow`)
	mallory := newUser(t, today, "ann").joins(l.addr)
	if out := mallory.Output(); !strings.Contains(out, "as ann-2") {
		t.Errorf("a nick that is another key's was granted:\n%s", out)
	}
	for _, nick := range []string{"bob", "carol", "dave"} {
		stranger := newUser(t, today, nick).joins(l.addr)
		if out := stranger.Output(); strings.Contains(out, "as "+nick+";") {
			t.Errorf("a nick that is another key's was granted:\n%s", out)
		}
		stranger.Say("/quit")
	}
	if code := srv.Interrupt(); code != 0 {
		t.Errorf("chatd ends with %d:\n%s", code, srv.Output())
	}
	sameEntries(t, l.export, today.manage(t, "", "export", "--data", l.data, "--direct"))
}

// sameEntries compares two exports: every line of the earlier one is in the later one,
// with all that it says.
func sameEntries(t *testing.T, earlier, later string) {
	t.Helper()
	parse := func(text string) map[string]map[string]any {
		all := map[string]map[string]any{}
		for line := range strings.Lines(text) {
			var e map[string]any
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			all[fmt.Sprint(e["room"], " ", e["seq"])] = e
		}
		return all
	}
	want, got := parse(earlier), parse(later)
	if len(want) < 20 {
		t.Errorf("the earlier log has %d entries: too few to tell anything", len(want))
	}
	kinds := map[any]bool{}
	for _, at := range slices.Sorted(maps.Keys(want)) {
		kinds[want[at]["kind"]] = true
		for field, value := range want[at] {
			if now := got[at][field]; fmt.Sprint(now) != fmt.Sprint(value) {
				t.Errorf("entry %s: %s is %v, and was %v", at, field, now, value)
			}
		}
	}
	for _, kind := range []string{"text", "action", "topic", "edit", "delete", "reaction", "announce", "deed"} {
		if !kinds[kind] {
			t.Errorf("the earlier log has no entry of the kind %s", kind)
		}
	}
}
