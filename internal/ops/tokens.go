package ops

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lanchat/internal/files"
	"lanchat/internal/server"
)

// TokensFile is the file, in a server's data directory, with its tokens' hashes.
const TokensFile = "webhooks.json"

const (
	maxTokens     = 1000
	maxTokensFile = 1 << 20
	tokenPrefix   = "lanchat_" // so that one that leaks is recognised as what it is
	tokenBytes    = 32
)

// Token is what is kept of a token.
type Token struct {
	Number int       `json:"number"`
	Room   string    `json:"room"`
	As     string    `json:"as"` // the nick
	Made   time.Time `json:"made"`
	Hash   string    `json:"sha256"` // of the token, in hex
}

// user is the one whose a token's posts are. Nothing of the hash can be told from it.
func (t *Token) user() (u [16]byte) {
	sum := sha256.Sum256([]byte("lanchat webhook " + t.Hash))
	copy(u[:], sum[:])
	return u
}

// Tokens are the tokens of one server. Several processes may change them at once,
// beside a running server, which notices.
type Tokens struct{ path string }

// OpenTokens gives the tokens that are kept in a server's data directory, where
// there may be none yet.
func OpenTokens(dir string) *Tokens { return &Tokens{filepath.Join(dir, TokensFile)} }

type tokensFile struct {
	Last   int     `json:"last"` // number given: none is given twice
	Tokens []Token `json:"tokens"`
}

// Add makes a token for a room. This is the only time that it can be seen.
func (t *Tokens) Add(room, as string, now time.Time) (token string, made Token, err error) {
	if err := server.CheckNote(room, as); err != nil {
		return "", Token{}, err
	}
	random := make([]byte, tokenBytes)
	rand.Read(random)
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(random)
	err = t.change(func(f *tokensFile) error {
		if len(f.Tokens) >= maxTokens {
			return fmt.Errorf("there are %d tokens, which is the most; remove some first", len(f.Tokens))
		}
		f.Last++
		made = Token{Number: f.Last, Room: room, As: as, Made: now.UTC().Truncate(time.Second), Hash: hashOf(token)}
		f.Tokens = append(f.Tokens, made)
		return nil
	})
	return token, made, err
}

// List returns the tokens, the oldest first.
func (t *Tokens) List() ([]Token, error) {
	f, err := readTokens(t.path)
	return f.Tokens, err
}

// ErrNoToken says that there is no such token.
var ErrNoToken = errors.New("there is no such token")

// Remove takes tokens away for good: all of those for which gone is true.
func (t *Tokens) Remove(gone func(Token) bool) (removed []Token, err error) {
	err = t.change(func(f *tokensFile) error {
		kept := []Token{}
		for _, one := range f.Tokens {
			if gone(one) {
				removed = append(removed, one)
			} else {
				kept = append(kept, one)
			}
		}
		if len(removed) == 0 {
			return ErrNoToken
		}
		f.Tokens = kept
		return nil
	})
	return removed, err
}

// Is reports whether t is what is kept of the token.
func (t *Token) Is(token string) bool {
	return subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hashOf(token))) == 1
}

func (t *Tokens) change(change func(*tokensFile) error) error {
	if err := os.MkdirAll(filepath.Dir(t.path), 0o700); err != nil {
		return err
	}
	unlock, err := files.Lock(t.path)
	if err != nil {
		return err
	}
	defer unlock()
	f, err := readTokens(t.path)
	if err != nil {
		return err
	}
	if err := change(&f); err != nil {
		return err
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(t.path, append(data, '\n'))
}

func readTokens(path string) (f tokensFile, err error) {
	data, err := files.Read(path, maxTokensFile)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	for i, t := range f.Tokens {
		if err != nil {
			break
		}
		if len(t.Hash) != sha256.Size*2 || strings.ContainsFunc(t.Hash, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }) {
			err = fmt.Errorf("token %d has no SHA-256", t.Number)
		} else if err = server.CheckNote(t.Room, t.As); err != nil {
			err = fmt.Errorf("token %d: %w", t.Number, err)
		} else if t.Number > f.Last || i > 0 && t.Number <= f.Tokens[i-1].Number {
			err = fmt.Errorf("token %d has another's number", t.Number)
		}
	}
	if err != nil {
		return tokensFile{}, fmt.Errorf("the webhook's tokens in %s cannot be read: %w; restore the file, or remove it and make new tokens", path, err)
	}
	return f, nil
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// reader is a running server's view of the file: it is read again when it has
// changed, which a look at its name tells.
type reader struct {
	path string

	mu    sync.Mutex
	seen  os.FileInfo // nil: no file
	known bool        // something was seen, be it that there is no file
	list  []Token
	err   error
}

// find returns what is kept of a token. Every one is compared, in constant time.
func (r *reader) find(token string) (found Token, ok bool, err error) {
	list, err := r.tokens()
	if err != nil {
		return Token{}, false, err
	}
	hash := []byte(hashOf(token))
	at := -1
	for i := range list {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare([]byte(list[i].Hash), hash), i, at)
	}
	if at < 0 {
		return Token{}, false, nil
	}
	return list[at], true, nil
}

func (r *reader) tokens() ([]Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		info = nil
	}
	if r.known && sameFile(r.seen, info) {
		return r.list, r.err
	}
	f, err := readTokens(r.path)
	r.seen, r.known, r.list, r.err = info, true, f.Tokens, err
	return r.list, r.err
}

// sameFile reports whether nobody has replaced or written the file in between.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
