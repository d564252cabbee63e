package identity

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// outcome is what one side of a connection came to.
type outcome struct {
	state tls.ConnectionState
	err   error
}

// connect makes a whole connection: the handshake, one byte in each direction, and
// the end. Only the bytes show a client whether the server took it.
func connect(t *testing.T, server, client *tls.Config) (atServer, atClient outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		tcp, err := l.Accept()
		if err != nil {
			atServer.err = err
			return
		}
		atServer = talk(ctx, tls.Server(tcp, server))
	})
	tcp, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	atClient = talk(ctx, tls.Client(tcp, client))
	wg.Wait()
	return atServer, atClient
}

func talk(ctx context.Context, c *tls.Conn) (o outcome) {
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if o.err = c.SetDeadline(deadline); o.err != nil {
		return o
	}
	if o.err = c.HandshakeContext(ctx); o.err != nil {
		return o
	}
	if _, o.err = c.Write([]byte("x")); o.err != nil {
		return o
	}
	_, o.err = io.ReadFull(c, make([]byte, 1))
	o.state = c.ConnectionState()
	return o
}

func accept(Fingerprint) error { return nil }

func TestBothSidesKnowEachOther(t *testing.T) {
	server, client := newIdentity(t), newIdentity(t)
	var checked Fingerprint
	atServer, atClient := connect(t, server.ServerTLS(), client.ClientTLS(func(f Fingerprint) error {
		checked = f
		return nil
	}))
	if atServer.err != nil || atClient.err != nil {
		t.Fatalf("server: %v, client: %v", atServer.err, atClient.err)
	}
	if f, ok := PeerFingerprint(atServer.state); !ok || f != client.Fingerprint() {
		t.Errorf("the server sees %v, %v", f, ok)
	}
	if f, ok := PeerFingerprint(atClient.state); !ok || f != server.Fingerprint() || f != checked {
		t.Errorf("the client sees %v, %v, and checked %v", f, ok, checked)
	}
	for _, o := range []outcome{atServer, atClient} {
		if o.state.Version != tls.VersionTLS13 || o.state.CurveID != tls.X25519 {
			t.Errorf("version %#x, key exchange %v", o.state.Version, o.state.CurveID)
		}
	}
}

func TestGuest(t *testing.T) {
	server := newIdentity(t)
	atServer, atClient := connect(t, server.ServerTLS(), GuestTLS(accept))
	if atServer.err != nil || atClient.err != nil {
		t.Fatalf("server: %v, client: %v", atServer.err, atClient.err)
	}
	if f, ok := PeerFingerprint(atServer.state); ok {
		t.Errorf("the server sees %v", f)
	}
	if f, ok := PeerFingerprint(atClient.state); !ok || f != server.Fingerprint() {
		t.Errorf("the guest sees %v, %v", f, ok)
	}
	no := errors.New("no")
	if _, atClient = connect(t, server.ServerTLS(), GuestTLS(func(Fingerprint) error { return no })); !errors.Is(atClient.err, no) {
		t.Errorf("a guest's check is not asked: %v", atClient.err)
	}
}

// TestCertificatesThatAreRefused shows either side what it must not take.
func TestCertificatesThatAreRefused(t *testing.T) {
	good := newIdentity(t)
	large := largeCertificate(t, good)
	two := good.certificate()
	two.Certificate = append(two.Certificate, newIdentity(t).leaf.Raw)
	// Another's certificate, which anybody can copy, without its key.
	stolen := newIdentity(t).certificate()
	stolen.Certificate, stolen.Leaf = good.certificate().Certificate, good.leaf
	for name, c := range map[string]tls.Certificate{
		"ECDSA":           ecdsaCertificate(t),
		"large":           large,
		"two of them":     two,
		"without the key": stolen,
	} {
		t.Run(name, func(t *testing.T) {
			client := GuestTLS(accept)
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
			atServer, atClient := connect(t, good.ServerTLS(), client)
			if atServer.err == nil || atClient.err == nil {
				t.Errorf("as a client: the server gets %v, the client %v", atServer.err, atClient.err)
			}
			server := good.ServerTLS()
			server.Certificates = []tls.Certificate{c}
			atServer, atClient = connect(t, server, good.ClientTLS(accept))
			if atServer.err == nil || atClient.err == nil {
				t.Errorf("as a server: the server gets %v, the client %v", atServer.err, atClient.err)
			}
			if _, ok := PeerFingerprint(atClient.state); ok {
				t.Error("the client takes its fingerprint")
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	id := newIdentity(t)
	client := id.ClientTLS(accept)
	client.MinVersion, client.MaxVersion = 0, tls.VersionTLS12
	client.CurvePreferences = nil
	if atServer, _ := connect(t, id.ServerTLS(), client); atServer.err == nil {
		t.Error("the server speaks TLS 1.2")
	}
	server := id.ServerTLS()
	server.MinVersion, server.MaxVersion = 0, tls.VersionTLS12
	if _, atClient := connect(t, server, id.ClientTLS(accept)); atClient.err == nil {
		t.Error("the client speaks TLS 1.2")
	}
}

// TestNothingIsResumed has one side try to resume, the other as it is.
func TestNothingIsResumed(t *testing.T) {
	server, client := newIdentity(t), newIdentity(t)
	eager := client.ClientTLS(accept)
	eager.SessionTicketsDisabled = false
	eager.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	eager.ServerName = "chat"
	generous := server.ServerTLS()
	generous.SessionTicketsDisabled = false

	resumed := func(server, client *tls.Config) bool {
		t.Helper()
		var any bool
		for range 3 {
			atServer, atClient := connect(t, server, client)
			any = any || atServer.state.DidResume || atClient.state.DidResume ||
				atServer.err != nil || atClient.err != nil // a refused one was tried
		}
		return any
	}
	if resumed(server.ServerTLS(), eager) {
		t.Error("our server resumed a session")
	}
	if resumed(generous, client.ClientTLS(accept)) {
		t.Error("our client resumed a session")
	}
	state := tls.ConnectionState{HandshakeComplete: true, DidResume: true, PeerCertificates: []*x509.Certificate{server.leaf}}
	if f, ok := PeerFingerprint(state); ok {
		t.Errorf("a resumed session gives %v", f)
	}
	// The test itself: where both sides want it, it is tried. Our checks still refuse.
	if !resumed(generous, eager) {
		t.Error("this test cannot fail")
	}
}

// TestNoFingerprintBeforeProof asks for it within the handshake, where the key
// behind the certificate is not proved yet.
func TestNoFingerprintBeforeProof(t *testing.T) {
	id := newIdentity(t)
	asked := 0
	within := func(c *tls.Config) *tls.Config {
		verify := c.VerifyConnection
		c.VerifyConnection = func(state tls.ConnectionState) error {
			asked++
			if f, ok := PeerFingerprint(state); ok {
				t.Errorf("it gives %v", f)
			}
			return verify(state)
		}
		return c
	}
	server := within(id.ServerTLS())
	connect(t, server, id.ClientTLS(accept))
	connect(t, id.ServerTLS(), within(id.ClientTLS(accept)))
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// TestChangedKey is the whole story of a pin, over real connections.
func TestChangedKey(t *testing.T) {
	pins, err := OpenPins(filepath.Join(t.TempDir(), "pins.json"))
	if err != nil {
		t.Fatal(err)
	}
	client, server, impostor := newIdentity(t), newIdentity(t), newIdentity(t)
	meet := func(server *tls.Config, name string) (first bool, err error) {
		t.Helper()
		_, atClient := connect(t, server, client.ClientTLS(pins.Verify(name)))
		if atClient.err != nil {
			return false, atClient.err
		}
		f, ok := PeerFingerprint(atClient.state)
		if !ok {
			t.Fatal("no key")
		}
		return pins.Check(name, f)
	}
	// Someone shows the real server's public certificate and cannot prove it: that
	// must not become a pin, whichever name it is for.
	fake := server.ServerTLS()
	fake.Certificates[0].PrivateKey = impostor.key
	if _, err := meet(fake, "Other Room"); err == nil {
		t.Error("a server without the key is accepted")
	}
	if _, known, err := pins.Lookup("Other Room"); known || err != nil {
		t.Errorf("a key that was not proved is pinned (%v)", err)
	}

	if first, err := meet(server.ServerTLS(), "Hack Night"); !first || err != nil {
		t.Errorf("first meeting: %v, %v", first, err)
	}
	if first, err := meet(server.ServerTLS(), "HACK night"); first || err != nil {
		t.Errorf("second meeting: %v, %v", first, err)
	}
	for range 2 {
		_, err = meet(impostor.ServerTLS(), "hack night")
		changed, ok := errors.AsType[*ChangedError](err)
		if !ok || changed.Old != server.Fingerprint() || changed.New != impostor.Fingerprint() {
			t.Errorf("an impostor: %v", err)
		}
	}
	if err := pins.Forget("hack night"); err != nil {
		t.Fatal(err)
	}
	if first, err := meet(impostor.ServerTLS(), "Hack Night"); !first || err != nil {
		t.Errorf("after forgetting: %v, %v", first, err)
	}
}

// TestRefusedServerLearnsNothing checks that a client which refuses a server has not
// shown it who it is.
func TestRefusedServerLearnsNothing(t *testing.T) {
	server := newIdentity(t).ServerTLS()
	var seen bool
	server.VerifyConnection = func(tls.ConnectionState) error {
		seen = true
		return nil
	}
	connect(t, server, newIdentity(t).ClientTLS(func(Fingerprint) error { return errors.New("no") }))
	if seen {
		t.Error("the server has seen the client's certificate")
	}
}

func TestConfigsAreTheCallersOwn(t *testing.T) {
	id := newIdentity(t)
	id.ServerTLS().MinVersion = 0
	id.ServerTLS().Certificates[0].Certificate[0] = nil
	if c := id.ServerTLS(); c.MinVersion != tls.VersionTLS13 || !bytes.Equal(c.Certificates[0].Certificate[0], id.leaf.Raw) {
		t.Error("what one caller changed, another gets")
	}
}

func largeCertificate(t *testing.T, id *Identity) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: strings.Repeat("x", MaxCertificate)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, id.key.Public(), id.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: id.key}
}
