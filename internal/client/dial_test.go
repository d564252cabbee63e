package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"lanchat/internal/identity"
)

// door is a TLS listener with a key of its own.
type door struct {
	addr string
	id   *identity.Identity
}

func newDoor(t *testing.T) door {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir(), "door")
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
			_ = tls.Server(nc, id.ServerTLS()).HandshakeContext(t.Context())
			defer nc.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return door{l.Addr().String(), id}
}

func (d door) candidate() Candidate { return Candidate{d.addr, d.id.Fingerprint()} }

func newPins(t *testing.T) *identity.Pins {
	t.Helper()
	pins, err := identity.OpenPins(filepath.Join(t.TempDir(), "pins"))
	if err != nil {
		t.Fatal(err)
	}
	return pins
}

func finds(c ...Candidate) func(context.Context) ([]Candidate, error) {
	return func(context.Context) ([]Candidate, error) { return c, nil }
}

// Where the server was is tried beside the search, and the pinned key decides.
func TestDialRemembered(t *testing.T) {
	right, wrong := newDoor(t), newDoor(t)
	nobody := Candidate{"127.0.0.1:1", right.id.Fingerprint()}
	lost := func(ctx context.Context) ([]Candidate, error) { <-ctx.Done(); return nil, context.Cause(ctx) }
	for name, tt := range map[string]struct {
		find func(context.Context) ([]Candidate, error)
		last []Candidate
	}{
		"the search hears nothing":          {lost, []Candidate{right.candidate()}},
		"the newest is not there any more":  {lost, []Candidate{nobody, right.candidate()}},
		"another server is there now":       {lost, []Candidate{{wrong.addr, right.id.Fingerprint()}, right.candidate()}},
		"another one claims the name":       {finds(wrong.candidate()), []Candidate{right.candidate()}},
		"it is found elsewhere":             {finds(right.candidate()), []Candidate{nobody}},
		"another one claims it, both found": {finds(wrong.candidate(), right.candidate()), nil},
	} {
		pins := newPins(t)
		if _, err := pins.Check("room", right.id.Fingerprint()); err != nil {
			t.Fatal(err)
		}
		d := &Dialer{Find: tt.find, Last: func() []Candidate { return tt.last }, Pins: pins, Pin: "room"}
		link, err := d.Dial(t.Context())
		if err != nil || link.Addr != right.addr || link.NewKey {
			t.Errorf("%s: %+v, %v", name, link, err)
			continue
		}
		link.Conn.Close()
		if err := link.Welcomed(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if pin, _, err := pins.Lookup("room"); err != nil || len(pin.Addrs) != 1 || pin.Addrs[0] != right.addr {
			t.Errorf("%s: remembered is %+v, %v", name, pin, err)
		}
	}

	// Refused for good is only who proves another key, where nobody has the right one.
	pins := newPins(t)
	if _, err := pins.Check("room", right.id.Fingerprint()); err != nil {
		t.Fatal(err)
	}
	d := &Dialer{Find: finds(wrong.candidate()), Last: func() []Candidate { return []Candidate{nobody} }, Pins: pins, Pin: "room"}
	_, err := d.Dial(t.Context())
	if _, ok := errors.AsType[*identity.ChangedError](err); !ok || !isFinal(err) {
		t.Errorf("a server with another key: %v", err)
	}
	d.Find = finds(Candidate{"127.0.0.1:1", wrong.id.Fingerprint()}) // announced, but not there
	if _, err = d.Dial(t.Context()); err == nil || isFinal(err) {
		t.Errorf("an announcement with another key: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.Find = lost
	if _, err = d.Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial = %v", err)
	}
}
