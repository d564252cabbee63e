package protocol

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// MaxCertificate is the size, in bytes of DER, up to which a peer's certificate is
// accepted. One of SelfSigned has about 400.
const MaxCertificate = 2 << 10

// ErrNoCertificate says that the other side has shown no certificate: a guest, or a
// server that is none of ours.
var ErrNoCertificate = errors.New("the other side has no certificate")

// SelfSigned makes the certificate of a key: what TLS shows of who one is. name is for
// people who look at it with other tools, and may be empty; the other side can see it.
// It fails for a name that is not UTF-8, and for a key of another length than Ed25519's.
//
// The same key and name always give the same certificate, byte for byte, and so the
// same fingerprint and user id: the key is all that has to be kept.
func SelfSigned(key ed25519.PrivateKey, name string) (tls.Certificate, error) {
	if len(key) != ed25519.PrivateKeySize {
		return tls.Certificate{}, fmt.Errorf("an Ed25519 key has %d bytes, this one %d", ed25519.PrivateKeySize, len(key))
	}
	public := key.Public().(ed25519.PublicKey)
	serial := sha256.Sum256(public)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:16]),
		Subject:      pkix.Name{CommonName: name},
		// Nobody checks the dates, since trust comes from the pin. They are wide, so
		// that other tools accept the certificate too, and on a machine whose clock
		// is wrong; the end is the one that RFC 5280 means by "none".
		NotBefore:             time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// ClientTLS is the configuration of a client, for [Dial]. own is what it shows of
// itself; nil makes it a guest.
//
// check is called once within each handshake, with the fingerprint of the server's
// certificate: it returns nil where that is the server that is meant. Its error ends
// the handshake and is what the handshake returns. The server has not proved yet that
// it has the key: check may refuse, but must not remember anything. Without a check
// (nil) any server is accepted, for those who look at [PeerFingerprint] themselves.
// [Pinned] gives the usual one.
//
// crypto/tls is told not to verify the certificate (InsecureSkipVerify), because
// what it would look for is an authority that signed it and a host name in it. On a
// network without either, trust is by pin: the certificate is the expected one, byte
// for byte, or it is not. The proof that the server holds its key is part of TLS and
// stays.
//
// Every call gives a new value, which the caller may change before use.
func ClientTLS(own *tls.Certificate, check func(fingerprint [sha256.Size]byte) error) *tls.Config {
	c := baseTLS()
	if own != nil {
		// Not Certificates, which is left out where the server names authorities.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own, nil }
	}
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

// Pinned is a check for [ClientTLS] that accepts the one server whose certificate has
// the fingerprint, and returns otherwise for any other.
func Pinned(fingerprint [sha256.Size]byte, otherwise error) func([sha256.Size]byte) error {
	return func(shown [sha256.Size]byte) error {
		if shown != fingerprint {
			return otherwise
		}
		return nil
	}
}

// ServerTLS is the configuration of a server whose certificate is own.
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
func ServerTLS(own tls.Certificate) *tls.Config {
	c := baseTLS()
	c.Certificates = []tls.Certificate{own}
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
func PeerFingerprint(state tls.ConnectionState) (fingerprint [sha256.Size]byte, ok bool) {
	if !state.HandshakeComplete {
		return fingerprint, false
	}
	f, err := shown(state)
	return f, err == nil
}

// shown is the fingerprint of the certificate that the other side has shown, if it
// is one that we accept.
func shown(state tls.ConnectionState) (fingerprint [sha256.Size]byte, err error) {
	switch n := len(state.PeerCertificates); {
	case n == 0:
		return fingerprint, ErrNoCertificate
	case n > 1:
		return fingerprint, fmt.Errorf("the other side sent %d certificates, not one", n)
	case state.DidResume:
		return fingerprint, errors.New("the session is a resumed one, which proves no key")
	}
	if fingerprint, err = Fingerprint(state.PeerCertificates[0]); err != nil {
		return fingerprint, fmt.Errorf("the other side's certificate: %w", err)
	}
	return fingerprint, nil
}

// Fingerprint is the SHA-256 of a certificate's DER form: what the other side knows its
// owner by. It fails for a certificate that no peer accepts: one whose key is not
// Ed25519, or of more than MaxCertificate bytes.
func Fingerprint(c *x509.Certificate) (fingerprint [sha256.Size]byte, err error) {
	if len(c.Raw) > MaxCertificate {
		return fingerprint, fmt.Errorf("%d bytes, more than %d", len(c.Raw), MaxCertificate)
	}
	if _, ok := c.PublicKey.(ed25519.PublicKey); !ok {
		return fingerprint, fmt.Errorf("its key is %v, not Ed25519", c.PublicKeyAlgorithm)
	}
	return sha256.Sum256(c.Raw), nil
}
