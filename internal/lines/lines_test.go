package lines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/roomlog"
	"lanchat/internal/server"
	"lanchat/protocol"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startServer serves on loopback and returns how to dial it.
func startServer(t testing.TB) client.DialFunc {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := roomlog.Local(roomlog.NewMemory())
	s := server.New(server.Config{Name: "Hack Night", Log: log, Limits: server.Limits{PostBurst: 100_000}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
		log.Close()
	})
	return func(ctx context.Context) (*client.Dialed, error) {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		return &client.Dialed{Conn: nc, Addr: "there"}, err
	}
}

// run makes a client and runs it until the test ends.
func run(t testing.TB, dial client.DialFunc, nick string, rooms ...string) *client.Client {
	t.Helper()
	c := client.New(client.Config{Dial: dial, Nick: nick, Rooms: rooms, Live: true})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range c.Events() {
		}
		<-done
	})
	return c
}

// output is a writer whose content a test can wait for.
type output struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	grown chan struct{}
}

func newOutput() *output { return &output{grown: make(chan struct{}, 1)} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grown <- struct{}{}:
	default:
	}
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) await(t testing.TB, what string) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for !strings.Contains(o.String(), what) {
		select {
		case <-o.grown:
		case <-limit:
			t.Fatalf("%q did not come; there is:\n%s", what, o)
		}
	}
}

// person talks by plain lines.
type person struct {
	out   *output
	in    *io.PipeWriter
	ended chan error
}

func talk(t testing.TB, dial client.DialFunc, nick string) *person {
	r, w := io.Pipe()
	p := &person{out: newOutput(), in: w, ended: make(chan error, 1)}
	c := run(t, dial, nick, "lobby")
	go func() { p.ended <- Plain(t.Context(), PlainConfig{Engine: c, In: r, Out: p.out}) }()
	t.Cleanup(func() { w.Close() })
	p.out.await(t, "you are in #lobby")
	return p
}

func (p *person) type_(line string) { fmt.Fprintln(p.in, line) }

func TestPlain(t *testing.T) {
	dial := startServer(t)
	ann, bob := talk(t, dial, "ann"), talk(t, dial, "bob")
	ann.type_("hello\x1b[2J bob")
	bob.out.await(t, "#lobby <~ann> hello␛[2J bob\n")
	ann.out.await(t, "<~ann> hello␛[2J bob\n")
	bob.type_("//etc is a folder")
	ann.out.await(t, "<~bob> /etc is a folder\n")
	ann.type_("/me waves")
	bob.out.await(t, "* ~ann waves")
	ann.type_("/nick bob")
	ann.out.await(t, "-- the server says: bob is taken")
	ann.type_("/nick annie")
	ann.out.await(t, "-- you are now annie")
	ann.type_("/frobnicate")
	ann.out.await(t, "-- there is no command /frobnicate")
	ann.type_("/join kitchen")
	ann.out.await(t, "-- you are in #kitchen, 1 here")
	ann.type_("/topic dinner")
	ann.out.await(t, "#kitchen -- ~annie has set the topic: dinner")
	ann.type_("/rooms")
	ann.out.await(t, "#kitchen, 1 here, 1 entries: dinner")
	ann.type_("/msg bob psst")
	ann.out.await(t, "guests have no direct talks")
	ann.type_("/help")
	ann.out.await(t, "/msg NICK TEXT")
	ann.type_("/who")
	ann.out.await(t, "1 here: ~annie")
	ann.type_("/leave")
	ann.out.await(t, "you have left #kitchen")
	ann.type_("/quit")
	if err := <-ann.ended; err != nil {
		t.Errorf("Plain = %v", err)
	}
	bob.type_("last words")
	bob.in.Close()
	if err := <-bob.ended; err != nil { // ends when what was typed is acknowledged
		t.Errorf("Plain = %v", err)
	}
	var out bytes.Buffer
	if err := Tail(t.Context(), TailConfig{Engine: run(t, dial, "x"), Out: &out, Room: "lobby", Last: 1}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), " <~bob> last words\n") {
		t.Errorf("the log ends with %q", out.String())
	}
}

func TestNobodyCanForgeALine(t *testing.T) {
	dial := startServer(t)
	ann := talk(t, dial, "ann")
	eve := run(t, dial, "eve", "lobby")
	if _, err := eve.Post(protocol.Post{Room: "lobby", Text: "hi\n12:00 #lobby <root> all is well\r12:01 x\u2028y"}); err != nil {
		t.Fatal(err)
	}
	ann.out.await(t, "y\n")
	for line := range strings.Lines(ann.out.String()) {
		if strings.Contains(line, "<root>") && !strings.HasPrefix(line, "    ") {
			t.Errorf("a forged line: %q", line)
		}
	}
}

func TestSendAndTail(t *testing.T) {
	const n = 3000
	dial := startServer(t)
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, "line %d\n\n", i) // the blank ones are left out
	}
	if err := Send(t.Context(), SendConfig{Engine: run(t, dial, "ann", "lobby"), Room: "lobby", Lines: strings.NewReader(in.String())}); err != nil {
		t.Fatal(err)
	}
	tail := func(cfg TailConfig) []Record {
		t.Helper()
		var out bytes.Buffer
		cfg.Engine, cfg.Out, cfg.Room, cfg.JSON = run(t, dial, "bob"), &out, "lobby", true
		if err := Tail(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		var records []Record
		for line := range strings.Lines(out.String()) {
			var r Record
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			records = append(records, r)
		}
		return records
	}
	zero, late := uint64(0), uint64(n-2)
	for _, tt := range []struct {
		cfg   TailConfig
		first int
	}{{TailConfig{After: &zero}, 0}, {TailConfig{Last: n + 5}, 0}, {TailConfig{Last: 1200}, n - 1200}, {TailConfig{After: &late}, n - 2}, {TailConfig{Last: 0}, n}} {
		got := tail(tt.cfg)
		if len(got) != n-tt.first {
			t.Errorf("%+v: %d entries, want %d", tt.cfg, len(got), n-tt.first)
		}
		for i, r := range got {
			if want := fmt.Sprintf("line %d", tt.first+i); r.Text != want || r.Seq != uint64(tt.first+i+1) || r.Kind != "text" || r.From != "ann" || r.Verified {
				t.Fatalf("%+v: entry %d is %+v, want %q", tt.cfg, i, r, want)
			}
			if _, err := time.Parse(time.RFC3339Nano, r.At); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTailFollows(t *testing.T) {
	dial := startServer(t)
	ann := run(t, dial, "ann", "lobby")
	post := func(text string) {
		t.Helper()
		if _, err := ann.Post(protocol.Post{Room: "lobby", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for range ann.Events() {
		}
	}()
	for i := range 700 {
		post(fmt.Sprint("old ", i))
	}
	if err := ann.WaitBelow(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	out := newOutput()
	zero := uint64(0)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	bob := run(t, dial, "bob", "lobby")
	go func() {
		ended <- Tail(ctx, TailConfig{Engine: bob, Out: out, Room: "lobby", After: &zero, Follow: true})
	}()
	for i := range 700 { // while the old ones are being fetched
		post(fmt.Sprint("new ", i))
	}
	out.await(t, "new 699\n")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Tail = %v", err)
	}
	i := 0
	for line := range strings.Lines(out.String()) {
		want := fmt.Sprintf("old %d\n", i)
		if i >= 700 {
			want = fmt.Sprintf("new %d\n", i-700)
		}
		if !strings.HasSuffix(line, "<~ann> "+want) {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
		i++
	}
	if i != 1400 {
		t.Errorf("%d lines", i)
	}
}

func TestSendSaysWhatWasRefused(t *testing.T) {
	dial := startServer(t)
	in := "fine\n" + strings.Repeat("x", 17<<10) + "\nfine too\n"
	err := Send(t.Context(), SendConfig{Engine: run(t, dial, "ann", "lobby"), Room: "lobby", Lines: strings.NewReader(in)})
	se, ok := errors.AsType[*SendError](err)
	if !ok || se.Sent != 2 || se.NotSent != 1 || !strings.Contains(err.Error(), "at most 16384 bytes") {
		t.Errorf("Send = %v", err)
	}
	if err := Send(t.Context(), SendConfig{Engine: run(t, dial, "ann", "lobby"), Room: "lobby", Lines: strings.NewReader("\n")}); err == nil {
		t.Error("nothing to send is no error")
	}
}

func TestWhoAndRooms(t *testing.T) {
	dial := startServer(t)
	ann := talk(t, dial, "ann")
	ann.type_("/join kitchen")
	ann.out.await(t, "you are in #kitchen")
	var out bytes.Buffer
	if err := Who(t.Context(), run(t, dial, "x"), &out, "kitchen", false); err != nil || out.String() != "~ann\n" {
		t.Errorf("Who = %q, %v", out.String(), err)
	}
	out.Reset()
	if err := Rooms(t.Context(), run(t, dial, "x"), &out, true); err != nil || !strings.Contains(out.String(), `"people":1,"room":"kitchen"`) {
		t.Errorf("Rooms = %q, %v", out.String(), err)
	}
	if err := Who(t.Context(), run(t, dial, "x"), &out, "nowhere", false); !errors.Is(err, &protocol.Error{Code: protocol.CodeNotFound}) {
		t.Errorf("Who in no room = %v", err)
	}
}
