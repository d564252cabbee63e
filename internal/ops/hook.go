package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"lanchat/internal/server"
)

// problem is an answer that is no 200.
type problem struct {
	status     int
	code, text string
	retry      time.Duration // 0: trying again is no use
	allow      string
	hangUp     bool // what else the peer sends is not wanted
}

func (p *problem) Error() string { return p.text }

func wrong(status int, code, format string, args ...any) *problem {
	return &problem{status: status, code: code, text: fmt.Sprintf(format, args...)}
}

// ServeHTTP implements http.Handler.
func (w *Webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	noted, err := w.handle(out, r)
	h := out.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err == nil {
		answer(out, http.StatusOK, struct {
			Room string `json:"room"`
			Seq  uint64 `json:"seq"`
			ID   string `json:"id"`
			As   string `json:"as"`
		}{noted.Room, noted.Seq, noted.ID, noted.Nick})
		return
	}
	p, ok := errors.AsType[*problem](err)
	if !ok {
		p = wrong(http.StatusInternalServerError, "internal", "a fault of the server")
		w.logger.Error("the webhook could not answer", "err", err)
	}
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retry.Seconds()))))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="lanchat"`)
	}
	if p.hangUp {
		h.Set("Connection", "close")
		defer linger(out, r)
	}
	answer(out, p.status, struct {
		Error string `json:"error"`
		Text  string `json:"text"`
	}{p.code, p.text})
}

func answer(out http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(v); err != nil {
		panic(err) // strings and numbers alone
	}
	out.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	out.WriteHeader(status)
	_, _ = out.Write(b.Bytes()) // a peer that is gone hears nothing
}

// lingerTime is what net/http waits, too.
const lingerTime = 500 * time.Millisecond

// linger keeps a connection open for a moment behind an answer to a body that was
// not read: closed at once, it would be reset, and the answer might be lost. Where
// the peer has not asked for the end itself, net/http does it.
func linger(out http.ResponseWriter, r *http.Request) {
	if !r.Close || r.ContentLength == 0 || r.Header.Get("Expect") != "" || http.NewResponseController(out).Flush() != nil {
		return
	}
	select {
	case <-time.After(lingerTime):
	case <-r.Context().Done():
	}
}

func (w *Webhook) handle(out http.ResponseWriter, r *http.Request) (server.Noted, error) {
	if r.Context().Value(busyKey{}) != nil {
		p := wrong(http.StatusServiceUnavailable, "busy", "too many connections at a time; try again later on")
		p.retry, p.hangUp = 2*time.Second, true
		return server.Noted{}, p
	}
	token, err := tokenOf(r)
	if err != nil {
		return server.Noted{}, err
	}
	known, err := w.admit(token, r)
	if err != nil {
		return server.Noted{}, err
	}
	decode, err := decoderOf(r.Header)
	if err != nil {
		return server.Noted{}, err
	}
	body, err := readBody(out, r)
	if err != nil {
		return server.Noted{}, err
	}
	said, err := decode(body)
	if err != nil {
		return server.Noted{}, err
	}
	n := server.Note{Room: known.Room, User: known.user(), Nick: known.As, Text: said.text, Action: said.action, ID: said.id}
	if said.as != "" {
		n.Nick = said.as
	}
	ctx, cancel := context.WithTimeout(r.Context(), w.limits.post)
	defer cancel()
	noted, err := w.post(ctx, n)
	return noted, explained(err)
}

// tokenOf finds the token of a request to one of our paths.
func tokenOf(r *http.Request) (string, error) {
	token, inPath := strings.CutPrefix(r.URL.Path, "/hook/")
	if !inPath && r.URL.Path != "/" && r.URL.Path != "/hook" || inPath && strings.Contains(token, "/") {
		return "", wrong(http.StatusNotFound, "not_found", "there is nothing here; post to /hook/TOKEN, or to / with Authorization: Bearer TOKEN")
	}
	if r.Method != http.MethodPost {
		p := wrong(http.StatusMethodNotAllowed, "method", "this takes POST; curl --data-binary 'a text' posts")
		p.allow = http.MethodPost
		return "", p
	}
	if inPath && token != "" {
		return token, nil
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(given); strings.EqualFold(scheme, "Bearer") && token != "" {
		return token, nil
	}
	return "", wrong(http.StatusUnauthorized, "auth", "a token is needed: in the path, /hook/TOKEN, or as Authorization: Bearer TOKEN; chatd webhook add ROOM makes one")
}

// admit finds what a token stands for, and holds it to its rate.
func (w *Webhook) admit(token string, r *http.Request) (Token, error) {
	known, ok, err := w.tokens.find(token)
	now := w.now()
	if err != nil {
		w.logger.Error("the webhook takes nothing", "err", err)
		p := wrong(http.StatusServiceUnavailable, "unavailable", "the server cannot read its tokens; its log says why")
		p.retry, p.hangUp = 30*time.Second, true
		return Token{}, p
	}
	if !ok {
		addr := addressOf(r.RemoteAddr)
		wait, count := w.bad.another(now, addr)
		if count > 0 {
			w.logger.Warn("the webhook was tried with wrong tokens", "from", addr.String(), "times", count)
		}
		if wait > 0 {
			p := wrong(http.StatusTooManyRequests, "slow", "too many wrong tokens from this address")
			p.retry, p.hangUp = wait, true
			return Token{}, p
		}
		p := wrong(http.StatusUnauthorized, "auth", "this token is wrong, or was removed; chatd webhook list shows which there are")
		p.hangUp = true
		return Token{}, p
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rates) >= 2*maxTokens { // of tokens that are gone, mostly
		for number, b := range w.rates {
			if b.full(now, postRate, postBurst) {
				delete(w.rates, number)
			}
		}
	}
	b := w.rates[known.Number]
	if b == nil {
		b = newBucket(now, postBurst)
		w.rates[known.Number] = b
	}
	if wait := b.take(now, postRate, postBurst); wait > 0 {
		p := wrong(http.StatusTooManyRequests, "slow", "with one token, %d posts can come at once and %d a second in the long run", postBurst, postRate)
		p.retry, p.hangUp = wait, true
		return Token{}, p
	}
	return known, nil
}

// readBody reads a body that is not too large. One that says that it is, is not
// read, nor asked for.
func readBody(out http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLong := wrong(http.StatusRequestEntityTooLarge, "too_long", "a request has at most %d bytes; for long texts there is chat send", MaxBody)
	tooLong.hangUp = true
	if r.ContentLength > MaxBody {
		return nil, tooLong
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, MaxBody))
	if _, isLong := errors.AsType[*http.MaxBytesError](err); isLong {
		return nil, tooLong
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p := wrong(http.StatusRequestTimeout, "timeout", "the request did not come in time")
		p.hangUp = true
		return nil, p
	}
	if err != nil {
		p := wrong(http.StatusBadRequest, "malformed", "the request's body broke off")
		p.hangUp = true
		return nil, p
	}
	return body, nil
}

// decoderOf says how a body is to be understood, by its headers.
func decoderOf(h http.Header) (func([]byte) (said, error), error) {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, notThis("Content-Encoding: %.100q is not taken: send the body as it is", e)
	}
	given := h.Get("Content-Type")
	if given == "" {
		return fromText, nil
	}
	kind, params, err := mime.ParseMediaType(given)
	if err != nil {
		return nil, notThis("Content-Type: %.100q cannot be understood", given)
	}
	if charset := strings.ToLower(params["charset"]); charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii" {
		return nil, notThis("charset=%.100q is not taken, UTF-8 is", charset)
	}
	switch {
	case kind == "text/plain", kind == "text/markdown":
		return fromText, nil
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		return fromJSON, nil
	case kind == "application/x-www-form-urlencoded":
		return fromForm, nil
	}
	return nil, notThis("Content-Type: %.100q is not taken; text/plain, application/json and application/x-www-form-urlencoded are", kind)
}

func notThis(format string, args ...any) *problem {
	p := wrong(http.StatusUnsupportedMediaType, "media_type", format, args...)
	p.hangUp = true
	return p
}

// statuses are what the engine's refusals are in HTTP.
var statuses = map[string]int{
	"too_long": http.StatusRequestEntityTooLarge, "id_conflict": http.StatusConflict,
	"unavailable": http.StatusServiceUnavailable, "shutting_down": http.StatusServiceUnavailable, "limit": http.StatusServiceUnavailable,
	"internal": http.StatusInternalServerError,
}

// explained makes an answer of what the engine says.
func explained(err error) error {
	if err == nil {
		return nil
	}
	if r, ok := errors.AsType[*server.Refusal](err); ok {
		status := statuses[r.Code]
		switch {
		case r.Code == "limit" && r.RetryAfter > 0: // of the room's bots; other limits stay
			status = http.StatusTooManyRequests
		case status == 0:
			status = http.StatusBadRequest
		}
		p := wrong(status, r.Code, "%s", r.Text)
		p.retry = r.RetryAfter
		return p
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		p := wrong(http.StatusServiceUnavailable, "unavailable", "the log did not answer in time; post again, with an id to be sure that it is there once")
		p.retry = 2 * time.Second
		return p
	}
	return err
}
