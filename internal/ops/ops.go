// Package ops is the server's side doors for programs, over HTTP: a webhook that build
// systems, monitors and curl post to, and a page of [Status] for those who run the
// server.
//
// # The webhook
//
// A token stands for one room and one nick. It is shown once, when it is made;
// the file keeps its SHA-256 alone ([Tokens]). What is posted with it is marked as
// a bot's and as unverified, and never has the nick of a person.
//
//	POST /hook/TOKEN                     or
//	POST / or /hook                      with Authorization: Bearer TOKEN
//
// The body, of at most [MaxBody] bytes, is UTF-8. Its Content-Type says what it is:
//
//   - text/plain, text/markdown, or none: the text. Line ends at its end are cut.
//   - application/json, or …+json: an object with text, and where wanted as or
//     username (another nick, its spaces become '-'), kind ("text" or "action") and
//     id (a UUIDv7). Everything else in it is ignored, but for the attachments of
//     Slack's format: without a text, theirs are taken.
//   - application/x-www-form-urlencoded, which curl -d sends: with payload=… at its
//     beginning that JSON, as Slack takes it; otherwise the body as it is is the
//     text, and nothing in it is decoded.
//
// 200 says that the entry is durable: {"room":"build","seq":17,"id":"…","as":"ci"}.
// The same id, room and text again gives the same answer and no second entry, so a
// sender that hears nothing can post again.
//
// Any other answer is {"error":CODE,"text":"what is wrong, for people"}:
//
//	400 malformed, bad_text, bad_nick, bad_id   no JSON (with its line and column), no UTF-8, no text, …
//	401 auth          no token, or a wrong one
//	404 not_found     another path
//	405 method        another method than POST
//	408 timeout       the request came too slowly
//	409 id_conflict   the id belongs to another text
//	413 too_long      a body over MaxBody, or a text over the server's limit: nothing is posted, nothing is cut
//	415 media_type    another Content-Type, charset or Content-Encoding
//	429 slow, limit   too much for this token, too many wrong ones, or too much of this room's
//	                  bots without a person's word: Retry-After says how long to wait
//	503 unavailable, shutting_down, busy   for now, such as where the disk is nearly full: Retry-After
//
// # Bounds
//
// [MaxConnections] connections in all and [MaxPerAddress] from one address, beyond
// which as many are told that it is busy and the rest are closed; 8 KiB of
// header; 5 s for the header and 15 s for the whole request; 5 posts a second for a
// token in the long run, 100 at once. A body whose announced size is too large is
// refused without being read, or asked for where the sender waits for 100 Continue;
// of any other no more than MaxBody is read. A wrong token is answered at once 10
// times, then once a second for an address. Right ones are not held up by that: a
// token is 256 random bits, and nobody guesses it.
//
// # The status
//
//	GET /metrics     numbers, in Prometheus' text format 0.0.4; names begin with lanchat_
//	GET /healthz     200 as long as the process answers
//	GET /readyz      200 when the server listens and its log takes entries; 503 says why not.
//	                 The text of a 200 says so when the disk is nearly full, before posts are refused
//	GET /debug/pprof/…   Go's profiles
//
// No label has a value that others could choose: no rooms, nicks or addresses.
//
// There is no encryption in either: a proxy in front can add it.
package ops

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"lanchat/internal/server"
)

// The bounds of a webhook.
const (
	MaxBody        = 128 << 10 // bytes of a request's body
	MaxConnections = 256
	MaxPerAddress  = 64

	maxHeader = 8 << 10
	postRate  = 5 // a second, of one token
	postBurst = 100
	badRate   = 1 // wrong tokens a second, from one address
	badBurst  = 10
)

// limits are what tests make shorter.
type limits struct {
	header, request, post, answer, idle, grace time.Duration
	connections, perAddress                    int
}

var usual = limits{
	header: 5 * time.Second, request: 15 * time.Second, post: 10 * time.Second, answer: 30 * time.Second,
	idle: 30 * time.Second, grace: 2 * time.Second, connections: MaxConnections, perAddress: MaxPerAddress,
}

// Webhook takes posts over HTTP. Serve may be called once.
type Webhook struct {
	post   func(context.Context, server.Note) (server.Noted, error)
	tokens *reader
	logger *slog.Logger
	now    func() time.Time
	limits limits

	bad   strikes // by address
	mu    sync.Mutex
	rates map[int]*bucket // by the number of the token
}

// NewWebhook makes a webhook that posts to a server what comes with one of the
// tokens.
func NewWebhook(s *server.Server, tokens *Tokens, logger *slog.Logger) *Webhook {
	return newWebhook(s.Post, tokens, logger)
}

func newWebhook(post func(context.Context, server.Note) (server.Noted, error), tokens *Tokens, logger *slog.Logger) *Webhook {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Webhook{post: post, tokens: &reader{path: tokens.path}, logger: logger, now: time.Now, limits: usual, rates: map[int]*bucket{}}
}

// Serve answers requests on l, which it closes, until ctx ends. Requests under way
// then have two seconds. It returns when everything that it started has ended; nil
// unless l failed.
func (w *Webhook) Serve(ctx context.Context, l net.Listener) error {
	if err := serve(ctx, l, w, w.limits); err != nil {
		return fmt.Errorf("the webhook at %v: %w", l.Addr(), err)
	}
	return nil
}
