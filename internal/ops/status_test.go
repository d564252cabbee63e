package ops

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/internal/server"
)

// statusPage serves a page, and returns its URL.
func statusPage(t *testing.T, p *Status) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + l.Addr().String()
}

func ask(t *testing.T, method, url, host string) (status int, kind, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Host = host; host == "" {
		r.Host = r.URL.Host
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, a.Header.Get("Content-Type"), string(b)
}

// newEngine makes a server that listens, until the test ends.
func newEngine(t *testing.T) *server.Server {
	t.Helper()
	log := roomlog.Local(roomlog.NewMemory())
	s := server.New(server.Config{Name: "test", Log: log})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
		log.Close()
	})
	return s
}

func TestStatusPage(t *testing.T) {
	s := newEngine(t)
	url := statusPage(t, NewStatus(s, "test"))
	for _, row := range []struct {
		method, path, host string
		status             int
		says               string
	}{
		{"GET", "/healthz", "", 200, "ok\n"},
		{"HEAD", "/healthz", "", 200, ""},
		{"GET", "/readyz", "", 200, "ready\n"},
		{"GET", "/metrics", "", 200, "lanchat_connections 0\n"},
		{"GET", "/metrics", "localhost:1", 200, "lanchat_"},
		{"GET", "/metrics", "[::1]", 200, "lanchat_"},
		{"GET", "/metrics", "evil.example", 403, ""},
		{"GET", "/debug/pprof/", "evil.example:80", 403, ""},
		{"POST", "/metrics", "", 405, "GET"},
		{"GET", "/", "", 404, "/metrics"},
		{"GET", "/debug/pprofx", "", 404, ""},
		{"GET", "/debug/pprof/", "", 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", "", 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", "", 200, "ops.test"},
		{"GET", "/debug/pprof/profile?seconds=61", "", 400, "60"},
		{"GET", "/debug/pprof/trace?seconds=x", "", 400, "60"},
	} {
		if status, _, body := ask(t, row.method, url+row.path, row.host); status != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%s %s of %q: %d %q, want %d and %q", row.method, row.path, row.host, status, body, row.status, row.says)
		}
	}
	s.Close()
	waitUntil(t, func() bool { status, _, _ := ask(t, "GET", url+"/readyz", ""); return status == 503 })
	if status, _, body := ask(t, "GET", url+"/readyz", ""); status != 503 || !strings.Contains(body, "listen") {
		t.Errorf("without a listener: %d %q", status, body)
	}
	if status, _, _ := ask(t, "GET", url+"/healthz", ""); status != 200 {
		t.Errorf("health without a listener: %d", status)
	}
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	end := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("it has not come true in ten seconds")
		}
	}
}

// TestReadiness: the log is asked every two seconds however many ask, and what it says
// is what is said; a log that does not answer takes nothing.
func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var says error
		answer := make(chan struct{})
		p := newStatus(nil, func() error { asked.Add(1); <-answer; return says }, "test")
		close(answer)
		for range 100 {
			if err := p.isReady(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if asked.Load() != 1 {
			t.Errorf("the log was asked %d times", asked.Load())
		}
		says = errors.New("no space left on device")
		time.Sleep(readyFor)
		if err := p.isReady(t.Context()); err != says || asked.Load() != 2 {
			t.Errorf("%v, asked %d times", err, asked.Load())
		}
		answer = make(chan struct{})
		time.Sleep(readyFor)
		begun := time.Now()
		if err := p.isReady(t.Context()); err == nil || time.Since(begun) != readyAfter {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		if err := p.isReady(t.Context()); err == nil || time.Since(begun) != readyAfter || asked.Load() != 3 {
			t.Errorf("again: %v after %v, asked %d times", err, time.Since(begun), asked.Load())
		}
		says = nil
		close(answer)
		synctest.Wait()
		time.Sleep(readyFor)
		if err := p.isReady(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)`)
)

// TestMetricsText reads the page as Prometheus does, and holds it to what promtool
// checks.
func TestMetricsText(t *testing.T) {
	s := newEngine(t)
	p := newStatus(func() server.Stats {
		st := s.Stats()
		st.Commits[0], st.Commits[3], st.CommitTime = 3, 2, 1500*time.Millisecond
		return st
	}, s.Ready, `we"ird\ver`+"\nsion")
	_, kind, body := ask(t, "GET", statusPage(t, p)+"/metrics", "")
	if kind != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("Content-Type: %s", kind)
	}
	samples, problems := parseMetrics(body)
	for _, problem := range problems {
		t.Error(problem)
	}
	for sample, want := range map[string]float64{
		"lanchat_connections":                              0,
		`lanchat_sessions{door="lines"}`:                   0,
		`lanchat_limit_reached_total{limit="posts"}`:       0,
		`lanchat_limit_reached_total{limit="connections"}`: 0,
		`lanchat_commit_seconds_bucket{le="0.001"}`:        3,
		`lanchat_commit_seconds_bucket{le="0.01"}`:         5,
		`lanchat_commit_seconds_bucket{le="+Inf"}`:         5,
		"lanchat_commit_seconds_count":                     5,
		"lanchat_commit_seconds_sum":                       1.5,
	} {
		if got, there := samples[sample]; !there || got != want {
			t.Errorf("%s: %v, %v; want %v", sample, got, there, want)
		}
	}
	if len(samples) < 50 {
		t.Errorf("%d samples", len(samples))
	}
	if _, problems := parseMetrics("# TYPE x counter\nx 1\nx 1\ny 2\n"); len(problems) < 3 {
		t.Errorf("a page with four mistakes has these: %q", problems)
	}
}

// parseMetrics reads the text format, strictly.
func parseMetrics(text string) (samples map[string]float64, problems []string) {
	samples = map[string]float64{}
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !strings.HasSuffix(text, "\n") {
		bad("no line end at the end")
	}
	helped, types := map[string]bool{}, map[string]string{}
	family := ""
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			if helped[name] || help == "" {
				bad("%s: HELP twice, or empty", name)
			}
			helped[name], family = true, name
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if types[name] != "" || name != family || !metricName.MatchString(name) {
				bad("%s: TYPE twice, or not behind its HELP", name)
			}
			if total := strings.HasSuffix(name, "_total"); total != (kind == "counter") {
				bad("%s: a %s of that name", name, kind)
			}
			types[name], family = kind, name
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			bad("no sample: %q", line)
			continue
		}
		name := m[1]
		if types[family] == "histogram" {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, end)
			}
		}
		if name != family || !helped[name] {
			bad("%s stands behind %s", m[1], family)
		}
		for labels := m[2]; labels != ""; {
			pair := labelPair.FindString(labels)
			if pair == "" {
				bad("labels: %q", labels)
				break
			}
			labels = labels[len(pair):]
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil || math.IsNaN(v) || v < 0 {
			bad("%s: %v", line, err)
		}
		key := strings.TrimSuffix(line, " "+m[3])
		if _, twice := samples[key]; twice {
			bad("%s: twice", key)
		}
		samples[key] = v
	}
	return samples, problems
}
