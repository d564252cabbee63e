package ops

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lanchat/internal/server"
)

// Status is the page for those who run a server. Serve may be called once.
type Status struct {
	stats   func() server.Stats
	ready   func() error
	version string
	started time.Time
	limits  limits

	mu     sync.Mutex
	check  *check // the newest
	checks sync.WaitGroup
}

// check is one look whether the server is ready. done is closed when it has ended.
type check struct {
	begun time.Time
	done  chan struct{}
	err   error
}

const (
	readyFor   = 2 * time.Second // how long a check counts
	readyAfter = 5 * time.Second // a log that takes longer takes nothing
	maxProfile = 60              // seconds
)

// NewStatus makes the page of a server of a version.
func NewStatus(s *server.Server, version string) *Status {
	return newStatus(s.Stats, s.Ready, version)
}

func newStatus(stats func() server.Stats, ready func() error, version string) *Status {
	bounds := usual
	bounds.connections, bounds.perAddress = 64, 16
	return &Status{stats: stats, ready: ready, version: version, started: time.Now(), limits: bounds}
}

// Serve answers requests on l, which it closes, until ctx ends.
func (p *Status) Serve(ctx context.Context, l net.Listener) error {
	err := serve(ctx, l, p, p.limits)
	p.checks.Wait() // they end with the log's answer
	if err != nil {
		return fmt.Errorf("the status at %v: %w", l.Addr(), err)
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (p *Status) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	h := out.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	say := func(status int, text string) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		out.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintln(out, text)
		}
	}
	profile, isProfile := strings.CutPrefix(r.URL.Path, "/debug/pprof")
	switch {
	case r.Context().Value(busyKey{}) != nil:
		h.Set("Connection", "close")
		h.Set("Retry-After", "2")
		say(http.StatusServiceUnavailable, "too many connections at a time")
	case !mayAsk(r):
		say(http.StatusForbidden, "this page is asked for by an address, or as localhost")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !(isProfile && r.Method == http.MethodPost):
		h.Set("Allow", "GET, HEAD")
		say(http.StatusMethodNotAllowed, "this takes GET")
	case r.URL.Path == "/metrics":
		h.Set("Content-Type", expositionType)
		if r.Method != http.MethodHead {
			p.metrics().writeTo(out)
		}
	case r.URL.Path == "/healthz":
		say(http.StatusOK, "ok")
	case r.URL.Path == "/readyz":
		if err := p.isReady(r.Context()); err != nil {
			h.Set("Retry-After", strconv.Itoa(int(readyFor.Seconds())))
			say(http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
		ready := "ready"
		if text := p.stats().DiskNotice; text != "" {
			ready += ". " + text
		}
		say(http.StatusOK, ready)
	case isProfile && (profile == "" || profile[0] == '/'):
		p.profile(out, r, strings.TrimPrefix(profile, "/"))
	default:
		say(http.StatusNotFound, "there is nothing here; there are /metrics, /healthz, /readyz and /debug/pprof/")
	}
}

// mayAsk refuses what a page in somebody's browser asks of the loopback, by a name of
// its own that it has made to mean 127.0.0.1.
func mayAsk(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return true
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost"
}

// isReady asks the server, at most every two seconds, whoever asks.
func (p *Status) isReady(ctx context.Context) error {
	p.mu.Lock()
	c := p.check
	now := time.Now()
	if c == nil || c.ended() && now.Sub(c.begun) >= readyFor {
		c = &check{begun: now, done: make(chan struct{})}
		p.check = c
		p.checks.Go(func() {
			defer close(c.done)
			c.err = p.ready()
		})
	}
	p.mu.Unlock()
	late := time.NewTimer(max(readyAfter-now.Sub(c.begun), 0))
	defer late.Stop()
	select {
	case <-c.done:
		return c.err
	case <-late.C:
		if c.ended() {
			return c.err
		}
		return fmt.Errorf("the log has not answered for %v", readyAfter)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *check) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// profile answers with one of Go's profiles. Those that take their time have more than
// other answers.
func (p *Status) profile(out http.ResponseWriter, r *http.Request, name string) {
	if text := r.FormValue("seconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxProfile {
			http.Error(out, fmt.Sprintf("seconds is a number up to %d", maxProfile), http.StatusBadRequest)
			return
		}
	}
	// pprof itself moves the deadline for writing; where that for reading cannot be
	// moved, a profile ends with it.
	_ = http.NewResponseController(out).SetReadDeadline(time.Time{})
	switch name {
	case "cmdline":
		pprof.Cmdline(out, r)
	case "profile":
		pprof.Profile(out, r)
	case "symbol":
		pprof.Symbol(out, r)
	case "trace":
		pprof.Trace(out, r)
	default:
		pprof.Index(out, r)
	}
}

// metrics are the numbers of this moment.
func (p *Status) metrics() *exposition {
	s := p.stats()
	x := &exposition{}
	gauge := func(name, help string, v float64) { x.one(name, "gauge", help, v) }
	counter := func(name, help string, v uint64) { x.one(name, "counter", help, float64(v)) }

	x.family("lanchat_build_info", "gauge", "1, labelled by version.")
	x.value("lanchat_build_info", 1, "version", p.version, "go", runtime.Version())
	gauge("lanchat_start_time_seconds", "When the server began, in seconds since 1970.", float64(p.started.UnixMilli())/1e3)
	gauge("lanchat_connections", "Open connections.", float64(s.Connections))
	gauge("lanchat_handshakes", "Connections that have not yet said who they are.", float64(s.Handshakes))
	x.family("lanchat_sessions", "gauge", "Connections that are in, by door.")
	for _, door := range slices.Sorted(maps.Keys(s.Sessions)) {
		x.value("lanchat_sessions", float64(s.Sessions[door]), "door", door)
	}
	gauge("lanchat_slowed_sessions", "Sessions that wait because of a rate.", float64(s.Slowed))
	gauge("lanchat_people", "People in a room.", float64(s.People))
	gauge("lanchat_rooms", "Rooms with people in them.", float64(s.Rooms))

	if s.DiskFloor > 0 {
		gauge("lanchat_disk_free_bytes", "Bytes that are free where the log is.", float64(s.DiskFree))
		gauge("lanchat_disk_floor_bytes", "Bytes of them that stay free: below it posts are refused.", float64(s.DiskFloor))
	}

	counter("lanchat_connections_accepted_total", "Connections that came.", s.Accepted)
	counter("lanchat_received_bytes_total", "Bytes read from connections, TLS included.", s.BytesIn)
	counter("lanchat_sent_bytes_total", "Bytes written to connections, TLS included.", s.BytesOut)
	counter("lanchat_posts_total", "Posts that are in the log.", s.Posts)
	counter("lanchat_posts_failed_total", "Posts that the log refused for now.", s.Failed)
	counter("lanchat_deliveries_total", "Entries sent, once for each session.", s.Deliveries)
	counter("lanchat_log_reads_total", "Reads of the log for sessions that were late.", s.LogReads)
	counter("lanchat_auth_failures_total", "Newcomers who did not prove what they have to.", s.Auth)
	counter("lanchat_entries_refused_total", "Newcomers who are banned or have to wait.", s.Refused)
	x.family("lanchat_limit_reached_total", "counter", "How often each limit was reached.")
	for _, name := range slices.Sorted(maps.Keys(s.Limits)) {
		x.value("lanchat_limit_reached_total", float64(s.Limits[name]), "limit", name)
	}
	bounds := make([]float64, len(server.CommitBounds))
	for i, d := range server.CommitBounds {
		bounds[i] = d.Seconds()
	}
	x.histogram("lanchat_commit_seconds", "From a post's submission until it is durable; of each session one at a time.",
		bounds, s.Commits[:], s.CommitTime.Seconds())

	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	gauge("go_goroutines", "Goroutines that there are.", float64(runtime.NumGoroutine()))
	gauge("go_memory_classes_total_bytes", "Memory that Go has mapped.", float64(samples[0].Value.Uint64()))
	gauge("go_memory_classes_heap_objects_bytes", "Memory of the heap's objects.", float64(samples[1].Value.Uint64()))
	return x
}
