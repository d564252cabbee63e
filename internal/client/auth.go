package client

import (
	"crypto/tls"
	"errors"
	"fmt"

	"lanchat/internal/passphrase"
	"lanchat/protocol"
)

// ErrUnproved says that a server did not prove that it knows the passphrase, and may
// be anybody.
var ErrUnproved = errors.New("it did not prove that it knows the passphrase, so it was not joined")

var errStaleInvitation = errors.New("your invitation is not valid any more; you came in without it")

// NeedsPassphrase reports whether err says that a passphrase is needed, or another one
// than was given.
func NeedsPassphrase(err error) bool {
	return errors.Is(err, protocol.ErrAuthRequired) || errors.Is(err, passphrase.ErrWrong)
}

// PassphraseError says that a server did not let one in for want of a passphrase, or
// of the right one.
type PassphraseError struct {
	Addr     string
	KeyWords string // of the server
	NewKey   bool   // it is met for the first time
	Err      error
}

func (e *PassphraseError) Error() string {
	text := e.Err.Error()
	if e.NewKey && errors.Is(e.Err, passphrase.ErrWrong) {
		text += ", or this is not the server that you mean: you meet it for the first time, and its key is " + e.KeyWords
	}
	return text
}

func (e *PassphraseError) Unwrap() error { return e.Err }

// proving is how one connection's passphrase is proved, by both sides. Before it
// begins the server's key was held to what is known of it.
type proving struct {
	key    *passphrase.Key
	insist bool
	link   *Dialed
	proof  *passphrase.Proof // nil: it was not asked for
}

// answer takes a step of the server's.
func (p *proving) answer(step *protocol.Auth) (*protocol.Auth, error) {
	if p.proof == nil {
		if step.Mech != passphrase.Mechanism {
			return nil, fmt.Errorf("the server asks for a passphrase by %.32q, and this program knows %s only", step.Mech, passphrase.Mechanism)
		}
		t, ok := p.link.Conn.(*tls.Conn)
		if !ok {
			return nil, &FinalError{errors.New("the server asks for a passphrase, and without TLS nobody can tell who that is")}
		}
		state := t.ConnectionState()
		proof, err := p.key.Prove(&state)
		if err != nil {
			return nil, err
		}
		p.proof = proof
	}
	answer, err := p.proof.Step(step.Data)
	switch {
	case err != nil && !errors.Is(err, passphrase.ErrWrong):
		return nil, &FinalError{fmt.Errorf("%s: %w (%w)", p.link.Addr, ErrUnproved, err)}
	case err != nil || len(answer) == 0:
		return nil, err
	}
	return &protocol.Auth{Data: answer}, nil
}

// judge takes what came of the handshake, and is the last word on it.
func (p *proving) judge(welcome *protocol.Welcome, err error) error {
	switch {
	case err == nil && p.proof != nil && !p.proof.Valid():
		return &FinalError{fmt.Errorf("%s says welcome, but %w", p.link.Addr, ErrUnproved)}
	case err == nil && p.proof == nil && p.insist && p.link.NewKey:
		return &FinalError{fmt.Errorf("%s is met for the first time and asks for no passphrase, though you gave one: %w. If it has none, come without it", p.link.Addr, ErrUnproved)}
	case err == nil:
		return nil
	case p.proof != nil && errors.Is(err, &protocol.Error{Code: protocol.CodeAuth}):
		err = passphrase.ErrWrong // which can be told apart
	}
	if NeedsPassphrase(err) {
		return &PassphraseError{Addr: p.link.Addr, KeyWords: p.link.KeyWords, NewKey: p.link.NewKey, Err: err}
	}
	return err
}
