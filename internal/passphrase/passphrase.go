// Package passphrase proves that both ends of a TLS connection know the same
// passphrase, without sending it: SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), bound to
// the connection by tls-exporter (RFC 9266).
//
// The binding is what stops a relay: somebody in the middle has two connections with
// two different bindings, and what the client says over one is refused on the other.
// What it does not give: whoever a client takes for the server may guess afterwards,
// offline, at the cost of [Iterations] hashes a guess. So a client checks the server's
// key first, and a passphrase that is easily guessed is no good for those who have met
// no server yet; an invitation has the key in it.
//
// The steps, each one auth message; the first names the mechanism:
//
//	server: SCRAM-SHA-256-PLUS            the passphrase is asked for
//	client: p=tls-exporter,,n=lanchat,r=…
//	server: r=…,s=SALT,i=ITERATIONS
//	client: c=…,r=…,p=PROOF
//	server: v=SIGNATURE                   and so the server knows it too
//
// The user's name is the same for all: there is one passphrase for a server.
package passphrase

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/xdg-go/scram"
	"golang.org/x/text/secure/precis"
)

// Mechanism is the name of the only one there is.
const Mechanism = "SCRAM-SHA-256-PLUS"

// Iterations is how often a server's passphrase is hashed. A client does as many for
// each server that it meets: not so few that guessing is cheap, nor so many that
// whoever calls himself a server can keep it busy.
const (
	Iterations    = 600_000
	MinIterations = 100_000
	MaxIterations = 1_000_000
)

// MaxLen is how long a passphrase may be, in bytes.
const MaxLen = 1024

const (
	everybody = "lanchat"
	saltSize  = 16
)

// ErrWrong says that the other end does not know the passphrase, or is not the end
// of this TLS connection.
var ErrWrong = errors.New("the passphrase is wrong")

// Exchange sends one step and returns the other end's next one; the last step of a
// server has none.
type Exchange func(step []byte) (answer []byte, err error)

// Secret is what a server keeps of its passphrase. It may be used by several
// goroutines at once.
type Secret struct{ server *scram.Server }

// prepare brings a passphrase into the form that all keyboards agree on (RFC 8265,
// OpaqueString).
func prepare(passphrase string) (string, error) {
	if len(passphrase) > MaxLen {
		return "", fmt.Errorf("a passphrase has at most %d bytes, this one %d", MaxLen, len(passphrase))
	}
	if !utf8.ValidString(passphrase) {
		return "", errors.New("a passphrase is text in UTF-8")
	}
	prepared, err := precis.OpaqueString.String(passphrase)
	if err != nil {
		return "", fmt.Errorf("a passphrase is a line of text, and not empty: %w", err)
	}
	return prepared, nil
}

// NewSecret makes a Secret of a passphrase. It takes about a tenth of a second.
func NewSecret(passphrase string) (*Secret, error) { return newSecret(passphrase, Iterations) }

func newSecret(passphrase string, iterations int) (*Secret, error) {
	prepared, err := prepare(passphrase)
	if err != nil {
		return nil, err
	}
	maker, err := scram.SHA256.NewClientUnprepped(everybody, prepared, "")
	if err != nil {
		return nil, err
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	stored, err := maker.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		return nil, err
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
	return &Secret{server}, err
}

// Ask has the other end of a TLS connection prove that it knows the passphrase. send
// sends a step and returns the answer; last sends the last one. The error is ErrWrong
// when it does not, and that of send or last otherwise.
func (s *Secret) Ask(state *tls.ConnectionState, send Exchange, last func(step []byte) error) error {
	binding, err := scram.NewTLSExporterBinding(state)
	if err != nil {
		return err
	}
	talk := s.server.NewConversationWithChannelBindingRequired(binding)
	answer, err := send(nil)
	if err != nil {
		return err
	}
	step, err := talk.Step(string(answer))
	if err != nil {
		return ErrWrong
	}
	if answer, err = send([]byte(step)); err != nil {
		return err
	}
	step, err = talk.Step(string(answer))
	if err != nil || !talk.Valid() {
		return ErrWrong
	}
	return last([]byte(step))
}

// Key is what a client keeps of a passphrase, so that meeting a server again costs no
// hashing. It may be used by several goroutines at once.
type Key struct{ client *scram.Client }

// NewKey makes a Key of a passphrase.
func NewKey(passphrase string) (*Key, error) {
	prepared, err := prepare(passphrase)
	if err != nil {
		return nil, err
	}
	client, err := scram.SHA256.NewClientUnprepped(everybody, prepared, "")
	if err != nil {
		return nil, err
	}
	return &Key{client.WithMinIterations(MinIterations)}, nil
}

// Proof is one client's half of a conversation.
type Proof struct{ talk *scram.ClientConversation }

// Prove begins to prove the passphrase to the other end of a TLS connection.
func (k *Key) Prove(state *tls.ConnectionState) (*Proof, error) {
	binding, err := scram.NewTLSExporterBinding(state)
	if err != nil {
		return nil, err
	}
	return &Proof{k.client.NewConversationWithChannelBinding(binding)}, nil
}

var iterations = regexp.MustCompile(`(?:^|,)i=([0-9]+)(?:,|$)`)

// Step answers one step of the server's; nothing is to be sent behind the last one.
// Valid is to be asked for then.
func (p *Proof) Step(step []byte) ([]byte, error) {
	// The library has a least number and no greatest one.
	if found := iterations.FindSubmatch(step); found != nil {
		if n, err := strconv.Atoi(string(found[1])); err != nil || n > MaxIterations {
			return nil, fmt.Errorf("the server asks for %.20s rounds of hashing, and more than %d are refused: it is none of lanchat", found[1], MaxIterations)
		}
	}
	answer, err := p.talk.Step(string(step))
	if err != nil {
		return nil, fmt.Errorf("%w, or the server does not know it (%w)", ErrWrong, err)
	}
	return []byte(answer), nil
}

// Valid reports whether the server has proved that it knows the passphrase too. A
// server that welcomes a client without that may be anybody.
func (p *Proof) Valid() bool { return p.talk.Valid() }
