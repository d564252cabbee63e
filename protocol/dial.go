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

// Answer has answer carry on where the server wants something proved before it
// says welcome: it is given each auth message, and returns the one to send, or nil
// where the message was the last. It is to be called before Handshake. Without it
// such a handshake fails with ErrAuthRequired.
func (c *Conn) Answer(answer func(*Auth) (*Auth, error)) { c.answer = answer }

// maxAuth is how many auth messages a server may send.
const maxAuth = 8

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
	for auths := 0; ; auths++ {
		m, err := c.readAnswer()
		if err != nil {
			return nil, err
		}
		step, isAuth := m.(*Auth)
		switch {
		case !isAuth:
			return c.welcomed(m)
		case c.answer == nil:
			return nil, ErrAuthRequired
		case auths == maxAuth:
			return nil, fmt.Errorf("%w: no end of auth", ErrProtocol)
		}
		answer, err := c.answer(step)
		if err == nil && answer != nil {
			err = c.Write(answer)
		}
		if err != nil {
			return nil, err
		}
	}
}

// readAnswer reads what a server says before welcome.
func (c *Conn) readAnswer() (Message, error) {
	m, err := c.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the server closed the connection without an answer: %w", io.ErrUnexpectedEOF)
	case err != nil && c.head == [frameHeader]byte([]byte(Greeting[:frameHeader])):
		return nil, ErrGreeted
	case err != nil && c.head == [frameHeader]byte([]byte(Busy)):
		return nil, ErrBusy
	}
	return m, err
}

// welcomed judges what the server has said instead of auth.
func (c *Conn) welcomed(m Message) (*Welcome, error) {
	switch m := m.(type) {
	case *Welcome:
		return m, c.established()
	case *Error:
		return nil, m
	case *Bye:
		return nil, &Error{Code: m.Code, Text: m.Text}
	}
	return nil, fmt.Errorf("%w: %q where welcome belongs", ErrProtocol, m.wireName())
}

// Greeting is how the server's first line to a person on plain lines begins.
const Greeting = "welcome"

// Busy is how the line begins, the only one, of a server that has too many connections.
// Behind it stand a space and, in seconds, when to come again.
const Busy = "busy"

// Greeted returns ErrBusy for the error of a TLS handshake that met that line, and ErrGreeted for the error of a TLS handshake that met the
// server's greeting instead of TLS, and any other error as it is.
func Greeted(err error) error {
	e, ok := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case !ok:
	case string(e.RecordHeader[:]) == Greeting[:len(e.RecordHeader)]:
		return ErrGreeted
	case string(e.RecordHeader[:]) == Busy+" ":
		return ErrBusy
	}
	return err
}
