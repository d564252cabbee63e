package identity

import (
	"crypto/tls"

	"lanchat/protocol"
)

// MaxCertificate is the size, in bytes of DER, up to which a peer's certificate is
// accepted. One made here has about 400.
const MaxCertificate = protocol.MaxCertificate

// ServerTLS is the configuration of a server with this identity: see
// [protocol.ServerTLS].
func (id *Identity) ServerTLS() *tls.Config { return protocol.ServerTLS(id.certificate()) }

// ClientTLS is the configuration of a client that shows this identity: see
// [protocol.ClientTLS]. [Pins.Verify] gives a suitable check.
func (id *Identity) ClientTLS(check func(Fingerprint) error) *tls.Config {
	mine := id.certificate()
	return protocol.ClientTLS(&mine, plain(check))
}

// GuestTLS is the configuration of a client that shows no certificate. The rest is
// as for [Identity.ClientTLS].
func GuestTLS(check func(Fingerprint) error) *tls.Config {
	return protocol.ClientTLS(nil, plain(check))
}

func plain(check func(Fingerprint) error) func([len(Fingerprint{})]byte) error {
	if check == nil {
		return nil
	}
	return func(f [len(Fingerprint{})]byte) error { return check(f) }
}

// PeerFingerprint is the fingerprint of the other side's certificate. It is false
// for a guest, and for any connection whose handshake is not complete: before that,
// a certificate has been shown, but not proved.
func PeerFingerprint(state tls.ConnectionState) (Fingerprint, bool) {
	return protocol.PeerFingerprint(state)
}
