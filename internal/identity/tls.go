package identity

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// MaxCertificate is the size, in bytes of DER, up to which a peer's certificate is
// accepted. One made here has about 400.
const MaxCertificate = 2 << 10

// ErrNoCertificate means that the other side has shown no certificate: a server
// that is none of ours.
var ErrNoCertificate = errors.New("identity: the other side has no certificate")

// ServerTLS is the configuration of a server with this identity.
//
// It asks a client for a certificate and takes a connection without one, as a
// guest's: [PeerFingerprint] tells the two apart, once the handshake is complete. A
// certificate that is not acceptable ends the handshake. Which keys may come in is
// for the caller to say, after it.
//
// In TLS 1.3 a client's handshake is complete before the server has looked at the
// client's certificate: a client that is refused learns it when it first reads.
//
// Every call gives a new value, which the caller may change before use.
func (id *Identity) ServerTLS() *tls.Config {
	c := baseTLS()
	c.Certificates = []tls.Certificate{id.certificate()}
	// Not VerifyClientCertIfGiven, which would look for an authority.
	c.ClientAuth = tls.RequestClientCert
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return nil
		}
		_, err := shown(state)
		return err
	}
	return c
}

// ClientTLS is the configuration of a client that shows this identity.
//
// check is called once within each handshake, with the fingerprint of the server's
// certificate, and its error ends the handshake and is what the handshake returns.
// The server has not proved yet that it has the key: check may refuse, but must not
// remember anything. [Pins.Verify] gives a suitable one. Without a check (nil) any
// server is accepted, for those who look at [PeerFingerprint] themselves.
//
// crypto/tls is told not to verify the certificate (InsecureSkipVerify), because
// what it would look for is an authority that signed it and a host name in it. On a
// network without either, trust is by pin: the certificate is the expected one, byte
// for byte, or it is not. The proof that the server holds its key is part of TLS and
// stays. Syncthing does the same.
//
// Every call gives a new value, which the caller may change before use.
func (id *Identity) ClientTLS(check func(Fingerprint) error) *tls.Config {
	c := GuestTLS(check)
	mine := id.certificate()
	// Not Certificates, which is left out where the server names authorities.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &mine, nil }
	return c
}

// GuestTLS is the configuration of a client that shows no certificate. The rest is
// as for [Identity.ClientTLS].
func GuestTLS(check func(Fingerprint) error) *tls.Config {
	c := baseTLS()
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(state tls.ConnectionState) error {
		f, err := shown(state)
		if err != nil || check == nil {
			return err
		}
		return check(f)
	}
	return c
}

// baseTLS is what both sides have in common.
func baseTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// A resumed session would go on with the certificate of the first one.
		SessionTicketsDisabled: true,
		// X25519 alone: the hybrid that Go prefers costs over two kilobytes more a
		// handshake in each direction, which counts when ten thousand reconnect.
		CurvePreferences: []tls.CurveID{tls.X25519},
	}
}

// PeerFingerprint is the fingerprint of the other side's certificate. It is false
// for a guest, and for any connection whose handshake is not complete: before that,
// a certificate has been shown, but not proved.
func PeerFingerprint(state tls.ConnectionState) (Fingerprint, bool) {
	if !state.HandshakeComplete {
		return Fingerprint{}, false
	}
	f, err := shown(state)
	return f, err == nil
}

// shown is the fingerprint of the certificate that the other side has shown, if it
// is one that we accept.
func shown(state tls.ConnectionState) (Fingerprint, error) {
	switch n := len(state.PeerCertificates); {
	case n == 0:
		return Fingerprint{}, ErrNoCertificate
	case n > 1:
		return Fingerprint{}, fmt.Errorf("identity: the other side sent %d certificates, not one", n)
	case state.DidResume:
		return Fingerprint{}, errors.New("identity: the session is a resumed one, which proves no key")
	}
	c := state.PeerCertificates[0]
	if err := acceptable(c); err != nil {
		return Fingerprint{}, fmt.Errorf("identity: the other side's certificate: %w", err)
	}
	return fingerprintOf(c), nil
}

// acceptable says whether a certificate, ours or a peer's, is of the one kind that
// there is.
func acceptable(c *x509.Certificate) error {
	if len(c.Raw) > MaxCertificate {
		return fmt.Errorf("%d bytes, more than %d", len(c.Raw), MaxCertificate)
	}
	if _, ok := c.PublicKey.(ed25519.PublicKey); !ok {
		return fmt.Errorf("its key is %v, not Ed25519", c.PublicKeyAlgorithm)
	}
	return nil
}
