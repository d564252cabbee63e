package client

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"lanchat/internal/identity"
	"lanchat/internal/passphrase"
	"lanchat/protocol"
)

// impostor is a server that does as decide says. It has a key of its own.
func impostor(t *testing.T, decide func(*protocol.Hello, *protocol.Exchange, *tls.ConnectionState) (*protocol.Welcome, error)) (*Dialer, identity.Fingerprint) {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir(), "impostor")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			near := tls.Server(nc, id.ServerTLS())
			if near.HandshakeContext(t.Context()) != nil {
				continue
			}
			state := near.ConnectionState()
			c, err := protocol.Accept(near, func(h *protocol.Hello, x *protocol.Exchange) (*protocol.Welcome, error) {
				return decide(h, x, &state)
			})
			if err == nil {
				defer c.Close()
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return &Dialer{Pins: newPins(t), Pin: "room", Find: finds(Candidate{Addr: l.Addr().String()})}, id.Fingerprint()
}

// meets runs a client until it is welcomed, or refused.
func meets(t *testing.T, cfg Config) error {
	t.Helper()
	cfg.Nick = "ann"
	c := New(cfg)
	link, conn, _, err := c.connect(t.Context())
	if err == nil {
		conn.Close()
		link.Conn.Close()
	}
	return err
}

func welcome(h *protocol.Hello) (*protocol.Welcome, error) {
	return &protocol.Welcome{Version: protocol.Version, Nick: h.Nick, User: protocol.UserID{1}}, nil
}

// Whoever is asked to believe a server does so only where it has proved what it can.
func TestServersThatAreNotBelieved(t *testing.T) {
	key, err := passphrase.NewKey("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	right, err := passphrase.NewSecret("open sesame")
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := passphrase.NewSecret("close sesame")
	if err != nil {
		t.Fatal(err)
	}
	scram := &protocol.Auth{Mech: passphrase.Mechanism}
	// steps has a client say each step of an exchange, whatever it answers.
	steps := func(all ...string) func(*protocol.Hello, *protocol.Exchange, *tls.ConnectionState) (*protocol.Welcome, error) {
		return func(h *protocol.Hello, x *protocol.Exchange, _ *tls.ConnectionState) (*protocol.Welcome, error) {
			answer, err := x.Ask(scram)
			if err != nil {
				return nil, err
			}
			nonce := string(answer.Data[strings.LastIndex(string(answer.Data), "r=")+2:])
			for _, step := range all {
				if _, err = x.Ask(&protocol.Auth{Data: []byte(strings.ReplaceAll(step, "NONCE", nonce))}); err != nil {
					return nil, err
				}
			}
			return welcome(h)
		}
	}
	asks := func(secret *passphrase.Secret, refuses bool) func(*protocol.Hello, *protocol.Exchange, *tls.ConnectionState) (*protocol.Welcome, error) {
		return func(h *protocol.Hello, x *protocol.Exchange, state *tls.ConnectionState) (*protocol.Welcome, error) {
			mech := passphrase.Mechanism
			err := secret.Ask(state, func(step []byte) ([]byte, error) {
				answer, err := x.Ask(&protocol.Auth{Mech: mech, Data: step})
				if err != nil {
					return nil, err
				}
				mech = ""
				return answer.Data, nil
			}, func(step []byte) error { return x.Tell(&protocol.Auth{Data: step}) })
			if err != nil && refuses {
				return nil, protocol.Errorf(protocol.CodeAuth, "the passphrase is wrong")
			}
			return welcome(h)
		}
	}
	for name, tt := range map[string]struct {
		decide  func(*protocol.Hello, *protocol.Exchange, *tls.ConnectionState) (*protocol.Welcome, error)
		insist  bool
		keyless bool
		known   bool // met before
		want    error
		says    string
	}{
		"it knows the passphrase":            {asks(right, true), true, false, false, nil, ""},
		"it knows another one":               {asks(wrong, true), true, false, false, passphrase.ErrWrong, "you meet it for the first time"},
		"it knows another one, and is known": {asks(wrong, true), true, false, true, passphrase.ErrWrong, "the passphrase is wrong"},
		"it knows another one, and welcomes": {asks(wrong, false), false, false, false, ErrUnproved, "says welcome"},
		"it welcomes in the middle":          {steps(), false, false, false, ErrUnproved, "says welcome"},
		"it asks for no more rounds than 1":  {steps("r=NONCEx,s=c2FsdHNhbHRzYWx0,i=1"), false, false, false, passphrase.ErrWrong, ""},
		"it asks for a day of hashing":       {steps("r=NONCEx,s=c2FsdHNhbHRzYWx0,i=4000000000"), false, false, false, ErrUnproved, "none of lanchat"},
		"it does not ask, and is met first": {func(h *protocol.Hello, _ *protocol.Exchange, _ *tls.ConnectionState) (*protocol.Welcome, error) {
			return welcome(h)
		}, true, false, false, ErrUnproved, "asks for no passphrase"},
		"it does not ask, and is known": {func(h *protocol.Hello, _ *protocol.Exchange, _ *tls.ConnectionState) (*protocol.Welcome, error) {
			return welcome(h)
		}, true, false, true, nil, ""},
		"it does not ask, and none was given": {func(h *protocol.Hello, _ *protocol.Exchange, _ *tls.ConnectionState) (*protocol.Welcome, error) {
			return welcome(h)
		}, false, true, false, nil, ""},
		"it asks, and there is none": {asks(right, true), false, true, false, protocol.ErrAuthRequired, "asks for a passphrase"},
		"it asks by what nobody knows": {func(h *protocol.Hello, x *protocol.Exchange, _ *tls.ConnectionState) (*protocol.Welcome, error) {
			_, err := x.Ask(&protocol.Auth{Mech: "PLAIN"})
			return nil, err
		}, false, false, false, nil, "by \"PLAIN\""},
	} {
		t.Run(name, func(t *testing.T) {
			d, fingerprint := impostor(t, tt.decide)
			if tt.known {
				if _, err := d.Pins.Check("room", fingerprint); err != nil {
					t.Fatal(err)
				}
			}
			cfg := Config{Dial: d.Dial, Passphrase: key, Insist: tt.insist}
			if tt.keyless {
				cfg.Passphrase = nil
			}
			err := meets(t, cfg)
			_, pinned, _ := d.Pins.Lookup("room")
			if tt.says == "" && tt.want == nil {
				if err != nil || !pinned {
					t.Errorf("%v, pinned: %v", err, pinned)
				}
				return
			}
			if err == nil || tt.want != nil && (!errors.Is(err, tt.want) || !Refusal(err)) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %v and %q", err, tt.want, tt.says)
			}
			if pinned != tt.known {
				t.Error("a server that did not let one in is pinned")
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("that is more than a line: %q", err)
			}
		})
	}
}

// An invitation's key is the only one, and no surprise.
func TestInvited(t *testing.T) {
	d, key := impostor(t, func(h *protocol.Hello, _ *protocol.Exchange, _ *tls.ConnectionState) (*protocol.Welcome, error) {
		return welcome(h)
	})
	d.Invited = identity.Fingerprint{1}
	err := meets(t, Config{Dial: d.Dial})
	if other, ok := errors.AsType[*InvitationError](err); !ok || other.Got != key || !isFinal(err) || !Refusal(err) {
		t.Errorf("another key than the invitation's: %v", err)
	}
	d.Invited = key
	link, err := d.Dial(t.Context())
	if err != nil || link.NewKey {
		t.Fatalf("%+v, %v", link, err)
	}
	defer link.Conn.Close()
	if err := link.Welcomed(); err != nil {
		t.Error(err)
	}
	if pin, known, _ := d.Pins.Lookup("room"); !known || pin.Key != key {
		t.Errorf("pinned is %+v", pin)
	}
}
