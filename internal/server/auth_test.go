package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/identity"
	"lanchat/internal/passphrase"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

const sesame = "open sesame"

var secretOnce = sync.OnceValues(func() (*passphrase.Secret, error) { return passphrase.NewSecret(sesame) })

// guarded starts a server that asks for the passphrase, with rules to change.
func guarded(t testing.TB, change ...func(*Config)) (addr string, rules *access.Rules) {
	t.Helper()
	secret, err := secretOnce()
	if err != nil {
		t.Fatal(err)
	}
	if rules, err = access.Open(roomlog.NewMemory(), nil); err != nil {
		t.Fatal(err)
	}
	_, addr = startTLS(t, append([]func(*Config){func(c *Config) {
		c.Rules, c.Secret = rules, func() *passphrase.Secret { return secret }
	}}, change...)...)
	return addr, rules
}

var passphrases sync.Map // → *passphrase.Key: hashing takes its time

// enter comes to a server, with a key of one's own or as a guest, a passphrase or none,
// and a token or none.
func enter(t testing.TB, addr string, id *identity.Identity, phrase, token string) (*peer, error) {
	t.Helper()
	config := identity.GuestTLS(nil)
	if id != nil {
		config = id.ClientTLS(nil)
	}
	nc, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	c := protocol.NewConn(nc)
	t.Cleanup(func() { c.Close() })
	var proof *passphrase.Proof
	if phrase != "" {
		made, err := passphrase.NewKey(phrase)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := passphrases.LoadOrStore(phrase, made)
		state := nc.ConnectionState()
		if proof, err = key.(*passphrase.Key).Prove(&state); err != nil {
			t.Fatal(err)
		}
		c.Answer(func(step *protocol.Auth) (*protocol.Auth, error) {
			answer, err := proof.Step(step.Data)
			if err != nil || len(answer) == 0 {
				return nil, err
			}
			return &protocol.Auth{Data: answer}, nil
		})
	}
	w, err := c.Handshake(t.Context(), &protocol.Hello{Nick: "ann", Token: token})
	if err != nil {
		return nil, err
	}
	return &peer{t, c, w}, nil
}

func TestWhoGetsIn(t *testing.T) {
	addr, rules := guarded(t)
	admin := newKey(t)
	rules.SetAdmins([]protocol.UserID{admin.Fingerprint().UserID()})
	if err := rules.SetPrivate("secret", true); err != nil {
		t.Fatal(err)
	}
	token, _, err := rules.Invite("secret", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	member := newKey(t)
	auth := &protocol.Error{Code: protocol.CodeAuth}
	for _, tt := range []struct {
		name          string
		id            *identity.Identity
		phrase, token string
		want          error
		room          string
	}{
		{"who knows it", newKey(t), sesame, "", nil, ""},
		{"a guest who knows it", nil, sesame, "", nil, ""},
		{"who does not", newKey(t), "", "", protocol.ErrAuthRequired, ""},
		{"who guesses", newKey(t), "sesame", "", auth, ""},
		{"an admin", admin, "", "", nil, ""},
		{"a guest by an invitation to a private room", nil, "", token, &protocol.Error{Code: protocol.CodeForbidden}, ""},
		{"by an invitation", member, "", token, nil, "secret"},
		{"who came by one, again", member, "", "", nil, ""},
		{"who came by one, with it", member, "", token, nil, ""},
		{"by one that is used up", newKey(t), "", token, auth, ""},
		{"by one that is none", newKey(t), sesame, strings.Repeat("a", 26), auth, ""},
	} {
		p, err := enter(t, addr, tt.id, tt.phrase, tt.token)
		if !errors.Is(err, tt.want) || err == nil && p.welcome.Room != tt.room {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	// Without TLS nobody is asked, and nobody gets in.
	if _, _, err := protocol.Dial(t.Context(), addr, nil, &protocol.Hello{Nick: "bob"}); !errors.Is(err, auth) || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("without TLS: %v", err)
	}
}

// said is all that a server says to somebody who writes plain lines.
func said(t testing.TB, addr, text string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, text)
	nc.(*net.TCPConn).CloseWrite()
	nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	all, err := io.ReadAll(nc)
	if err != nil {
		t.Errorf("it ends with %v", err)
	}
	return string(all)
}

func TestPlainLinesAreRefused(t *testing.T) {
	behind, _ := guarded(t)
	_, closed := startTLS(t, func(c *Config) { c.NoGuests = true })
	for addr, why := range map[string]string{behind: "passphrase", closed: "no guests"} {
		for _, text := range []string{"hello\n", "\n", strings.Repeat("x", 100_000)} {
			if line := said(t, addr, text); !strings.HasPrefix(line, protocol.Greeting) || !strings.Contains(line, why) || strings.Count(line, "\n") != 1 {
				t.Errorf("%.9q is answered by %q", text, line)
			}
		}
		if page := said(t, addr, "GET / HTTP/1.1\r\n\r\n"); !strings.HasPrefix(page, "HTTP/1.1 400") {
			t.Errorf("a browser gets %q", page)
		}
	}
	for _, id := range []*identity.Identity{nil, newKey(t)} {
		if _, err := enter(t, closed, id, "", ""); (err == nil) != (id != nil) {
			t.Errorf("where there are no guests, with the key %v: %v", id != nil, err)
		}
	}
	if _, _, err := protocol.Dial(t.Context(), closed, nil, &protocol.Hello{Nick: "bob"}); !errors.Is(err, &protocol.Error{Code: protocol.CodeAuth}) {
		t.Errorf("without TLS: %v", err)
	}
}

func TestTheBannedStayOut(t *testing.T) {
	forbidden := &protocol.Error{Code: protocol.CodeForbidden}
	addr, rules := guarded(t)
	banned := newKey(t)
	if err := rules.BanUser(banned.Fingerprint().UserID(), access.Ban{Why: "spam"}); err != nil {
		t.Fatal(err)
	}
	token, _, err := rules.Invite("lobby", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"", token} {
		if _, err := enter(t, addr, banned, sesame, token); !errors.Is(err, forbidden) || !strings.Contains(err.Error(), "spam") {
			t.Errorf("with the passphrase and the token %q: %v", token, err)
		}
	}
	if _, err := enter(t, addr, newKey(t), "", token); err != nil {
		t.Errorf("the banned one has used the invitation up: %v", err)
	}
	if err := rules.BanAddr(netip.MustParseAddr("127.0.0.1"), access.Ban{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []*identity.Identity{nil, newKey(t)} {
		if _, err := enter(t, addr, id, sesame, ""); !errors.Is(err, forbidden) {
			t.Errorf("from a banned address: %v", err)
		}
	}
	if line := said(t, addr, "hello\n"); !strings.Contains(line, "banned") || strings.Count(line, "\n") != 1 {
		t.Errorf("by plain lines: %q", line)
	}
}

// The passphrase can be replaced; those who guess are slowed and logged, with neither
// what they guessed nor what is right.
func TestGuessingIsSlowedAndLogged(t *testing.T) {
	var log lockedBuffer
	var secret atomic.Pointer[passphrase.Secret]
	first, err := secretOnce()
	if err != nil {
		t.Fatal(err)
	}
	secret.Store(first)
	addr, _ := guarded(t, func(c *Config) {
		c.Secret, c.Logger = secret.Load, slog.New(slog.NewTextHandler(&log, nil))
	})
	old := newKey(t)
	if _, err := enter(t, addr, old, sesame, ""); err != nil {
		t.Fatal(err)
	}
	second, err := passphrase.NewSecret("another one")
	if err != nil {
		t.Fatal(err)
	}
	secret.Store(second)
	for range freeTries {
		if _, err := enter(t, addr, newKey(t), sesame, ""); !errors.Is(err, &protocol.Error{Code: protocol.CodeAuth}) {
			t.Errorf("the old passphrase: %v", err)
		}
	}
	if _, err := enter(t, addr, newKey(t), sesame, ""); !errors.Is(err, &protocol.Error{Code: protocol.CodeLimit}) || !strings.Contains(err.Error(), "wait 1s") {
		t.Errorf("try %d: %v", freeTries+1, err)
	}
	if _, err := enter(t, addr, old, "another one", ""); err != nil {
		t.Errorf("who was in before has to wait for the guesser: %v", err)
	}
	text := log.String()
	if n := strings.Count(text, "a wrong passphrase"); n != freeTries || !strings.Contains(text, "from=127.0.0.1 times=3") {
		t.Errorf("%d tries are logged:\n%s", n, text)
	}
	if strings.Contains(text, "sesame") || strings.Contains(text, "another one") {
		t.Errorf("the log tells too much:\n%s", text)
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestWhoInvites(t *testing.T) {
	open, openRules := guarded(t, func(c *Config) { c.Secret = nil })
	closed, closedRules := guarded(t)
	for name, tt := range map[string]struct {
		addr  string
		rules *access.Rules
	}{"open": {open, openRules}, "with a passphrase": {closed, closedRules}} {
		op, member := newKey(t), newKey(t)
		for _, err := range []error{tt.rules.SetPrivate("secret", true), tt.rules.SetOp("secret", op.Fingerprint().UserID(), true)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		o, err := enter(t, tt.addr, op, sesame, "")
		if err != nil {
			t.Fatal(err)
		}
		o.send(&protocol.Invite{Ref: 1, Room: "secret", Uses: 2, TTL: 3600})
		i := any1[*protocol.Invite](o)
		if i.Ref != 1 || i.Room != "secret" || i.Uses != 2 || i.TTL != 3600 || i.Token == "" {
			t.Errorf("%s: an op gets %+v", name, i)
		}
		m, err := enter(t, tt.addr, member, sesame, "")
		if err != nil {
			t.Fatal(err)
		}
		m.fails(protocol.CodeNotFound, &protocol.Invite{Ref: 2, Room: "secret"})
		m.fails(protocol.CodeForbidden, &protocol.Invite{Ref: 3, Room: protocol.DirectRoom(m.welcome.User, o.welcome.User)})
		if _, err := tt.rules.Redeem(i.Token, access.Who{User: m.welcome.User}); err != nil {
			t.Fatal(err)
		}
		m.fails(protocol.CodeForbidden, &protocol.Invite{Ref: 4, Room: "secret"})
		if tt.addr == closed {
			m.fails(protocol.CodeForbidden, &protocol.Invite{Ref: 5, Room: "lobby"})
			continue
		}
		m.send(&protocol.Invite{Ref: 5, Room: "lobby"})
		if i := any1[*protocol.Invite](m); i.Ref != 5 || i.Token != "" {
			t.Errorf("to a room where anybody may go: %+v", i)
		}
	}
}
