package client

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

func TestModerationCommands(t *testing.T) {
	for _, tt := range []struct {
		line string
		want protocol.Moderate
		err  string
	}{
		{line: "/kick @bob: too loud", want: protocol.Moderate{Do: "kick", Room: "lobby", Who: "bob", Text: "too loud"}},
		{line: "/mute bob 10m spam", want: protocol.Moderate{Do: "mute", Room: "lobby", Who: "bob", For: 600, Text: "spam"}},
		{line: "/mute bob", want: protocol.Moderate{Do: "mute", Room: "lobby", Who: "bob"}},
		{line: "/unmute ~guest-1", want: protocol.Moderate{Do: "unmute", Room: "lobby", Who: "guest-1"}},
		{line: "/op bob", want: protocol.Moderate{Do: "op", Room: "lobby", Who: "bob"}},
		{line: "/deop bob", want: protocol.Moderate{Do: "deop", Room: "lobby", Who: "bob"}},
		{line: "/lock", want: protocol.Moderate{Do: "lock", Room: "lobby"}},
		{line: "/unlock", want: protocol.Moderate{Do: "unlock", Room: "lobby"}},
		{line: "/slow 30", want: protocol.Moderate{Do: "slow", Room: "lobby", For: 30}},
		{line: "/slow off", want: protocol.Moderate{Do: "slow", Room: "lobby"}},
		{line: "/private", want: protocol.Moderate{Do: "private", Room: "lobby"}},
		{line: "/private #Den", want: protocol.Moderate{Do: "private", Room: "den"}},
		{line: "/public", want: protocol.Moderate{Do: "public", Room: "lobby"}},
		{line: "/uninvite bob", want: protocol.Moderate{Do: "uninvite", Room: "lobby", Who: "bob"}},
		{line: "/ban bob 7d being loud", want: protocol.Moderate{Do: "ban", Who: "bob", For: 7 * 86400, Text: "being loud"}},
		{line: "/ban fe80::1 2h", want: protocol.Moderate{Do: "ban", Who: "fe80::1", For: 7200}},
		{line: "/ban bob being loud", want: protocol.Moderate{Do: "ban", Who: "bob", Text: "being loud"}},
		{line: "/unban 10.0.0.7", want: protocol.Moderate{Do: "unban", Who: "10.0.0.7"}},
		{line: "/bans", want: protocol.Moderate{Do: "bans"}},
		{line: "/free @bob", want: protocol.Moderate{Do: "free", Who: "bob"}},
		{line: "/free", err: "whom?"},
		{line: "/announce pizza is here", want: protocol.Moderate{Do: "announce", Text: "pizza is here"}},
		{line: "/invite @bob", want: protocol.Moderate{Do: "invite", Room: "lobby", Who: "bob"}},
		{line: "/invites", want: protocol.Moderate{Do: "invites", Room: "lobby"}},
		{line: "/revoke k7or2a", want: protocol.Moderate{Do: "revoke", Room: "lobby", Who: "k7or2a"}},
		{line: "/rules", want: protocol.Moderate{Do: "rules"}},
		{line: "/rules ~bob", want: protocol.Moderate{Do: "rules", Who: "bob"}},
		{line: "/rules #Den", want: protocol.Moderate{Do: "rules", Room: "den"}},
		{line: "/droprules bob", want: protocol.Moderate{Do: "drop-rules", Who: "bob"}},
		{line: "/droprules #den", want: protocol.Moderate{Do: "drop-rules", Room: "den"}},
		{line: "/delete-room #Den too loud", want: protocol.Moderate{Do: "delete-room", Room: "den", Text: "too loud"}},
		{line: "/delete-room", err: "which room?"},
		{line: "/invites all", err: "no words"},
		{line: "/revoke", err: "which one?"},
		{line: "/droprules", err: "whose?"},
		{line: "/droprules #", err: "room"},
		{line: "/kick", err: "whom?"},
		{line: "/mute bob 10y", err: "no time"},
		{line: "/mute bob 99999999999999999999s", err: "no time"},
		{line: "/mute bob 4294967295w", err: "too long"},
		{line: "/slow", err: "/slow 10s"},
		{line: "/slow soon", err: "/slow 10s"},
		{line: "/private a b", err: "letters, digits"},
		{line: "/announce", err: "what?"},
		{line: "/lock it", err: "no words"},
	} {
		b, d := newBench(t, "lobby"), &desk{}
		_, err := b.do(d, tt.line)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) || len(d.asked) > 0 {
				t.Errorf("%s: %v, %d asked", tt.line, err, len(d.asked))
			}
		case err != nil || len(d.asked) != 1 || *d.asked[0].(*protocol.Moderate) != tt.want:
			t.Errorf("%s: %+v, %v", tt.line, d.asked, err)
		}
	}
}

// last is the newest item of a room.
func (r *Room) last1() *Item { return r.At(r.Len() - 1) }

// An op deletes what somebody else has said, and everybody sees who did, whenever they
// come to see it; others are not even asked.
func TestDeletedByAnOp(t *testing.T) {
	b, d := newBench(t, "lobby"), &desk{}
	b.receive(entry(1, bob, "", 0, "bad"))
	if _, err := b.do(d, "/delete bob"); err == nil {
		t.Error("who is no op deletes what bob has said")
	}
	b.receive(&protocol.Presence{Room: "lobby", Joined: []protocol.Member{{User: ann.User, Nick: "ann", Role: protocol.RoleOp}}, Count: 1})
	if _, err := b.do(d, "/delete bob"); err != nil || len(d.posts) != 1 || d.posts[0].Target != idOf(1) || d.posts[0].Kind != protocol.KindDelete {
		t.Errorf("%v, %+v", err, d.posts)
	}
	b.receive(entry(2, ann, protocol.KindDelete, 1, ""))
	if it := b.Room("lobby").last1(); !it.Entry.Gone || it.GoneBy != "ann" {
		t.Errorf("%+v", it)
	}
	later := newBench(t)
	later.join("lobby", 5)
	gone := entry(1, bob, "", 0, "")
	gone.Gone, gone.Rev = true, 2
	later.receive(&protocol.Page{Room: "lobby", Entries: []protocol.Entry{*gone, *entry(2, eve, protocol.KindDelete, 1, "")}})
	if it := later.Room("lobby").last1(); it.GoneBy != "eve" {
		t.Errorf("from a page: %+v", it)
	}
}

// Who is put out of a room reads why, where there still is a room; a nick that has gone
// to another key is told once.
func TestPutOutAndNewKey(t *testing.T) {
	b := newBench(t, "lobby", "build")
	b.Apply(Selected{Room: "build"})
	b.receive(&protocol.Moderate{Do: protocol.DeedPrivate, Room: "build"})
	if !b.Room("build").Private {
		t.Error("the room is not private")
	}
	b.Apply(Received{Message: &protocol.Left{Room: "build", Text: "bob has put you out"}, At: time.Unix(5, 0)})
	if b.Room("build") != nil || !strings.Contains(b.Room("lobby").last1().Entry.Text, "#build any more: bob has put you out") {
		t.Errorf("%+v", b.Room("lobby").last1())
	}
	changed := bob
	changed.NewKey = true
	for range 3 {
		b.receive(&protocol.Presence{Room: "lobby", Joined: []protocol.Member{changed}, Count: 2})
	}
	if n := b.Room("lobby").Len(); n != 2 || !strings.Contains(b.Room("lobby").last1().Entry.Text, "bob is somebody else than before") {
		t.Errorf("%d remarks, the last %q", n, b.Room("lobby").last1().Entry.Text)
	}
}

// A request without a number gets an answer that looks like news.
func TestEveryRequestIsNumbered(t *testing.T) {
	for _, m := range []protocol.Message{&protocol.Join{}, &protocol.Leave{}, &protocol.History{}, &protocol.Search{}, &protocol.Nick{},
		&protocol.Topic{}, &protocol.Rooms{}, &protocol.Who{}, &protocol.Invite{}, &protocol.Moderate{}} {
		setRef(m, 7)
		if ref := reflect.ValueOf(m).Elem().FieldByName("Ref").Uint(); ref != 7 {
			t.Errorf("%s has the number %d", protocol.Name(m), ref)
		}
	}
}

// An admin's list of invitations, and what ends one, is of all rooms.
func TestInvitationsOfAnAdmin(t *testing.T) {
	for line, want := range map[string]protocol.Moderate{"/invites": {Do: "invites"}, "/revoke k7or2a": {Do: "revoke", Who: "k7or2a"}} {
		b, d := newBench(t, "lobby"), &desk{}
		b.Me.Role = protocol.RoleAdmin
		if _, err := b.do(d, line); err != nil || len(d.asked) != 1 || *d.asked[0].(*protocol.Moderate) != want {
			t.Errorf("%s: %+v, %v", line, d.asked, err)
		}
	}
}

func TestWhoisCommand(t *testing.T) {
	b, d := newBench(t, "lobby"), &desk{}
	if _, err := b.do(d, "/whois @bob"); err != nil || len(d.asked) != 1 || d.asked[0].(*protocol.Whois).Who != "bob" {
		t.Errorf("%+v, %v", d.asked, err)
	}
	if _, err := b.do(d, "/whois"); err == nil {
		t.Error("/whois asks about nobody")
	}
	user := protocol.UserID{1}
	day := time.Date(2026, 11, 3, 12, 30, 0, 0, time.Local).UnixNano()
	for want, m := range map[string]*protocol.Whois{
		"bob, admin, bot\n  user id " + user.String() + "\n  nick bound since 2026-11-03\n  here, in #lobby, #build and more\n  from 10.0.0.5": {User: user, Nick: "bob", Role: protocol.RoleAdmin, Bot: true,
			Bound: day, Seen: day, Here: true, Rooms: []string{"lobby", "build"}, More: true, Addrs: []string{"10.0.0.5"}},
		"bob\n  user id " + user.String() + "\n  last seen 2026-11-03 12:30":             {User: user, Nick: "bob", Seen: day},
		"~gus, a guest: no key proves the nick\n  user id " + user.String() + "\n  here": {User: user, Nick: "gus", Guest: true, Seen: day, Here: true},
	} {
		if got := Whois(m); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
