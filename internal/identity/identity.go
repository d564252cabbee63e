// Package identity answers who is who: it holds this program's own key, reads
// the other side's from the TLS handshake, and remembers which key a name had.
//
// # The story
//
// A user and a server are the same thing here: an Ed25519 key and a self-signed
// X.509 certificate for it, made on first run by [LoadOrCreate] and kept in one
// PEM file. There is no authority that vouches for anybody, no account and no
// password. Who holds the private key is the one whom the certificate names, and
// TLS 1.3 has it proved on every connection. There is no cryptography of our own.
//
// A certificate is spoken of by its [Fingerprint], the SHA-256 of its DER form. A
// user id is its first half. People compare fingerprints as six [Fingerprint.Words].
//
// A client cannot know beforehand which key a server should have. So it believes
// the first one that it meets under a name and writes it down in its [Pins]. From
// then on it refuses any other key under that name with a [*ChangedError], which
// tells a person what may have happened. SSH does the same with known_hosts, and
// Syncthing's device ids are certificate hashes too. What this does not protect is
// the very first meeting: there, only comparing the words does.
//
// A guest is a client without a certificate ([GuestTLS]). A server takes it in, and
// it is up to the caller what a guest may do.
//
// # In use
//
//	id, err := identity.LoadOrCreate(dir, "alice")
//	pins, err := identity.OpenPins(filepath.Join(dir, "pins.json"))
//
//	conn := tls.Client(tcp, id.ClientTLS(pins.Verify("Hack Night")))
//	if err := conn.HandshakeContext(ctx); err != nil { ... } // a *ChangedError among others
//	server, ok := identity.PeerFingerprint(conn.ConnectionState())
//	first, err := pins.Check("Hack Night", server) // only now is the key proved
//
// The two steps are needed. TLS shows the certificate first and proves the private
// key behind it afterwards, and certificates are public: anybody can show another's.
// What runs within the handshake may refuse, and must not write anything down.
// [Pins.Verify] does the one, [Pins.Check] the other, and [PeerFingerprint] gives
// nothing before the proof.
//
// # Promises
//
//   - An existing key file is never overwritten, whatever is in it. Of several
//     processes that start at once on an empty directory, all end with one key.
//   - A key or pins file is either the old one or the new one after a crash or a
//     power cut, never half of one.
//   - Both sides speak TLS 1.3 or nothing. No session is ever resumed, so every
//     connection proves the keys that it claims, and a new key counts at once.
//   - A peer's certificate counts only if it is the single one sent, has an Ed25519
//     key and takes at most [MaxCertificate] bytes.
//   - No pin is lost by several processes that write at once.
//
// # Limits
//
//   - A certificate never expires and cannot be revoked. A stolen key file is a
//     stolen identity: who lost one makes a new one, and tells the others.
//   - A lost key file is a lost identity: nobody can restore it, except from a copy
//     ([Identity.Export]).
//   - The key is not encrypted on disk. On Unix, a file that others can read is
//     refused; on Windows the directory's access list is what protects it.
//   - Locks are those of the operating system: flock on Unix, exclusive opening on
//     Windows. On a network file system without flock, several processes at once
//     get an error instead of a lock.
//   - crypto/tls reads a handshake of up to 256 KiB before the bound on certificates
//     applies. A server bounds the time and number of open handshakes itself.
//
// Sources: RFC 8446 (TLS 1.3), RFC 8410 (Ed25519 in X.509), RFC 5958 and RFC 7468
// (the key file), RFC 5280 §4.1.2.5 (a certificate without an end).
package identity

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
)

// Identity is one's own key with its certificate. It does not change after it was
// made, and its methods may be called by several goroutines at once.
type Identity struct {
	key  ed25519.PrivateKey
	leaf *x509.Certificate
	pem  []byte // both, as they stand in the file
}

// Fingerprint is what the other side knows this identity by.
func (id *Identity) Fingerprint() Fingerprint { return fingerprintOf(id.leaf) }

// Export gives the key and its certificate as PEM, for [Import] on another device.
// Whoever has these bytes is this identity: they are as secret as the key file.
func (id *Identity) Export() []byte { return append([]byte(nil), id.pem...) }

// certificate is the identity in the form that crypto/tls wants.
func (id *Identity) certificate() tls.Certificate {
	return tls.Certificate{
		Certificate: [][]byte{id.leaf.Raw},
		PrivateKey:  id.key,
		Leaf:        id.leaf,
	}
}
