package protocol

import (
	"fmt"
	"net"
	"time"
)

// Accept reads the hello of a client that has connected, and answers with what
// decide returns: a welcome, or an error, which is sent before the connection
// is closed. decide is called once, and only when the hello is well-formed; it
// may have the client prove something first, by its Exchange. The whole takes at
// most HandshakeTimeout.
//
// nc must already be past TLS, if the door has any.
func Accept(nc net.Conn, decide func(*Hello, *Exchange) (*Welcome, error)) (*Conn, error) {
	c := NewConn(nc)
	if err := c.accept(decide); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Exchange is a server's way to exchange auth messages with a client that has said
// hello. It is of use until the function that it was given to returns.
type Exchange struct{ c *Conn }

// Ask sends a step, and returns the client's answer.
func (x *Exchange) Ask(step *Auth) (*Auth, error) {
	if err := x.Tell(step); err != nil {
		return nil, err
	}
	m, err := x.c.Read()
	if err != nil {
		return nil, err
	}
	answer, ok := m.(*Auth)
	if !ok {
		return nil, fmt.Errorf("%w: %q where auth belongs", ErrProtocol, m.wireName())
	}
	return answer, nil
}

// Tell sends a step to which there is no answer.
func (x *Exchange) Tell(step *Auth) error { return x.c.Write(step) }

func (c *Conn) accept(decide func(*Hello, *Exchange) (*Welcome, error)) error {
	if err := c.nc.SetDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return err
	}
	m, err := c.Read()
	if err != nil {
		return c.refuse(err)
	}
	hello, ok := m.(*Hello)
	if !ok {
		return c.refuse(fmt.Errorf("%w: %q where hello belongs", ErrProtocol, m.wireName()))
	}
	if hello.Version != Version {
		return c.refuse(Errorf(CodeVersion, "this server speaks version %d of the protocol, the client version %d", Version, hello.Version))
	}
	welcome, err := decide(hello, &Exchange{c})
	if err != nil {
		return c.refuse(err)
	}
	if err := c.Write(welcome); err != nil {
		return err
	}
	return c.established()
}

// refuse tells the peer why, as well as it still can, and returns err.
func (c *Conn) refuse(err error) error {
	_ = c.Write(ToError(err)) // the connection is given up in any case
	return err
}
