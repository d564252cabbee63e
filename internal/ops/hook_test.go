package ops

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/internal/server"
	"lanchat/protocol"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a webhook in front of a real engine.
type site struct {
	testing.TB
	hook   *Webhook
	tokens *Tokens
	log    roomlog.Log
	addr   string
	token  string // of the room build, as ci
	stop   func() error
}

func newSite(t testing.TB, change ...func(*Webhook)) *site {
	t.Helper()
	s := &site{TB: t, log: roomlog.Local(roomlog.NewMemory()), tokens: OpenTokens(t.TempDir())}
	engine := server.New(server.Config{Name: "Hack Night", Log: s.log})
	s.token = s.add("build", "ci")
	s.hook = NewWebhook(engine, s.tokens, nil)
	for _, f := range change {
		f(s.hook)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.hook.Serve(ctx, l) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := s.log.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) add(room, as string) string {
	s.Helper()
	token, _, err := s.tokens.Add(room, as, time.Now())
	if err != nil {
		s.Fatal(err)
	}
	return token
}

// reply is what a request was answered.
type reply struct {
	status int
	header http.Header
	Room   string
	Seq    uint64
	ID     string
	As     string
	Error  string
	Text   string
}

// do sends one request over a connection of its own.
func (s *site) do(method, path, kind string, body io.Reader, more ...string) reply {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, "http://"+s.addr+path, body)
	if err != nil {
		s.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	r.Close = true
	res, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}, Timeout: 20 * time.Second}).Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	got := reply{status: res.StatusCode, header: res.Header}
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		s.Fatalf("%s: the answer is no JSON: %v", res.Status, err)
	}
	return got
}

func (s *site) post(kind, body string) reply {
	s.Helper()
	return s.do("POST", "/hook/"+s.token, kind, strings.NewReader(body))
}

// entries are what is in a room.
func (s *site) entries(room string) []protocol.Entry {
	s.Helper()
	list, _, err := s.log.Read(s.Context(), roomlog.Range{Room: room, Limit: 1000, Bytes: 1 << 30})
	if err != nil {
		s.Fatal(err)
	}
	return list
}

// What build systems and curl send is understood, and what comes of it.
func TestBodies(t *testing.T) {
	s := newSite(t)
	const form = "application/x-www-form-urlencoded"
	for i, tt := range []struct{ kind, body, text, as string }{
		{"text/plain", "hello\nthere\n", "hello\nthere", "ci"},
		{"text/plain; charset=utf-8", "grün\r\n", "grün", "ci"},
		{"", "no type", "no type", "ci"},
		{"text/plain", "\ufeffwith a BOM", "with a BOM", "ci"},
		{form, "50% done & more+more=better", "50% done & more+more=better", "ci"}, // curl -d
		{form, "payload=" + url.QueryEscape(`{"text":"by a form & more","username":"slack bot"}`), "by a form & more", "slack-bot"},
		{form, "payload=" + url.QueryEscape(`{"text":"x"}`) + "&more=1", "x", "ci"},
		{"application/json", `{"text":"as JSON"}`, "as JSON", "ci"},
		{"application/vnd.github+json", ` {"text":"other","as":"gh","repository":{"id":1},"list":[1,2]}`, "other", "gh"},
		{"application/json", `{"text":"","attachments":[{"fallback":"f","pretext":"Build","title":"#7","text":"passed","fields":[]},{"fallback":"only"}]}`, "Build\n#7\npassed\nonly", "ci"},
		{"application/json", `{"text":"waves","kind":"action","username":"a   b"}`, "waves", "a-b"},
		{"text/plain", "\x1b[31mred", "␛[31mred", "ci"},
	} {
		got := s.post(tt.kind, tt.body)
		if got.status != 200 || got.Room != "build" || got.Seq != uint64(i+1) || got.As != tt.as {
			t.Errorf("%s %q: %+v", tt.kind, tt.body, got)
			continue
		}
		e := s.entries("build")[i]
		if e.Text != tt.text || e.Nick != tt.as || !e.Guest || !e.Bot || e.ID.String() != got.ID {
			t.Errorf("%q: %+v", tt.body, e)
		}
		if isAction := e.Kind == protocol.KindAction; isAction != strings.Contains(tt.body, "action") {
			t.Errorf("%q: kind %q", tt.body, e.Kind)
		}
	}
	for _, path := range []string{"/", "/hook", "/hook/"} {
		if got := s.do("POST", path, "", strings.NewReader("x"), "Authorization", "bearer  "+s.token); got.status != 200 {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newSite(t)
	const plain, js = "text/plain", "application/json"
	long := strings.Repeat("x", 20_000)
	for _, tt := range []struct {
		method, path, kind, body string
		status                   int
		code, text               string
	}{
		{"POST", "/hook/wrong", plain, "x", 401, "auth", "wrong"},
		{"POST", "/", plain, "x", 401, "auth", "a token is needed"},
		{"POST", "/hooks/TOKEN", plain, "x", 404, "not_found", ""},
		{"POST", "/hook/TOKEN/x", plain, "x", 404, "not_found", ""},
		{"GET", "/hook/TOKEN", "", "", 405, "method", "POST"},
		{"PUT", "/", plain, "x", 405, "method", "POST"},
		{"POST", "/hook/TOKEN", "image/png", "x", 415, "media_type", "image/png"},
		{"POST", "/hook/TOKEN", "multipart/form-data; boundary=x", "x", 415, "media_type", "multipart"},
		{"POST", "/hook/TOKEN", "text/plain; charset=latin-1", "x", 415, "media_type", "UTF-8"},
		{"POST", "/hook/TOKEN", "nonsense;;", "x", 415, "media_type", ""},
		{"POST", "/hook/TOKEN", plain, "", 400, "bad_text", "needs a text"},
		{"POST", "/hook/TOKEN", plain, " \n\n", 400, "bad_text", "needs a text"},
		{"POST", "/hook/TOKEN", plain, "ab\xff", 400, "malformed", "byte 3"},
		{"POST", "/hook/TOKEN", js, "", 400, "malformed", "there is nothing"},
		{"POST", "/hook/TOKEN", js, "{\"text\":\"x\",\n \"ä\" 1}", 400, "malformed", "line 2, column 6"},
		{"POST", "/hook/TOKEN", js, `{"text":"x"`, 400, "malformed", "line 1"},
		{"POST", "/hook/TOKEN", js, "{\"text\":\n\"\xc3\x28\"}", 400, "malformed", "line 2, column 2"},
		{"POST", "/hook/TOKEN", js, `{"text":5}`, 400, "malformed", "number"},
		{"POST", "/hook/TOKEN", js, `["text"]`, 400, "malformed", "array"},
		{"POST", "/hook/TOKEN", js, strings.Repeat("[", 100_000), 400, "malformed", ""},
		{"POST", "/hook/TOKEN", js, `{"text":"x","kind":"edit"}`, 400, "malformed", "action"},
		{"POST", "/hook/TOKEN", js, `{"text":"x","as":"@ann"}`, 400, "bad_nick", "@"},
		{"POST", "/hook/TOKEN", js, `{"text":"x","as":"guest-1"}`, 400, "bad_nick", "guest-"},
		{"POST", "/hook/TOKEN", js, `{"text":"x","id":"7"}`, 400, "bad_id", "UUIDv7"},
		{"POST", "/hook/TOKEN", js, `{"text":"x","id":"6ba7b810-9dad-41d1-80b4-00c04fd430c8"}`, 400, "bad_id", "UUIDv7"},
		{"POST", "/hook/TOKEN", js, `{}`, 400, "bad_text", "needs a text"},
		{"POST", "/hook/TOKEN", "application/x-www-form-urlencoded", "payload=%zz", 400, "malformed", "payload"},
		{"POST", "/hook/TOKEN", plain, long, 413, "too_long", "16384"},
		{"POST", "/hook/TOKEN", plain, strings.Repeat(long, 7), 413, "too_long", "131072"},
	} {
		got := s.do(tt.method, strings.Replace(tt.path, "TOKEN", s.token, 1), tt.kind, strings.NewReader(tt.body))
		if got.status != tt.status || got.Error != tt.code || !strings.Contains(got.Text, tt.text) {
			t.Errorf("%s %s %s %.60q: %d %s %q, want %d %s %q", tt.method, tt.path, tt.kind, tt.body, got.status, got.Error, got.Text, tt.status, tt.code, tt.text)
		}
		if strings.Contains(got.Text, s.token) {
			t.Errorf("the answer has the token: %s", got.Text)
		}
	}
	if got := s.do("POST", "/hook/"+s.token, plain, strings.NewReader("x"), "Content-Encoding", "gzip"); got.status != 415 {
		t.Errorf("gzip: %+v", got)
	}
	if list := s.entries("build"); len(list) > 0 {
		t.Errorf("something was posted: %+v", list)
	}
}

// The same id again is the same entry, and another text under it is refused.
func TestOnce(t *testing.T) {
	s := newSite(t)
	id := protocol.NewID().String()
	body := `{"text":"once","id":"` + id + `"}`
	first := s.post("application/json", body)
	again := s.post("application/json", body)
	if first.status != 200 || first.ID != id || again.status != 200 || again.Seq != first.Seq || len(s.entries("build")) != 1 {
		t.Errorf("first %+v, again %+v, %d entries", first, again, len(s.entries("build")))
	}
	if got := s.post("application/json", strings.Replace(body, "once", "twice", 1)); got.status != 409 || got.Error != "id_conflict" {
		t.Errorf("another text: %+v", got)
	}
}

// A token that is made or removed beside the server counts from the next request on.
func TestTokensChange(t *testing.T) {
	s := newSite(t)
	s.post("", "x")
	other := s.add("alerts", "nagios")
	if got := s.do("POST", "/hook/"+other, "", strings.NewReader("y")); got.status != 200 || got.Room != "alerts" || got.As != "nagios" {
		t.Errorf("a new token: %+v", got)
	}
	if removed, err := s.tokens.Remove(func(t Token) bool { return t.Is(s.token) }); err != nil || len(removed) != 1 {
		t.Fatal(removed, err)
	}
	if got := s.post("", "x"); got.status != 401 {
		t.Errorf("a removed token: %+v", got)
	}
	if got := s.do("POST", "/hook/"+other, "", strings.NewReader("y")); got.status != 200 {
		t.Errorf("the one that stays: %+v", got)
	}
	if users := s.entries("alerts"); users[0].User != users[1].User || users[0].User == s.entries("build")[0].User {
		t.Errorf("one user for each token: %+v", users)
	}
}

// Over its rate a token waits; another one does not.
func TestRate(t *testing.T) {
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := newSite(t, func(w *Webhook) { w.now = clock })
	other := s.add("build", "other")
	for i := range postBurst {
		if got := s.post("", "x"); got.status != 200 {
			t.Fatalf("post %d: %+v", i, got)
		}
	}
	got := s.post("", "x")
	if got.status != 429 || got.header.Get("Retry-After") != "1" || !strings.Contains(got.Text, "5 a second") {
		t.Errorf("over the burst: %+v", got)
	}
	if got := s.do("POST", "/hook/"+other, "", strings.NewReader("x")); got.status != 200 {
		t.Errorf("another token: %+v", got)
	}
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	for i := range postRate {
		if got := s.post("", "x"); got.status != 200 {
			t.Errorf("a second later, post %d: %+v", i, got)
		}
	}
	if got := s.post("", "x"); got.status != 429 {
		t.Errorf("a second later, one too many: %+v", got)
	}
	if n := len(s.entries("build")); n != postBurst+1+postRate {
		t.Errorf("%d entries", n)
	}
}

// Guessing is slowed down, and whoever has a token does not feel it.
func TestGuessing(t *testing.T) {
	now := time.Now()
	s := newSite(t, func(w *Webhook) { w.now = func() time.Time { return now } })
	for i := range badBurst + 5 {
		want := 401
		if i >= badBurst {
			want = 429
		}
		got := s.do("POST", "/hook/lanchat_guess", "", strings.NewReader("x"))
		if got.status != want || want == 429 && got.header.Get("Retry-After") != "1" {
			t.Errorf("guess %d: %+v, want %d", i+1, got, want)
		}
	}
	if got := s.post("", "x"); got.status != 200 {
		t.Errorf("the right one: %+v", got)
	}
}

// The nick of a person is never a webhook's.
func TestNicksOfPeople(t *testing.T) {
	s := newSite(t)
	if _, err := s.log.BindNick("ann", protocol.UserID{1}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got := s.post("application/json", `{"text":"I am ann","as":"Ann"}`); got.status != 200 || got.As != "Ann-2" {
		t.Errorf("%+v", got)
	}
}
