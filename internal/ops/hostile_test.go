package ops

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/server"
)

// endless is a body of so many bytes, of which it counts what was taken.
type endless struct {
	left  int64
	taken atomic.Int64 // the transport may still be sending when it has the answer
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), e.left))
	for i := range b[:n] {
		b[i] = 'x'
	}
	e.left -= int64(n)
	e.taken.Add(int64(n))
	return n, nil
}

// raw sends bytes and returns the answer's first line, "" when it was just closed.
func (s *site) raw(b string) string {
	s.Helper()
	nc := s.dial()
	defer nc.Close()
	_, _ = io.WriteString(nc, b)
	line, _ := bufio.NewReader(nc).ReadString('\n')
	return strings.TrimSpace(line)
}

func (s *site) dial() net.Conn {
	s.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.Fatal(err)
	}
	return nc
}

const gigabyte = 1 << 30

// A gigabyte is refused without being read, whether its size is told or not.
func TestGigabyte(t *testing.T) {
	s := newSite(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, size := range map[string]int64{"size told": gigabyte, "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			body := &endless{left: gigabyte}
			r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.addr+"/hook/"+s.token, io.NopCloser(body))
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = size
			res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge || body.taken.Load() > 32<<20 {
				t.Errorf("%s after %d bytes", res.Status, body.taken.Load())
			}
			t.Logf("%s: %d bytes were taken", res.Status, body.taken.Load())
		})
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	head := fmt.Sprintf("POST /hook/%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ", s.token)
	if got := s.raw(head + "1073741824\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 413") {
		t.Errorf("with Expect: %q", got)
	}
	if got := s.raw(head + "5\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 100") {
		t.Errorf("with Expect, and small: %q", got)
	}
}

// Whoever sends slowly, nothing, or nonsense is cut off.
func TestSlowAndBroken(t *testing.T) {
	s := newSite(t, func(w *Webhook) { w.limits.header, w.limits.request = 200*time.Millisecond, 400*time.Millisecond })
	begin := "POST /hook/" + s.token + " HTTP/1.1\r\nHost: x\r\n"
	for name, tt := range map[string]struct{ send, want string }{
		"nothing":       {"", ""},
		"half a header": {begin + "X-A: ", ""},
		"half a body":   {begin + "Content-Length: 100\r\n\r\nhalf", "HTTP/1.1 408"},
		"half chunked":  {begin + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "HTTP/1.1 408"},
		"bad chunks":    {begin + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400"},
		"no HTTP":       {"\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400"},
		"large header":  {begin + "X-A: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		"two lengths":   {begin + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "HTTP/1.1 400"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.raw(tt.send); got != tt.want && (tt.want == "" || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("answered %q, want %q", got, tt.want)
			}
		})
	}
	// A header that drips ends all the same.
	nc := s.dial()
	defer nc.Close()
	for _, err := io.WriteString(nc, begin); err == nil; _, err = io.WriteString(nc, "a") {
		if err := nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	if got := s.post("", "afterwards"); got.status != 200 {
		t.Errorf("afterwards: %+v", got)
	}
}

// Connections over the bound hear so, and the next ones are served when these go.
func TestManyConnections(t *testing.T) {
	s := newSite(t, func(w *Webhook) { w.limits.connections, w.limits.perAddress = 20, 10 })
	var held []net.Conn
	for range 10 {
		held = append(held, s.dial())
	}
	if got := s.do("POST", "/hook/"+s.token, "", strings.NewReader("x")); got.status != 503 || got.Error != "busy" || got.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %+v", got)
	}
	for range 20 {
		held = append(held, s.dial())
	}
	if got := s.raw(""); got != "" {
		t.Errorf("far too many: %q", got)
	}
	for _, nc := range held {
		nc.Close()
	}
	for begin := time.Now(); ; {
		if got := s.raw(fmt.Sprintf("POST /hook/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", s.token)); got == "HTTP/1.1 200 OK" {
			return
		} else if time.Since(begin) > 10*time.Second {
			t.Fatalf("when they have gone: %q", got)
		}
	}
}

// Serve lets what is under way end, cuts off what does not, and leaves nothing
// running (goleak looks, at the end of all tests).
func TestShutdown(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := newSite(t, func(w *Webhook) {
		w.limits.grace = 100 * time.Millisecond
		post := w.post
		w.post = func(ctx context.Context, n server.Note) (server.Noted, error) {
			close(begun)
			select {
			case <-goOn:
				return post(ctx, n)
			case <-ctx.Done():
				return server.Noted{}, context.Cause(ctx)
			}
		}
	})
	idle := s.dial()
	defer idle.Close()
	slow := s.dial()
	defer slow.Close()
	fmt.Fprintf(slow, "POST /hook/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", s.token)
	<-begun
	if err := s.stop(); err != nil { // it would wait for ever for a post that was not cut off
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("it still listens")
	}
	close(goOn)
}

// Where the log takes nothing, a sender is told when to come again.
func TestLogAway(t *testing.T) {
	s := newSite(t)
	if err := s.log.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.post("", "x"); got.status != 503 || got.Error != "shutting_down" || got.header.Get("Retry-After") != "2" {
		t.Errorf("closed: %+v", got)
	}
	s.hook.post = func(context.Context, server.Note) (server.Noted, error) {
		return server.Noted{}, &server.Refusal{Code: "unavailable", Text: "the disk is full", RetryAfter: 1500 * time.Millisecond}
	}
	if got := s.post("", "x"); got.status != 503 || got.Error != "unavailable" || got.header.Get("Retry-After") != "2" {
		t.Errorf("unavailable: %+v", got)
	}
	if err := os.WriteFile(s.tokens.path, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.post("", "x"); got.status != 503 || got.Error != "unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("damaged tokens: %+v", got)
	}
}

// curl, as README and help show it.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	s := newSite(t)
	dir := t.TempDir()
	file, big := filepath.Join(dir, "result.txt"), filepath.Join(dir, "big")
	if err := os.WriteFile(file, []byte("line 1\nline 2 & 100%\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, gigabyte); err != nil {
		t.Skipf("no file of a gigabyte can be made: %v", err)
	}
	url := "http://" + s.addr + "/hook/" + s.token
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-d", "hello from curl", url}, `"seq":1`},
		{[]string{"--data-binary", "@" + file, url}, `"seq":2`},
		{[]string{"-H", "Content-Type: application/json", "-d", `{"text":"tests are green"}`, url}, `"seq":3`},
		{[]string{"--data-urlencode", `payload={"text":"made for Slack"}`, url}, `"seq":4`},
		{[]string{"-H", "Authorization: Bearer " + s.token, "-d", "deployed", "http://" + s.addr}, `"seq":5`},
		{[]string{"-X", "POST", "-T", big, url}, `"error":"too_long"`},
		{[]string{"-X", "POST", "-T", big, "-H", "Expect:", url}, `"error":"too_long"`},
		{[]string{"-d", "x", url + "x"}, `"error":"auth"`},
	} {
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(t.Context(), curl, append([]string{"-sS", "--noproxy", "*", "--max-time", "20"}, tt.args...)...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil || !strings.Contains(out.String(), tt.want) {
			t.Errorf("curl %q: %v %s\n%s\nwant %s", tt.args, err, errs.String(), out.String(), tt.want)
		}
	}
	if e := s.entries("build")[1]; e.Text != "line 1\nline 2 & 100%" {
		t.Errorf("the file's text is %q", e.Text)
	}
}
