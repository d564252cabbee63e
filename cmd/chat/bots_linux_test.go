package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lanchat/internal/netlab"
	"lanchat/protocol"
)

// examples returns the directory of the bots, as the tests' programs see it.
func examples(t testing.TB) string {
	dir, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// exampleBots are the bots of examples/, and what each needs to be installed.
var exampleBots = []struct {
	name    string
	command func(t testing.TB) []string
}{
	{"python", func(t testing.TB) []string {
		// Debian's own python has Debian's packages; another one in PATH has not.
		if out, err := exec.Command("/usr/bin/python3", "-c", "import msgpack").CombinedOutput(); err != nil {
			t.Skipf("the bot in Python needs python3-msgpack: %v %s", err, out)
		}
		return []string{"/usr/bin/python3", filepath.Join(examples(t), "python", "bot.py")}
	}},
	{"node", func(t testing.TB) []string {
		node, err := exec.LookPath("node")
		if err != nil {
			t.Skipf("the bot in Node: %v", err)
		}
		dir := filepath.Join(examples(t), "node")
		if _, err := os.Stat(filepath.Join(dir, "node_modules", "@msgpack", "msgpack")); err != nil {
			t.Skip("the bot in Node needs its library: run npm ci in examples/node")
		}
		return []string{node, filepath.Join(dir, "bot.js")}
	}},
	{"go", func(t testing.TB) []string {
		program := filepath.Join(t.TempDir(), "bot")
		if out, err := exec.Command("go", "build", "-o", program, "lanchat/examples/go").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return []string{program}
	}},
}

// Each is read in a few minutes: what a bot has to do by itself stays below 100 lines.
func TestBotsAreShort(t *testing.T) {
	for _, pattern := range []string{"python/bot.py", "node/*.js", "go/*.go"} {
		files, err := filepath.Glob(filepath.Join(examples(t), filepath.FromSlash(pattern)))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: no such files (%v)", pattern, err)
		}
		lines := 0
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			lines += strings.Count(string(data), "\n")
		}
		if lines >= 100 {
			t.Errorf("%s has %d lines", pattern, lines)
		}
	}
}

var botQuestions = flag.Int("bots.questions", 100, "how many questions each bot of examples/ is asked")

// inFlight is how many questions may have no answer yet: fewer than a server lets
// all the bots of a room post at once.
const inFlight = 100

// The bots find the server by its name on a host that has no address but the
// loopback's. Each answers every question once and in order, though the server is
// killed and started again, and so is the bot.
func TestBotsMissAndDoubleNothing(t *testing.T) {
	t.Parallel()
	questions := *botQuestions
	for _, b := range exampleBots {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			command := b.command(t)
			host := netlab.New(t).Host("host")
			data, files := t.TempDir(), t.TempDir()
			serve := func() *process {
				d := hostProcess(t, host, t.TempDir(), filepath.Join(built(t), "chatd"), "--name", "Dice Night", "--data", data, "--post-rate", "5000")
				d.await("ready ")
				return d
			}
			bot := func() *process { return hostProcess(t, host, files, append(command, "dice night")...) }
			server, running := serve(), bot()
			kill := func(p *process) {
				p.cmd.Process.Kill()
				<-p.ended
			}
			a := &asker{TB: t, host: host, answered: map[protocol.ID]bool{}}
			for range questions {
				a.ids = append(a.ids, protocol.NewID())
			}
			begin := time.Now()
			a.until(questions * 3 / 10)
			kill(server)
			server = serve()
			a.until(questions * 6 / 10)
			kill(running)
			running = bot()
			a.until(questions * 8 / 10)
			kill(server)
			kill(running)
			server, running = serve(), bot()
			a.until(questions)
			t.Logf("%d answers in %v, the server killed twice, the bot killed twice", questions, time.Since(begin).Round(time.Millisecond))
			a.checkLog()
			if out := running.output(); strings.Contains(out, "REFUSED") {
				t.Errorf("the bot says:\n%s", out)
			}

			// The same name with another key: it is told, and refused.
			kill(server)
			data = t.TempDir()
			serve()
			running.await("REFUSED")
		})
	}
}

// hostProcess starts a program on a host, in a directory of its own.
func hostProcess(t testing.TB, h *netlab.Host, dir string, args ...string) *process {
	cmd := h.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir = home(t), dir
	return start(t, cmd)
}

// asker asks the questions, in order, over as many connections as it takes.
type asker struct {
	testing.TB
	host     *netlab.Host
	ids      []protocol.ID // of the questions
	acked    int           // so many of them
	answered map[protocol.ID]bool
	c        *protocol.Conn
	sent     int    // over this connection, counted from the first question
	seen     uint64 // of the room
	met      bool   // the bot is in the room
}

// until asks until so many questions have an answer.
func (a *asker) until(n int) {
	a.Helper()
	deadline := time.Now().Add(time.Minute)
	for len(a.answered) < n {
		if time.Now().After(deadline) {
			a.Fatalf("%d of %d questions have an answer, %d were asked", len(a.answered), n, a.acked)
		}
		if a.c == nil && !a.connect() {
			continue
		}
		for a.met && a.sent < len(a.ids) && a.sent < len(a.answered)+inFlight {
			if a.c.Write(&protocol.Post{ID: a.ids[a.sent], Room: protocol.DefaultRoom, Text: "!roll 1d6"}) != nil {
				break // the next read says so too
			}
			a.sent++
		}
		c := a.c
		late := time.AfterFunc(time.Until(deadline), func() { c.Close() })
		m, err := a.c.Read()
		late.Stop()
		if err != nil {
			a.c.Close()
			a.c = nil
			continue
		}
		switch m := m.(type) {
		case *protocol.Joined:
			a.meet(m.Members)
		case *protocol.Presence:
			a.meet(m.Joined)
		case *protocol.Ack:
			a.acked++
		case *protocol.Entry:
			if a.seen = m.Seq; m.Bot {
				a.answered[m.Target] = true
			}
		case *protocol.Error:
			a.Fatal(m)
		}
	}
}

func (a *asker) meet(members []protocol.Member) {
	for _, m := range members {
		a.met = a.met || m.Bot
	}
}

// connect joins the room, and begins with the first question without an ack. It
// waits a moment where there is no server.
func (a *asker) connect() bool {
	a.c = a.dial()
	if a.c == nil {
		<-time.After(20 * time.Millisecond)
		return false
	}
	a.sent = a.acked
	return a.c.Write(&protocol.Join{Ref: 1, Room: protocol.DefaultRoom, After: a.seen}) == nil
}

func (a *asker) dial() (c *protocol.Conn) {
	_ = a.host.Do(func() (err error) {
		c, _, err = protocol.Dial(a.Context(), "127.0.0.1:25252", nil, &protocol.Hello{Nick: "ann"})
		return err
	})
	return c
}

var rolled = regexp.MustCompile(`^[1-6] with 1d6$`)

// checkLog reads the whole room: every question is there and has one answer, in
// the order of the questions.
func (a *asker) checkLog() {
	a.Helper()
	c := a.dial()
	if c == nil {
		a.Fatal("the server is gone")
	}
	defer c.Close()
	var asked, answers []protocol.ID
	for last, more := uint64(0), true; more; {
		if err := c.Write(&protocol.History{Ref: 1, Room: protocol.DefaultRoom, After: last, Oldest: true}); err != nil {
			a.Fatal(err)
		}
		var page *protocol.Page
		for page == nil { // "slow" may come before it
			m, err := c.Read()
			if err != nil {
				a.Fatal(err)
			}
			if e, ok := m.(*protocol.Error); ok {
				a.Fatal(e)
			}
			page, _ = m.(*protocol.Page)
		}
		for _, e := range page.Entries {
			last = e.Seq
			switch {
			case !e.Bot:
				asked = append(asked, e.ID)
			case !rolled.MatchString(e.Text):
				a.Errorf("an answer is %q", e.Text)
			default:
				answers = append(answers, e.Target)
			}
		}
		more = page.More
	}
	for what, got := range map[string][]protocol.ID{"questions": asked, "answers": answers} {
		if len(got) != len(a.ids) {
			a.Errorf("%d %s, not %d", len(got), what, len(a.ids))
		}
		for i := range min(len(got), len(a.ids)) {
			if got[i] != a.ids[i] {
				a.Errorf("%s: number %d is about another question: missed, doubled or out of order", what, i)
				break
			}
		}
	}
}

// A client of ten lines over plain lines, and a bot of one line of shell.
func TestExamplesOfFewLines(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("/usr/bin/python3"); err != nil {
		t.Skip(err)
	}
	host := netlab.New(t).Host("host")
	chat := filepath.Join(built(t), "chat")
	d := hostProcess(t, host, t.TempDir(), filepath.Join(built(t), "chatd"), "--name", "Hack Night", "--memory")
	d.await("ready ")
	readme, err := os.ReadFile(filepath.Join(examples(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^    chat (tail .*)$`).FindSubmatch(readme)
	if line == nil {
		t.Fatal("the README has no bot of one line")
	}
	shell := hostProcess(t, host, t.TempDir(), "sh", "-c", "exec "+chat+" "+string(line[1]))
	person := hostProcess(t, host, t.TempDir(), chat, "--plain", "--nick", "ann")
	person.await("you are in #lobby")
	plain := hostProcess(t, host, t.TempDir(), "/usr/bin/python3", filepath.Join(examples(t), "python", "plain.py"), "127.0.0.1", "py")
	plain.await("you are now py")
	plain.type_("hello from python")
	person.await("<~py> hello from python")
	for n := 1; !strings.Contains(plain.output(), "uptime"); n++ { // the bot may still be on its way
		if n == 100 {
			t.Fatalf("the bot of one line does not come:\n%s", shell.output())
		}
		plain.type_("/who")
		plain.type_(fmt.Sprintf("/nick py%d", n)) // answered behind it
		plain.await(fmt.Sprintf("you are now py%d\n", n))
	}
	person.type_("!uptime")
	person.await("load average")
	plain.await("load average")
	plain.in.Close()
	if code := plain.exit(); code != 0 {
		t.Errorf("plain.py ends with %d:\n%s", code, plain.output())
	}
}
