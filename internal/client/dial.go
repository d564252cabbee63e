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
	NewKey    bool // nothing was known of this server before
	// Public is where others reach the server, when that is not Addr.
	Public string
	// Welcomed is to be called when the server has let one in: what is to be
	// remembered of it is not, before. Nil: there is nothing.
	Welcomed func() error
}

// DialFunc makes a connection. An error wrapped in FinalError ends the client.
type DialFunc func(ctx context.Context) (*Dialed, error)

// Candidate is an address where the server may be. Key is the one announced
// there; zero when none was.
type Candidate struct {
	Addr string
	Key  identity.Fingerprint
}

// Dialer makes DialFuncs over TLS: it finds addresses, tries them, and holds the
// server's key to what was pinned.
type Dialer struct {
	Identity *identity.Identity // nil: come as a guest
	// Find returns where the server may be, to be tried in this order.
	Find func(ctx context.Context) ([]Candidate, error)
	// Last returns where the server was before, the newest first: what Find asks may
	// be lost on the way, so these few are tried beside it. Each must have a key.
	// Nil: nowhere.
	Last func() []Candidate
	// Pins, and the name under which the server's key is pinned. Without Pins
	// every candidate must say its key.
	Pins *identity.Pins
	Pin  string
	// Invited is the server's key by an invitation. Any other is refused for good, and
	// this one is no surprise at a first meeting. Zero: there is none.
	Invited identity.Fingerprint
}

const (
	// connectTimeout bounds one address's TCP connect; the others must get a turn.
	connectTimeout = 3 * time.Second
	// headStart is what Find has before the first of Last is tried, and each of
	// them before the next: where the network is kind, one connection is made and
	// not three.
	headStart = 50 * time.Millisecond
)

// Dial implements DialFunc. The first that proves the right key wins. A server
// whose key is not the pinned one gives a FinalError around an
// *identity.ChangedError, unless another one has the pinned key; one whose key is
// not the one that its address was announced with is passed over.
func (d *Dialer) Dial(ctx context.Context) (*Dialed, error) {
	trying, cancel := context.WithCancel(ctx)
	defer cancel()
	tries := []func() (*Dialed, error){func() (*Dialed, error) { return d.search(trying) }}
	if d.Last != nil {
		for i, c := range d.Last() {
			tries = append(tries, func() (*Dialed, error) { return d.later(trying, time.Duration(1+i)*headStart, c) })
		}
	}
	links, errs := make(chan *Dialed), make([]error, len(tries))
	for i, try := range tries {
		go func() {
			link, err := try()
			errs[i] = err
			links <- link
		}()
	}
	var first *Dialed
	for range tries { // all of them: nothing is left running
		switch link := <-links; {
		case link != nil && first == nil:
			first = link
			cancel()
		case link != nil:
			link.Conn.Close()
		}
	}
	if first != nil {
		return d.keep(first)
	}
	err := errors.Join(errs...)
	if changed, ok := errors.AsType[*identity.ChangedError](err); ok {
		return nil, &FinalError{changed}
	}
	if other, ok := errors.AsType[*InvitationError](err); ok {
		return nil, &FinalError{other}
	}
	return nil, err
}

// InvitationError says that a server has another key than the invitation to it.
type InvitationError struct {
	Addr      string
	Want, Got identity.Fingerprint
}

func (e *InvitationError) Error() string {
	return fmt.Sprintf("the server at %s is not the one of the invitation, so it was not joined: its key is %s, and the invitation's %s. Somebody may stand between; ask for another invitation if the server was set up anew",
		e.Addr, e.Got.Words(), e.Want.Words())
}

// search tries what Find returns, in order.
func (d *Dialer) search(ctx context.Context) (*Dialed, error) {
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
		if errors.Is(err, protocol.ErrGreeted) {
			return nil, err
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// later tries an address when its turn has come.
func (d *Dialer) later(ctx context.Context, wait time.Duration, c Candidate) (*Dialed, error) {
	select {
	case <-time.After(wait):
		link, err := d.try(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("where it was before, %w", err)
		}
		return link, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (d *Dialer) try(ctx context.Context, c Candidate) (*Dialed, error) {
	link, err := d.connect(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Addr, err)
	}
	return link, nil
}

func (d *Dialer) connect(ctx context.Context, c Candidate) (*Dialed, error) {
	nc, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	check := func(key identity.Fingerprint) error {
		if d.Invited != (identity.Fingerprint{}) && d.Invited != key {
			return &InvitationError{c.Addr, d.Invited, key}
		}
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
	return &Dialed{Conn: t, Addr: c.Addr, Key: key.String(), KeyWords: key.Words(), Encrypted: true}, nil
}

// keep looks whether the server is known, and has its key pinned and its place noted
// once it has let one in: who only claimed to be it is not remembered.
func (d *Dialer) keep(link *Dialed) (*Dialed, error) {
	if d.Pins == nil {
		return link, nil
	}
	key, err := identity.ParseFingerprint(link.Key)
	if err != nil {
		return nil, errors.Join(err, link.Conn.Close())
	}
	_, known, err := d.Pins.Lookup(d.Pin)
	if err != nil {
		return nil, errors.Join(err, link.Conn.Close())
	}
	link.NewKey = !known && d.Invited == (identity.Fingerprint{})
	link.Welcomed = func() error {
		_, err := d.Pins.Check(d.Pin, key)
		if changed, ok := errors.AsType[*identity.ChangedError](err); ok {
			return &FinalError{changed}
		}
		if err == nil {
			_ = d.Pins.Remember(d.Pin, link.Addr) // a convenience for the next time; talking works without
		}
		return err
	}
	return link, nil
}
