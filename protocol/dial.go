package protocol

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Version is the protocol version of this package.
const Version = 1

// Dial connects to addr (HOST:PORT), over TLS when config is not nil, and says
// hello. Without TLS the session is a guest's and can be read on the way: that
// is for bots on the same host and for benchmarks.
//
// An answer of the server that refuses this client is an *Error, or ErrGreeted
// or ErrAuthRequired. The context bounds the dialing and the handshake, which
// also ends by itself after HandshakeTimeout; it has no effect afterwards.
func Dial(ctx context.Context, addr string, config *tls.Config, hello *Hello) (*Conn, *Welcome, error) {
	for again := true; ; again = false {
		nc, err := (&net.Dialer{Timeout: HandshakeTimeout}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		if config != nil {
			nc = tls.Client(nc, config)
		}
		c, welcome, err := Handshake(ctx, nc, hello)
		if errors.Is(err, ErrGreeted) && again {
			continue
		}
		return c, welcome, err
	}
}

// Handshake says hello on a connection and waits for welcome. When it fails, nc
// is closed.
func Handshake(ctx context.Context, nc net.Conn, hello *Hello) (*Conn, *Welcome, error) {
	c := NewConn(nc)
	welcome, err := c.Handshake(ctx, hello)
	if err != nil {
		return nil, nil, err
	}
	return c, welcome, nil
}

// Handshake says hello on a Conn that NewConn made, and waits for welcome. When
// it fails, the connection is closed.
func (c *Conn) Handshake(ctx context.Context, hello *Hello) (*Welcome, error) {
	stop := context.AfterFunc(ctx, func() { c.nc.Close() })
	welcome, err := c.handshake(ctx, hello)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.nc.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return welcome, nil
}

func (c *Conn) handshake(ctx context.Context, hello *Hello) (*Welcome, error) {
	if err := c.nc.SetDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return nil, err
	}
	if t, ok := c.nc.(*tls.Conn); ok {
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, Greeted(err)
		}
	}
	h := *hello
	if h.Version == 0 {
		h.Version = Version
	}
	if err := c.Write(&h); err != nil {
		return nil, err
	}
	m, err := c.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the server closed the connection without an answer: %w", io.ErrUnexpectedEOF)
	case err != nil && c.head == [frameHeader]byte([]byte(Greeting[:frameHeader])):
		return nil, ErrGreeted
	case err != nil:
		return nil, err
	}
	switch m := m.(type) {
	case *Welcome:
		return m, c.established()
	case *Error:
		return nil, m
	case *Bye:
		return nil, &Error{Code: m.Code, Text: m.Text}
	case *Auth:
		return nil, ErrAuthRequired
	}
	return nil, fmt.Errorf("%w: %q where welcome belongs", ErrProtocol, m.wireName())
}

// Greeting is how the server's first line to a person on plain lines begins.
const Greeting = "welcome"

// Greeted returns ErrGreeted for the error of a TLS handshake that met the
// server's greeting instead of TLS, and any other error as it is.
func Greeted(err error) error {
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(e.RecordHeader[:]) == Greeting[:len(e.RecordHeader)] {
		return ErrGreeted
	}
	return err
}
