package passphrase

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// connection is both ends of a TLS connection.
func connection(t *testing.T) (client, server *tls.ConnectionState) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	near := tls.Client(a, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	far := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}, SessionTicketsDisabled: true})
	done := make(chan error, 1)
	go func() { done <- far.Handshake() }()
	if err := near.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	one, other := near.ConnectionState(), far.ConnectionState()
	return &one, &other
}

// talk lets a client prove a passphrase to a server, over ends of TLS connections. change,
// when not nil, changes a step of the server's on its way.
func talk(t *testing.T, s *Secret, k *Key, client, server *tls.ConnectionState, change func(n int, step string) string) (asked, proved error, valid bool) {
	t.Helper()
	proof, err := k.Prove(client)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	step := func(step []byte) ([]byte, error) {
		n++
		if change != nil {
			step = []byte(change(n, string(step)))
		}
		answer, err := proof.Step(step)
		if err != nil {
			proved = err
		}
		return answer, err
	}
	asked = s.Ask(server, step, func(b []byte) error { _, err := step(b); return err })
	return asked, proved, proof.Valid()
}

func TestPassphrase(t *testing.T) {
	secret, err := newSecret("correct horse", MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	key := func(passphrase string) *Key {
		k, err := NewKey(passphrase)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	client, server := connection(t)
	right := key("correct horse")
	for range 2 { // the second time without hashing
		if asked, proved, valid := talk(t, secret, right, client, server, nil); asked != nil || proved != nil || !valid {
			t.Errorf("the right one: %v, %v, %v", asked, proved, valid)
		}
	}
	for _, wrong := range []string{"correct hors", "Correct horse", "correct horse ", "x"} {
		if asked, _, valid := talk(t, secret, key(wrong), client, server, nil); !errors.Is(asked, ErrWrong) || valid {
			t.Errorf("%q: %v, %v", wrong, asked, valid)
		}
	}
	// A relay has another connection on each side.
	other, _ := connection(t)
	if asked, _, valid := talk(t, secret, right, other, server, nil); !errors.Is(asked, ErrWrong) || valid {
		t.Errorf("over a relay: %v, %v", asked, valid)
	}
	// A server that does not know the passphrase has no signature.
	if _, proved, valid := talk(t, secret, right, client, server, func(n int, step string) string {
		if n == 3 {
			return "v=" + strings.Repeat("A", 43) + "="
		}
		return step
	}); proved == nil || valid {
		t.Errorf("with a forged signature: %v, %v", proved, valid)
	}
	for _, n := range []string{"1", "99999", "1000001", "99999999999999999999"} {
		begin := time.Now()
		_, proved, valid := talk(t, secret, right, client, server, func(at int, step string) string {
			return strings.Replace(step, fmt.Sprint("i=", MinIterations), "i="+n, 1)
		})
		if proved == nil || valid {
			t.Errorf("%s rounds: %v, %v", n, proved, valid)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s rounds were refused behind %v", n, took)
		}
	}
}

func TestPassphraseForms(t *testing.T) {
	// The same characters, composed and not, and with a space that is none of ASCII.
	secret, err := newSecret("Käse\u3000🧀", MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKey("Ka\u0308se 🧀")
	if err != nil {
		t.Fatal(err)
	}
	client, server := connection(t)
	if asked, proved, valid := talk(t, secret, k, client, server, nil); asked != nil || proved != nil || !valid {
		t.Errorf("another keyboard: %v, %v, %v", asked, proved, valid)
	}
	for _, bad := range []string{"", "a\nb", "a\x00", "\xff", strings.Repeat("x", MaxLen+1)} {
		if _, err := NewSecret(bad); err == nil {
			t.Errorf("%.20q is taken", bad)
		}
	}
}
