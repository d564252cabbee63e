package protocol

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"net"
	"testing"
)

// The certificate is made of the key and the name alone; and the one server with the
// right key is accepted. (What else both sides refuse: the tests of internal/identity.)
func TestPinnedServer(t *testing.T) {
	keys := [2]ed25519.PrivateKey{}
	var own [2]tls.Certificate
	for i := range keys {
		keys[i] = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i)}, ed25519.SeedSize))
		var err error
		if own[i], err = SelfSigned(keys[i], "Hack Night"); err != nil {
			t.Fatal(err)
		}
	}
	again, err := SelfSigned(keys[0], "Hack Night")
	if err != nil || !bytes.Equal(again.Certificate[0], own[0].Certificate[0]) {
		t.Errorf("the same key has another certificate: %v", err)
	}
	if _, err := SelfSigned(keys[0][:7], ""); err == nil {
		t.Error("half a key has a certificate")
	}
	other := errors.New("another server")
	_, fingerprint, err := meet(t, ServerTLS(own[0]), ClientTLS(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	for i := range own {
		user, _, err := meet(t, ServerTLS(own[i]), ClientTLS(&own[1], Pinned(fingerprint, other)))
		switch {
		case i > 0 && !errors.Is(err, other):
			t.Errorf("another server: %v", err)
		case i == 0 && (err != nil || user == fingerprint || user == [32]byte{}):
			t.Errorf("the pinned server: %v, and the client is %x", err, user)
		}
	}
}

// meet makes a connection, and returns what each side knows the other by.
func meet(t *testing.T, server, client *tls.Config) (atServer, atClient [32]byte, err error) {
	t.Helper()
	near, far := net.Pipe()
	c, s := tls.Client(near, client), tls.Server(far, server)
	ended := make(chan error, 1)
	go func() {
		err := s.HandshakeContext(t.Context())
		atServer, _ = PeerFingerprint(s.ConnectionState())
		ended <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), HandshakeTimeout)
	defer cancel()
	if err = c.HandshakeContext(ctx); err == nil {
		err = <-ended
	} else {
		near.Close()
		<-ended
	}
	atClient, _ = PeerFingerprint(c.ConnectionState())
	near.Close()
	far.Close()
	return atServer, atClient, err
}
