package compat

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"lanchat/internal/tied"
)

// People talk at a server, and at least one of all programs is of another build.
func TestTalk(t *testing.T) {
	old, today := builds(t)
	for _, tt := range []struct{ server, ann, bob build }{
		{today, old, old},
		{today, old, today},
		{old, today, today},
		{old, today, old},
	} {
		t.Run(tt.server.name+" chatd, "+tt.ann.name+" and "+tt.bob.name+" chat", func(t *testing.T) {
			t.Parallel()
			talk(t, tt.server, newUser(t, tt.ann, "ann"), newUser(t, tt.bob, "bob"), newUser(t, tt.bob, "carol"))
		})
	}
}

// talk is a talk in which ann, an admin, and bob use everything that plain lines have.
func talk(t *testing.T, with build, annUser, bobUser, carolUser *user) {
	data := t.TempDir()
	admins := write(t, filepath.Join(data, "admins"), annUser.id()+"\n")
	args := []string{"--post-rate", "10000", "--admins-file", admins}
	annUser.discovery = onLoopback(t)
	srv := with.announce(t, annUser.discovery, tied.FreePort(t), data, args...)
	ann, bob := annUser.joins(serverName), bobUser.joins(srv.addr)

	// What is said, and what is done to it.
	ann.Say("hello bob")
	bob.Await(`<ann> hello bob$`)
	bob.Say("/reply ann hello back")
	ann.Await(`<bob \(to .*\)> hello back$`)
	bob.Await(`<bob \(to .*\)> hello back$`)
	bob.Say("/edit hello again")
	ann.Await(`<bob \(corrected\)> hello again$`)
	ann.Say("/react +1")
	bob.Await(`ann.*\+1`)
	bob.Say("this was a mistake")
	bob.Await(`<bob> this was a mistake`)
	bob.Say("/delete")
	ann.Await(`-- bob has deleted a message`)
	bob.Say("/me waves")
	ann.Await(`\* bob waves$`)
	bob.Say("/topic pairs of builds")
	ann.Await(`-- bob has set the topic: pairs of builds`)
	ann.Say("/search again")
	ann.Await(`#lobby <bob.*> hello again$`)
	bob.Say("/nick robert")
	bob.Await(`you are now robert`)
	bob.Say("/nick bob")
	bob.Await(`you are now bob`)
	bob.Say("/who")
	bob.Await(`ann \(admin\)`)

	// Two alone.
	bob.Say("/msg ann psst")
	ann.Await(`@bob <bob> psst$`)
	ann.Say("/msg bob here")
	bob.Await(`@ann <ann> here$`)
	bob.Say("/join lobby")
	ann.Say("/join lobby")

	// A private room, an op of it, and an invitation.
	bob.Say("/private den")
	bob.Await(`you are in #den`)
	bob.Say("/invite")
	line := bob.Await(`chat://\S+`)[0]
	if !strings.Contains(line, "/den?t=") {
		t.Errorf("the invitation to a private room is %s", line)
	}
	carol := carolUser.joins(line)
	carol.Say("thank you")
	bob.Await(`#den <carol> thank you`)
	bob.Say("/mute carol 10m")
	carol.Await(`! bob has muted carol`)
	carol.Say("can you hear me")
	carol.Await(`not sent: .*muted`)
	bob.Say("/unmute carol")
	carol.Await(`! bob.*carol`)
	carol.Say("and now")
	bob.Await(`<carol> and now`)
	bob.Say("/op carol")
	carol.Await(`! bob .*carol.* op`)
	carol.Say("/deop carol")
	bob.Await(`! carol .*op`)
	bob.Say("/slow 5s", "/slow off", "/lock", "/unlock")
	for range 4 {
		carol.Await(`! bob `)
	}
	bob.Say("/kick carol enough")
	carol.Await(`you are not in #den any more: .*enough`)
	bob.Say("/uninvite carol")
	bob.Await(`carol`)
	bob.Say("/join lobby")

	// What an admin may.
	ann.Say("/announce all is well")
	bob.Await(`! ann announces: all is well`)
	ann.Say("/ban carol 2h for the test")
	carol.Await(`you are banned`)
	carol.Exit()
	ann.Say("/bans")
	ann.Await(`carol.*for the test|for the test.*carol`)
	ann.Say("/unban carol")
	ann.Await(`carol`)
	carolUser.does("", "send", "-s", srv.addr, "here again")
	bob.Await(`<carol> here again`)

	// The server is away, and comes again: cursors and unsent lines go on.
	if code := srv.Interrupt(); code != 0 {
		t.Errorf("chatd ends with %d:\n%s", code, srv.Output())
	}
	bob.Await(`trying again`)
	bob.Say("said meanwhile")
	with.announce(t, annUser.discovery, srv.addr, data, args...)
	ann.Await(`<bob> said meanwhile$`)
	bob.Await(`<bob> said meanwhile$`)

	pipes(t, srv.addr, annUser, bobUser)
	for _, p := range []*tied.Process{ann, bob} {
		p.Close()
		if code := p.Exit(); code != 0 {
			t.Errorf("a chat ends with %d:\n%s", code, p.Output())
		}
	}
	if n := strings.Count(bob.Output(), "<ann> hello bob"); n != 1 {
		t.Errorf("bob was told a line %d times:\n%s", n, bob.Output())
	}
}

// pipes uses the commands for scripts.
func pipes(t *testing.T, addr string, ann, bob *user) {
	t.Helper()
	ann.ends(0, "one\ntwo\nthree\n", "send", "-s", addr, "-r", "build")
	ann.does("", "send", "-s", addr, "-r", "build", "--code", "four\n  five")
	out, _ := bob.ends(0, "", "tail", "-s", addr, "-r", "build", "--json", "--follow=false", "--after", "0")
	var texts []string
	for line := range strings.Lines(out) {
		var e struct{ Text, From, Kind, ID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.From != "ann" || e.Kind != "text" || e.ID == "" {
			t.Errorf("tail --json: %+v, %v", e, err)
		}
		texts = append(texts, e.Text)
	}
	if got := strings.Join(texts, "|"); !strings.HasPrefix(got, "one|two|three|") || !strings.Contains(got, "four\n  five") {
		t.Errorf("tail --json: %q", got)
	}
	bob.does(`#build <ann> two`, "search", "-s", addr, "two")
	bob.does(`(?s)build.*lobby|lobby.*build`, "rooms", "-s", addr)
	bob.does(`ann`, "who", "-s", addr)
	bob.does(`^chat://`, "invite", "-s", addr, "-r", "build")
	ann.does(serverName, "ls")
}

// A passphrase lets in, a wrong one does not, and an invitation needs none.
func TestPassphrase(t *testing.T) {
	old, today := builds(t)
	for _, tt := range []struct{ server, chat build }{{today, old}, {old, today}} {
		t.Run(tt.server.name+" chatd, "+tt.chat.name+" chat", func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			right, wrong := write(t, filepath.Join(data, "right"), "open sesame\n"), write(t, filepath.Join(data, "wrong"), "sesame\n")
			ann, bob, carol := newUser(t, tt.chat, "ann"), newUser(t, tt.chat, "bob"), newUser(t, tt.chat, "carol")
			admins := write(t, filepath.Join(data, "admins"), ann.id()+"\n")
			srv := tt.server.serve(t, tied.FreePort(t), data, "--passphrase-file", right, "--no-guests", "--admins-file", admins)
			bob.ends(4, "", "send", "-s", srv.addr, "--passphrase-file", wrong, "x")
			bob.ends(4, "", "send", "-s", srv.addr, "--guest", "--passphrase-file", right, "x")
			bob.does("", "send", "-s", srv.addr, "--passphrase-file", right, "hello")
			bob.ends(4, "", "send", "-s", srv.addr, "without it")
			line := ann.does(`^chat://\S+`, "invite", "-s", srv.addr, "-r", "build")[0]
			p := carol.joins(line)
			p.Say("I am invited")
			p.Close()
			if code := p.Exit(); code != 0 {
				t.Errorf("who is invited ends with %d:\n%s", code, p.Output())
			}
			carol.does(`<carol> I am invited`, "tail", "-s", srv.addr, "-r", "build", "--follow=false") // without it from now on
		})
	}
}
