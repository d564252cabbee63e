package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"
	"time"

	"lanchat/discovery"
	"lanchat/protocol"
)

// server is what the bot knows of its server, and keeps in a file.
type server struct {
	Pin    *[discovery.KeySize]byte // the SHA-256 of its certificate, from the first meeting on
	Own    []byte                   // the bot's own key
	Epoch  protocol.ID              // of the log in which Cursor means something
	Joined bool
	Cursor uint64

	file string
}

// connect finds the server by name, by all interfaces, and says hello.
func (s *server) connect(name string) (*protocol.Conn, error) {
	ctx := context.Background()
	found, err := discovery.Lookup(ctx, discovery.Config{}, discovery.Want{Name: name, Key: s.Pin})
	if errors.Is(err, discovery.ErrOtherKey) || errors.Is(err, discovery.ErrConflict) {
		return nil, fmt.Errorf("REFUSED: %w: %x", err, found[0].Key)
	} else if err != nil {
		return nil, err
	}
	own, err := s.certificate()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own},
		InsecureSkipVerify: true, // no authority has signed it: the fingerprint counts
		VerifyConnection: func(state tls.ConnectionState) error {
			if sha256.Sum256(state.PeerCertificates[0].Raw) != found[0].Key {
				return errors.New("REFUSED: the server does not have the key that it announced")
			}
			return nil
		},
	}
	c, welcome, err := protocol.Dial(ctx, found[0].Addr.String(), config, &protocol.Hello{Nick: nick, Software: "bot.go", Bot: true})
	if err != nil {
		return nil, err
	}
	go func() {
		for c.Write(&protocol.Ping{N: 1}) == nil {
			time.Sleep(protocol.PingInterval)
		}
	}()
	s.Joined = s.Joined && s.Epoch == welcome.Epoch
	s.Pin, s.Epoch = &found[0].Key, welcome.Epoch
	return c, nil
}

// certificate gives the bot a certificate of its own. It is made anew each time
// from the key, with the same bytes: so the bot stays the same user.
func (s *server) certificate() (tls.Certificate, error) {
	if s.Own == nil {
		s.Own = make([]byte, ed25519.SeedSize)
		rand.Read(s.Own)
	}
	key := ed25519.NewKeyFromSeed(s.Own)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// answered keeps how far all is answered for good.
func (s *server) answered(seen uint64, waiting map[protocol.ID]uint64) {
	if s.Cursor = seen; !s.Joined {
		return
	}
	for _, seq := range waiting {
		s.Cursor = min(s.Cursor, seq-1)
	}
	data, _ := json.Marshal(s)
	if err := errors.Join(os.WriteFile(s.file+".new", data, 0o600), os.Rename(s.file+".new", s.file)); err != nil {
		log.Fatal(err)
	}
}
