package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/tied"
	"lanchat/protocol"
)

const (
	bystanders = 10
	beforeIt   = 20_000 // entries that are there before the attack
)

// After minutes of all attacks on what a server keeps, an admin puts it right from the
// client, by commands that /help names and nothing else. Then a newcomer gets everything
// at the first try, disk and tables are as before but for a tenth, and bystanders have
// lost nothing.
func TestSiege(t *testing.T) {
	if supported != "" {
		t.Skip(supported)
	}
	if flags.siege == 0 {
		t.Skip("it takes minutes: scripts/siege")
	}
	a := newAdmin(t)
	data := t.TempDir()
	importHistory(t, data)
	s := startServerIn(t, data, "--admins-file", a.file)
	c := gather(t, s.addr, bystanders)
	a.join(s.addr)
	r := &run{T: t, server: s, crowd: c}
	r.phase(without, 2*time.Second)
	before := leftIn(t, data)

	r.army = raise(t, lasting, s.addr, c.all[0].nick)
	r.phase(with, time.Duration(flags.siege)*time.Second)
	now, most := s.memory()
	talking := r.whileTalking()
	a.banAll(c.strangers())
	done := r.army.dismiss(t)
	for _, k := range lasting {
		t.Logf("%-8s %v", k.name, done[k.name])
	}
	t.Logf("the server's memory: %d MiB, at most %d MiB; it has logged %d lines", now>>20, most>>20, s.log.count())
	attacked := leftIn(t, data)
	t.Logf("before:    %v", before)
	t.Logf("attacked:  %v", attacked)
	attacked.within(t)

	began := time.Now()
	a.putRight()
	talking()
	t.Logf("the admin has typed %d lines in %v: %v", a.typed, time.Since(began).Round(time.Second), a.used)
	c.settle(t)
	for _, what := range c.told {
		t.Error(what)
	}
	if err := firstTry(t.Context(), s.addr); err != nil {
		t.Errorf("after the attack, at the first try: %v", err)
	}
	// What is free goes back to the file system in steps, and the index forgets words later.
	freed := time.Now()
	for leftIn(t, data).disk > before.mostDisk() && time.Since(freed) < 3*time.Minute {
		pause(t.Context(), 2*time.Second)
	}
	t.Logf("for the disk the test has waited %v more", time.Since(freed).Round(time.Second))
	s.stop()
	after := leftIn(t, data)
	t.Logf("put right: %v", after)
	delete(after.rows, "entries")      // those that are deleted keep their numbers,
	delete(after.rows, "direct talks") // and talks that are empty now their heads; there is a share for them
	after.asBefore(t, before)
}

// whileTalking has people talk until what it returns is called.
func (r *run) whileTalking() (stop func()) {
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.crowd.talk(ctx, 1)
	}()
	return func() { cancel(); <-ended }
}

// mostDisk is what may be used after the attack: a tenth more, and what the log keeps at
// hand for itself.
func (l left) mostDisk() int64 { return l.disk*11/10 + 1<<20 }

// asBefore makes sure that nothing has grown by more than a tenth, but for a few that
// the test itself has made.
func (l left) asBefore(t *testing.T, before left) {
	t.Helper()
	for table, n := range l.rows {
		if most := before.rows[table]*11/10 + 20; n > most {
			t.Errorf("the server has %d %s and had %d, more than a tenth less", n, table, before.rows[table])
		}
	}
	if l.disk > before.mostDisk() {
		t.Errorf("the server has %d KiB on disk and had %d", l.disk>>10, before.disk>>10)
	}
}

// importHistory gives a server something that it has kept for long.
func importHistory(t *testing.T, data string) {
	t.Helper()
	var lines bytes.Buffer
	user := randomUser().String()
	at := time.Now().Add(-24 * time.Hour)
	for i := range beforeIt {
		_ = json.NewEncoder(&lines).Encode(map[string]any{"room": "history", "seq": i + 1, "id": protocol.NewID().String(), "user": user, "from": "historian",
			"verified": true, "at": at.Add(time.Duration(i) * time.Second).UTC().Format(time.RFC3339Nano), "kind": "text", "text": fmt.Sprint("in the year ", i, " this was said")})
	}
	cmd := exec.Command(theChatd(t), "import", "--data", data)
	cmd.Stdin = &lines
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("chatd import: %v\n%s", err, out)
	}
}

// admin is chat, in plain lines, of a key that is an admin's.
type admin struct {
	*testing.T
	file  string // the server's --admins-file
	env   []string
	chat  string
	p     *tied.Process
	help  map[string]bool // commands that /help names
	rooms []string        // in which the admin is
	addrs []string        // of strangers
	marks int
	typed int
	used  map[string]int
}

func newAdmin(t *testing.T) *admin {
	t.Helper()
	home := t.TempDir()
	a := &admin{T: t, file: filepath.Join(home, "admins"), chat: tied.Program(t, "chat"), help: map[string]bool{}, used: map[string]int{}}
	a.env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/config", "XDG_DATA_HOME="+home+"/data", "CHAT_SERVER=", "CHAT_ROOM=", "CHAT_NICK=")
	id := exec.Command(a.chat, "id")
	id.Env = a.env
	out, err := id.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, []byte(strings.Fields(string(out))[1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// join enters and reads /help.
func (a *admin) join(addr string) {
	a.Helper()
	cmd := exec.Command(a.chat, "join", addr, "--plain", "--no-discovery", "--nick", "admin")
	cmd.Env = a.env
	a.p = tied.Run(a.T, cmd)
	a.p.Await(`you are in #lobby`)
	a.rooms = []string{den(0), lobby} // at the end the one of which /who tells
	a.p.Say("/join " + den(0))
	a.p.Await(`you are in #` + den(0))
	a.p.Say("/join " + lobby)
	a.p.Say("/help")
	a.p.Await(`//TEXT`)
	for _, m := range regexp.MustCompile(`(?m)^(?:.* -- |\s+)/([a-z-]+)`).FindAllStringSubmatch(a.p.Output(), -1) {
		a.help[m[1]] = true
	}
	for _, command := range []string{"rules", "droprules", "invites", "rooms", "delete-room", "purge", "free", "whois", "ban", "unban"} {
		if !a.help[command] {
			a.Logf("/help does not name /%s: what takes it is left", command)
		}
	}
}

// types types commands, but those that /help does not name, and returns what was printed
// until all are answered.
func (a *admin) types(lines ...string) (printed string) {
	a.Helper()
	from := len(a.p.Output())
	for _, line := range lines {
		command, _, _ := strings.Cut(strings.TrimPrefix(line, "/"), " ")
		if !a.help[command] {
			continue
		}
		a.p.Say(line)
		a.typed++
		a.used[command]++
	}
	a.marks++ // nobody is called so, and answers come in order
	mark := fmt.Sprint("nobody-", a.marks)
	a.p.Say("/kick " + mark)
	a.p.Await(mark)
	return a.p.Output()[from:]
}

// typesAll is types for very many.
func (a *admin) typesAll(lines []string) {
	a.Helper()
	for some := range slices.Chunk(lines, 200) {
		a.types(some...)
	}
}

// strangers are the ids of those who have opened a direct talk with a bystander, who
// would tell the admin.
func (c *crowd) strangers() (ids []string) {
	for _, p := range c.all {
		p.mu.Lock()
		for _, room := range p.directs {
			one, other, _ := protocol.ParseDirectRoom(room)
			if one == p.user {
				one = other
			}
			ids = append(ids, one.String())
		}
		p.mu.Unlock()
	}
	return ids
}

// banAll bans the addresses of all strangers who are here, who have posted, and who were
// reported.
func (a *admin) banAll(reported []string) {
	a.Helper()
	banned := map[string]bool{}
	for quiet := 0; quiet < 3 && a.help["whois"]; quiet++ {
		var lines []string
		asked := map[string]bool{}
		ask := func(nick string) {
			if nick != "" && !asked[nick] {
				asked[nick] = true
				lines = append(lines, "/whois "+nick)
			}
		}
		for _, who := range append(reported, strange.FindAllString(a.types("/who"), -1)...) {
			ask(who)
		}
		reported = nil
		posted := regexp.MustCompile(`#(\S+) <(eve-[a-z0-9-]+)`).FindAllStringSubmatch(a.p.Output(), -1)
		for _, room := range a.rooms { // of each the last that were seen
			n := 0
			for _, m := range slices.Backward(posted) {
				if m[1] == room && n < 50 {
					ask(m[2])
					n++
				}
			}
		}
		bans := map[string]bool{}
		for _, addr := range regexp.MustCompile(`127\.66\.\d+\.\d+`).FindAllString(a.types(lines...), -1) {
			if !banned[addr] {
				banned[addr], bans["/ban "+addr+" 2h siege"] = true, true
			}
		}
		if a.types(slices.Sorted(maps.Keys(bans))...); len(bans) > 0 {
			quiet = 0
		}
		pause(a.Context(), time.Second)
	}
	a.addrs = slices.Sorted(maps.Keys(banned))
	a.Logf("the admin has seen strangers from %d addresses, and banned them", len(a.addrs))
	if len(a.addrs) == 0 { // nothing in the client tells
		for _, k := range lasting {
			for i := range k.n {
				banned[k.from(i).String()] = true
			}
		}
		a.addrs = slices.Sorted(maps.Keys(banned))
	}
}

var strange = regexp.MustCompile(`\beve-[a-z0-9-]+`)

// putRight drops what strangers have made. Their names and those of their rooms are what
// the admin sees on the screen.
func (a *admin) putRight() {
	a.Helper()
	step := time.Now()
	took := func(what string) {
		a.Logf("%s took %v", what, time.Since(step).Round(time.Second))
		step = time.Now()
	}
	for range 200 {
		var lines []string
		for _, m := range regexp.MustCompile(`(?m)^ +\d+ (\S+)$`).FindAllStringSubmatch(a.types("/rules"), -1) {
			lines = append(lines, "/droprules "+m[1])
		}
		if len(lines) == 0 || !a.help["droprules"] {
			break
		}
		a.types(lines...)
	}
	took("dropping rules")
	for range 100 {
		rooms := map[string]bool{}
		for _, m := range regexp.MustCompile(`#((?:vault|club|squat)-[a-z0-9]+)`).FindAllStringSubmatch(a.types("/rooms"), -1) {
			rooms["/delete-room "+m[1]] = true
		}
		if len(rooms) == 0 || !a.help["delete-room"] {
			break
		}
		a.typesAll(slices.Sorted(maps.Keys(rooms)))
	}
	took("deleting rooms")
	for _, addr := range a.addrs {
		if a.help["purge"] {
			a.p.Say("/purge " + addr + " 1h")
			a.typed++
			a.used["purge"]++
			a.Log(a.p.Await(`-- (\d[\d,]* messages? of .* deleted|the server says: .*|this server .* cannot do that)$`)[1])
		}
	}
	took("purging")
	free := map[string]bool{}
	for _, nick := range strange.FindAllString(a.p.Output(), -1) {
		free["/free "+nick] = true
	}
	if a.help["free"] {
		a.typesAll(slices.Sorted(maps.Keys(free)))
	}
	took("freeing nicks")
	var unban []string
	for _, addr := range a.addrs {
		unban = append(unban, "/unban "+addr)
	}
	a.types(unban...)
}
