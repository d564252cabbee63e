package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"lanchat/internal/identity"
	"lanchat/protocol"
)

// Dialed is a connection that is ready for hello.
type Dialed struct {
	Conn      net.Conn
	Addr      string
	Key       string // the server's fingerprint in hex; "" without TLS
	KeyWords  string // the same as words
	Encrypted bool
	NewKey    bool
}

// DialFunc makes a connection. An error wrapped in FinalError ends the client.
type DialFunc func(ctx context.Context) (*Dialed, error)

// Candidate is an address where the server may be. Key is the one announced
// there; zero when none was.
type Candidate struct {
	Addr string
	Key  identity.Fingerprint
}

// Dialer makes DialFuncs over TLS: it finds addresses, tries them in order, and
// holds the server's key to what was pinned.
type Dialer struct {
	Identity *identity.Identity // nil: come as a guest
	// Find returns where the server may be.
	Find func(ctx context.Context) ([]Candidate, error)
	// Pins, and the name under which the server's key is pinned. Without Pins
	// every candidate must say its key.
	Pins *identity.Pins
	Pin  string
}

// connectTimeout bounds one address's TCP connect; the others must get a turn.
const connectTimeout = 3 * time.Second

// Dial implements DialFunc. A server whose key is not the pinned one gives a
// FinalError around an *identity.ChangedError; one whose key is not the one that
// its address was announced with is passed over.
func (d *Dialer) Dial(ctx context.Context) (*Dialed, error) {
	candidates, err := d.Find(ctx)
	if err != nil {
		return nil, err
	}
	if len(candidates) == 0 || d.Pins == nil && candidates[0].Key == (identity.Fingerprint{}) {
		return nil, errors.New("there is no address to try")
	}
	var errs []error
	for _, c := range candidates {
		link, err := d.try(ctx, c)
		if err == nil {
			return link, nil
		}
		if changed, ok := errors.AsType[*identity.ChangedError](err); ok {
			return nil, &FinalError{changed}
		}
		if errors.Is(err, protocol.ErrGreeted) {
			return nil, err
		}
		errs = append(errs, fmt.Errorf("%s: %w", c.Addr, err))
	}
	return nil, errors.Join(errs...)
}

func (d *Dialer) try(ctx context.Context, c Candidate) (*Dialed, error) {
	nc, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	check := func(key identity.Fingerprint) error {
		if c.Key != (identity.Fingerprint{}) && c.Key != key {
			return fmt.Errorf("the server there has another key than was announced: %s instead of %s", key.Words(), c.Key.Words())
		}
		if d.Pins == nil {
			return nil
		}
		return d.Pins.Verify(d.Pin)(key)
	}
	config := identity.GuestTLS(check)
	if d.Identity != nil {
		config = d.Identity.ClientTLS(check)
	}
	t := tls.Client(nc, config)
	ctx, cancel := context.WithTimeout(ctx, protocol.HandshakeTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, protocol.Greeted(err)
	}
	key, _ := identity.PeerFingerprint(t.ConnectionState())
	link := &Dialed{Conn: t, Addr: c.Addr, Key: key.String(), KeyWords: key.Words(), Encrypted: true}
	if d.Pins == nil {
		return link, nil
	}
	if link.NewKey, err = d.Pins.Check(d.Pin, key); err != nil {
		nc.Close()
		return nil, err
	}
	_ = d.Pins.Remember(d.Pin, c.Addr) // a convenience for the next time; talking works without
	return link, nil
}
