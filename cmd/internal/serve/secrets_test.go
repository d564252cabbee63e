package serve

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/ops"
	"lanchat/internal/passphrase"
	"lanchat/protocol"
)

// written is a log that several goroutines write.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// running starts a server with a passphrase, an admin and everything that is
// asked over HTTP.
func running(t *testing.T, phrase string, change func(*Config)) (*Server, *written, *identity.Identity) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(file, []byte(phrase+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	admin, err := identity.LoadOrCreate(t.TempDir(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	log := &written{}
	cfg := Config{Name: "test", Listen: "127.0.0.1:0", Data: dir, NoDiscovery: true, PassphraseFile: file,
		Admins: []identity.Fingerprint{admin.Fingerprint()}, Webhook: "127.0.0.1:0", Metrics: "127.0.0.1:0",
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&cfg)
	}
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s, log, admin
}

// tryPassphrase comes in as somebody new, or not.
func tryPassphrase(t *testing.T, s *Server, phrase string) error {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir(), "somebody")
	if err != nil {
		t.Fatal(err)
	}
	nc, err := tls.Dial("tcp", s.Local(), id.ClientTLS(nil))
	if err != nil {
		t.Fatal(err)
	}
	key, err := passphrase.NewKey(phrase)
	if err != nil {
		t.Fatal(err)
	}
	state := nc.ConnectionState()
	proof, err := key.Prove(&state)
	if err != nil {
		t.Fatal(err)
	}
	c := protocol.NewConn(nc)
	c.Answer(func(step *protocol.Auth) (*protocol.Auth, error) {
		data, err := proof.Step(step.Data)
		if err != nil || data == nil {
			return nil, err
		}
		return &protocol.Auth{Mech: step.Mech, Data: data}, nil
	})
	_, err = c.Handshake(t.Context(), &protocol.Hello{Nick: "somebody"})
	c.Close()
	return err
}

// TestTheLogHoldsNoSecrets: whatever is said and tried, a server's log at its most
// talkative has none of the texts, passphrases and tokens.
func TestTheLogHoldsNoSecrets(t *testing.T) {
	const secret = "zyxsecretzyx"
	s, log, admin := running(t, secret+" passphrase", nil)
	c, _, err := protocol.Dial(t.Context(), s.Local(), admin.ClientTLS(nil), &protocol.Hello{Nick: "ann", Token: secret + "token"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	post := &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: secret}
	if err := c.Write(
		&protocol.Join{Ref: 1, Room: "lobby"}, post,
		&protocol.Post{ID: post.ID, Room: "lobby", Text: "another " + secret},
		&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.Kind(secret), Text: secret},
		&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindEdit, Target: protocol.NewID(), Text: secret},
		&protocol.Topic{Ref: 2, Room: "lobby", Topic: secret},
		&protocol.Search{Ref: 3, Query: secret}, &protocol.Search{Ref: 4, Query: `"` + secret + " before:" + secret},
		&protocol.Moderate{Ref: 5, Do: protocol.DeedAnnounce, Text: secret},
		&protocol.Moderate{Ref: 6, Do: protocol.DeedLock, Room: "lobby", Text: secret},
		&protocol.Invite{Ref: 7, Room: "lobby"}, &protocol.Ping{N: 8},
	); err != nil {
		t.Fatal(err)
	}
	token := ""
	for done := false; !done; {
		m, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *protocol.Invite:
			token = m.Token
		case *protocol.Pong:
			done = true
		}
	}
	if token == "" {
		t.Fatal("no invitation was made")
	}
	if err := tryPassphrase(t, s, secret+" wrong"); err == nil {
		t.Error("a wrong passphrase will do")
	}
	if err := tryPassphrase(t, s, secret+" passphrase"); err != nil {
		t.Error(err)
	}
	frame := func(body string) string { return "\x00\x00\x00" + string(rune(len(body))) + body }
	for _, sent := range []string{
		frame("\x92\xac" + secret), frame("\x92\xa5hello\x81\xac" + secret + "\xac" + secret), frame(secret),
		"\x16" + secret + secret + secret, secret + "\n", "GET /" + secret + " HTTP/1.1\r\n\r\n",
	} {
		nc, err := net.DialTimeout("tcp", s.Local(), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(nc, sent)
		nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, nc)
		nc.Close()
	}
	hookToken, _, err := ops.OpenTokens(s.cfg.Data).Add("build", "ci", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{hookToken, secret, "lanchat_" + secret} {
		for range 3 {
			a, err := http.Post("http://"+s.Webhook.String()+"/hook/"+at, "application/json", strings.NewReader(`{"text":"`+secret+`", oops`))
			if err != nil {
				t.Fatal(err)
			}
			a.Body.Close()
		}
	}
	http.DefaultClient.CloseIdleConnections()
	all := log.String()
	for _, never := range []string{secret, token, hookToken, strings.TrimPrefix(hookToken, "lanchat_")} {
		if strings.Contains(strings.ToLower(all), strings.ToLower(never)) {
			t.Errorf("the log holds %q:\n%s", never, all)
		}
	}
	for _, told := range []string{"a wrong passphrase", "wrong tokens", "came to nothing", "do=announce"} {
		if !strings.Contains(all, told) {
			t.Errorf("the log does not tell of: %s\n%s", told, all)
		}
	}
}

// TestReload: what can be read is taken over, what cannot stays as it was.
func TestReload(t *testing.T) {
	admins := filepath.Join(t.TempDir(), "admins")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(admins, "# nobody yet\n")
	s, _, _ := running(t, "the first one", func(c *Config) { c.AdminsFile = admins })
	somebody, err := identity.LoadOrCreate(t.TempDir(), "somebody")
	if err != nil {
		t.Fatal(err)
	}
	write(admins, somebody.Fingerprint().String()+"\n")
	write(s.cfg.PassphraseFile, "two\nlines\n")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), s.cfg.PassphraseFile) {
		t.Errorf("a broken passphrase file: %v", err)
	}
	if err := tryPassphrase(t, s, "the first one"); err != nil {
		t.Errorf("the old passphrase: %v", err)
	}
	c, w, err := protocol.Dial(t.Context(), s.Local(), somebody.ClientTLS(nil), &protocol.Hello{Nick: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if w.Role != protocol.RoleAdmin {
		t.Errorf("the new admin is %q", w.Role)
	}
	write(admins, "no key at all\n")
	write(s.cfg.PassphraseFile, "the second one\n")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), admins) {
		t.Errorf("a broken admins file: %v", err)
	}
	if err := tryPassphrase(t, s, "the second one"); err != nil {
		t.Errorf("the new passphrase: %v", err)
	}
	if err := tryPassphrase(t, s, "the first one"); err == nil {
		t.Error("the old passphrase will still do")
	}
	c, w, err = protocol.Dial(t.Context(), s.Local(), somebody.ClientTLS(nil), &protocol.Hello{Nick: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if w.Role != protocol.RoleAdmin {
		t.Errorf("the admin of before is %q", w.Role)
	}
}
