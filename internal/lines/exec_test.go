package lines

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lanchat/internal/client"
	"lanchat/protocol"
)

func shell(t *testing.T, script string) *Exec {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell to write test programs in: ", err)
	}
	return &Exec{Path: path, Args: []string{"-c", script}, Env: os.Environ()}
}

// poster says things and reads what comes.
type poster struct {
	*client.Client
	t testing.TB
}

func newPoster(t testing.TB, dial client.DialFunc, nick string) poster {
	c := run(t, dial, nick, "lobby")
	go func() {
		for range c.Events() {
		}
	}()
	return poster{c, t}
}

func (p poster) say(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if _, err := p.Post(protocol.Post{Room: "lobby", Text: text}); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := p.WaitBelow(p.t.Context(), 1); err != nil {
		p.t.Fatal(err)
	}
}

// What people write reaches a program as it was written, in the input and in the
// variables, and nothing of it is carried out.
func TestExecWithHostileText(t *testing.T) {
	dial := startServer(t)
	made := filepath.Join(t.TempDir(), "made")
	texts := []string{
		"$(touch " + made + ")", "`touch " + made + "`", "; touch " + made, "' ; touch " + made + " ; '", "\" && touch " + made,
		"two\nlines", "--help", "\x1b[2J", "a\x00b", "日本語", "CHAT_FROM=root", strings.Repeat("x", 16<<10),
	}
	newPoster(t, dial, "ann").say(texts...)
	out := newOutput()
	x := shell(t, `printf '%s|%s|%s|%s|%s|' "$CHAT_SEQ" "$CHAT_FROM" "$CHAT_VERIFIED" "$CHAT_KIND" "$CHAT_ROOM"; cat`)
	zero := uint64(0)
	if err := Tail(t.Context(), TailConfig{Engine: run(t, dial, "bob"), Out: out, Errors: out, Room: "lobby", After: &zero, Exec: x}); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i, text := range texts {
		text = strings.NewReplacer("\x1b", "␛", "\x00", "␀").Replace(text)
		fmt.Fprintf(&want, "%d|ann|false|text|lobby|%s\n", i+1, text)
	}
	if out.String() != want.String() {
		t.Errorf("the program printed\n%s\nwant\n%s", out, want.String())
	}
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what somebody wrote was carried out: %v", err)
	}
}

func TestVariablesHaveNoControls(t *testing.T) {
	e := &protocol.Entry{Room: "lobby", Seq: 7, Nick: "a\nb\x1b", Kind: "odd\nkind\x07", Bot: true}
	for _, v := range Variables(e) {
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q", v)
		}
	}
}

// A program that fails is told of, with what it was about, and the next entry is
// its all the same. With JSON the input is the entry's record.
func TestExecGoesOn(t *testing.T) {
	dial := startServer(t)
	newPoster(t, dial, "ann").say("one", "two", "three")
	out, errs := newOutput(), newOutput()
	x := shell(t, `echo "hm" >&2; cat; test "$CHAT_SEQ" != 2 || exit 3`)
	zero := uint64(0)
	if err := Tail(t.Context(), TailConfig{Engine: run(t, dial, "bob"), Out: out, Errors: errs, Room: "lobby", After: &zero, JSON: true, Exec: x}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, `"seq":2,`) || !strings.Contains(got, `"text":"three"`) {
		t.Errorf("printed is\n%s", got)
	}
	if got := errs.String(); strings.Count(got, "hm\n") != 3 || !strings.Contains(got, "for entry 2: exit status 3\n") || strings.Count(got, "exit status") != 1 {
		t.Errorf("told is\n%s", got)
	}
}

// Each entry is run once and in order, one at a time, also those that come while
// more are waiting than are kept.
func TestExecKeepsUp(t *testing.T) {
	const n = 3 * execAhead / 2
	dial := startServer(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := newOutput()
	bob := run(t, dial, "bob", "lobby")
	// The first one waits until all are said.
	x := shell(t, `test -e "$0/running" && echo "two at once"; : > "$0/running"; read text; echo "$text"
while ! test -e "$0/go"; do sleep 0.01; done; rm "$0/running"`)
	x.Args = append(x.Args, dir)
	ended := make(chan error, 1)
	zero := uint64(0)
	go func() {
		ended <- Tail(ctx, TailConfig{Engine: bob, Out: out, Errors: out, Room: "lobby", After: &zero, Follow: true, Exec: x})
	}()
	ann := newPoster(t, dial, "ann")
	var want strings.Builder
	for i := range n {
		text := fmt.Sprintf("entry %d", i)
		if _, err := ann.Post(protocol.Post{Room: "lobby", Text: text}); err != nil {
			t.Fatal(err)
		}
		want.WriteString(text + "\n")
	}
	if err := ann.WaitBelow(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	out.await(t, "entry 0\n")
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{n / 4, n / 2, 3 * n / 4, n - 1} { // each has the time that all had
		out.await(t, fmt.Sprintf("entry %d\n", i))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if out.String() != want.String() {
		t.Errorf("the program printed\n%.2000s", out)
	}
}

// A bot in one line: it answers people, and neither bots nor itself; what it was
// about to say when it is told to end is said.
func TestReply(t *testing.T) {
	dial := startServer(t)
	ann := newPoster(t, dial, "ann")
	ann.say("before it came")
	bot := client.New(client.Config{Dial: dial, Nick: "oracle", Rooms: []string{"lobby"}, Live: true, Bot: true})
	other := client.New(client.Config{Dial: dial, Nick: "other", Rooms: []string{"lobby"}, Live: true, Bot: true})
	running, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	for _, c := range []*client.Client{bot, other} {
		done := make(chan struct{})
		go func() { defer close(done); c.Run(running) }()
		t.Cleanup(func() {
			stop()
			for range c.Events() {
			}
			<-done
		})
	}
	go func() {
		for range other.Events() {
		}
	}()
	dir := t.TempDir()
	x := shell(t, `read q; case $q in
nothing) ;;
much) yes | head -c 100000 ;;
late) : > "$0/late"; while ! test -e "$0/go"; do sleep 0.01; done; echo "better late" ;;
*) echo "what is $q?" ;; esac`)
	x.Args, x.Reply = append(x.Args, dir), true
	errs, first := newOutput(), uint64(1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Tail(ctx, TailConfig{Engine: bot, Out: errs, Errors: errs, Room: "lobby", After: &first, Follow: true, Exec: x})
	}()
	listener := talk(t, dial, "listener")
	ann.say("up")
	listener.out.await(t, "what is up?")
	if err := other.WaitBelow(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Post(protocol.Post{Room: "lobby", Text: "a bot asks"}); err != nil {
		t.Fatal(err)
	}
	ann.say("nothing", "much", "down")
	listener.out.await(t, "<~oracle (bot) (to ~ann: down)> what is down?\n")
	errs.await(t, "its answer is longer than 65536 bytes, and was not sent")
	ann.say("late")
	for i := 0; ; i++ {
		if _, err := os.Stat(filepath.Join(dir, "late")); err == nil {
			break
		} else if i > 1e6 {
			t.Fatal(err)
		}
	}
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("it ends (%v) while its program runs", err)
	default:
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	listener.out.await(t, "better late")
	got := listener.out.String()
	for _, never := range []string{"what is before", "what is a bot", "what is what", "what is nothing"} {
		if strings.Contains(got, never) {
			t.Errorf("it said %q:\n%s", never, got)
		}
	}
}
