package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fingerprint is the SHA-256 of a certificate's DER form. Two fingerprints may be
// compared with ==. The zero value belongs to no certificate.
type Fingerprint [sha256.Size]byte

func fingerprintOf(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.Raw) }

// shownWords times ten bits is how much of a fingerprint people compare.
const shownWords = 6

// Words is the fingerprint for people to compare across a table: its first 60 bits
// as six words. To make another key with the same words takes about 2^60 attempts:
// enough against someone who comes by, not against one who plans for years. Programs
// compare all 256 bits.
func (f Fingerprint) Words() string {
	var out [shownWords]string
	for i := range out {
		// Ten bits begin at bit 10*i, in the byte at/8, and end in the next one.
		at := 10 * i
		two := uint(f[at/8])<<8 | uint(f[at/8+1])
		out[i] = words[two>>(6-at%8)&1023]
	}
	return strings.Join(out[:], " ")
}

// String is the whole fingerprint in lower-case hexadecimal.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// UserID is the fingerprint's first half: what the protocol names a user by. Nobody
// can make a key to a given id (2^128 attempts), though two keys of one's own with
// the same id are thinkable (2^64).
func (f Fingerprint) UserID() [16]byte { return [16]byte(f[:16]) }

// ParseFingerprint reads what [Fingerprint.String] writes. Capital letters are fine.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	if len(s) != hex.EncodedLen(len(f)) {
		return Fingerprint{}, fmt.Errorf("identity: a key's fingerprint has %d hexadecimal digits, not %d characters", hex.EncodedLen(len(f)), len(s))
	}
	if _, err := hex.Decode(f[:], []byte(s)); err != nil {
		return Fingerprint{}, fmt.Errorf("identity: a key's fingerprint has hexadecimal digits only: %w", err)
	}
	return f, nil
}

// MarshalText writes the fingerprint as [Fingerprint.String] does.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads it as [ParseFingerprint] does.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	parsed, err := ParseFingerprint(string(text))
	if err != nil {
		return err
	}
	*f = parsed
	return nil
}
