package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"lanchat/internal/files"
	"lanchat/protocol"
)

// FileName is the key file's name inside the directory given to [LoadOrCreate].
const FileName = "identity.pem"

const (
	maxKeyFile    = 16 << 10 // ours has about 700 bytes
	maxCommonName = 64       // RFC 5280, appendix A.1, ub-common-name
	keyBlock      = "PRIVATE KEY"
	certBlock     = "CERTIFICATE"
)

// LoadOrCreate reads the identity kept in dir, and makes one if there is none yet.
// dir is made too, for its owner alone.
//
// name is written into a new certificate for people who look at it with other
// tools. Nothing here ever reads it, and the other side of a connection can see it.
//
// It fails, and leaves the file as it is, if the file cannot be read, if it is
// damaged, or if other users of the machine can read it. The error says what to do.
//
// Any number of goroutines and processes may call it at once.
func LoadOrCreate(dir, name string) (*Identity, error) {
	path := filepath.Join(dir, FileName)
	id, err := load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	made, err := create(name)
	if err != nil {
		return nil, err
	}
	return keep(path, made)
}

// Import puts an exported identity into dir, as [LoadOrCreate] would find it there.
// It replaces nothing: where dir has an identity, it succeeds if that is the same
// one and fails otherwise.
func Import(dir string, exported []byte) error {
	id, err := parse(exported)
	if err != nil {
		return fmt.Errorf("identity: this is no exported key: %w", err)
	}
	path := filepath.Join(dir, FileName)
	kept, err := keep(path, id)
	if err != nil {
		return err
	}
	if kept.Fingerprint() != id.Fingerprint() {
		return fmt.Errorf("identity: %s holds another key already (%s), which importing would destroy: "+
			"move that file away first if you no longer want to be known by it", path, kept.Fingerprint().Words())
	}
	return nil
}

// keep writes id to path unless an identity is there, and returns the one that is
// there in the end.
func keep(path string, id *Identity) (*Identity, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("identity: no place to keep the key: %w", err)
	}
	unlock, err := files.Lock(path)
	if err != nil {
		return nil, fmt.Errorf("identity: cannot keep the key: %w", err)
	}
	defer unlock()
	other, err := load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return other, err
	}
	if err := files.Replace(path, id.pem); err != nil {
		return nil, fmt.Errorf("identity: cannot keep the key: %w", err)
	}
	return id, nil
}

// load reads the key file. If there is none, the error is fs.ErrNotExist.
func load(path string) (*Identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("identity: cannot read the key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("identity: %s should be the key file, but is no file: move it away", path)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("identity: other users of this machine can get at the key in %s (mode %04o): run\n  chmod 600 %s",
			path, mode, quote(path))
	}
	data, err := files.Read(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("identity: cannot read the key, which must belong to the user who runs this program: %w", err)
	}
	id, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("identity: the key file %s is damaged: %w: put a copy of it back, "+
			"or move it away to start with a new key (others will then not know you)", path, err)
	}
	return id, nil
}

// create makes a new key and a certificate for it.
func create(name string) (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("identity: cannot make a key: %w", err)
	}
	certificate, err := protocol.SelfSigned(key, commonName(name))
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("identity: cannot encode the key: %w", err)
	}
	var out bytes.Buffer
	for _, b := range []*pem.Block{{Type: keyBlock, Bytes: pkcs8}, {Type: certBlock, Bytes: certificate.Certificate[0]}} {
		if err := pem.Encode(&out, b); err != nil {
			return nil, fmt.Errorf("identity: cannot encode the key: %w", err)
		}
	}
	// Read back what was made: what this program writes, it must accept tomorrow.
	return parse(out.Bytes())
}

// commonName makes any text fit a certificate.
func commonName(name string) string {
	name = strings.ToValidUTF8(name, "")
	for len(name) > maxCommonName {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	if name == "" {
		return "lanchat"
	}
	return name
}

// parse reads a key and its certificate, and believes them only if they belong
// together: a file that was cut or altered must not become another identity.
func parse(data []byte) (*Identity, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("it is empty")
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxKeyFile)
	}
	keyDER, rest, err := block(data, keyBlock)
	if err != nil {
		return nil, err
	}
	certDER, rest, err := block(rest, certBlock)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something stands behind the certificate")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, fmt.Errorf("its key: %w", err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("its key is not Ed25519")
	}
	leaf, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("its certificate: %w", err)
	}
	if _, err := protocol.Fingerprint(leaf); err != nil {
		return nil, fmt.Errorf("its certificate: %w", err)
	}
	if !key.Public().(ed25519.PublicKey).Equal(leaf.PublicKey) {
		return nil, errors.New("its key and its certificate do not belong together")
	}
	if err := leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil {
		return nil, fmt.Errorf("its certificate was altered: %w", err)
	}
	return &Identity{key: key, leaf: leaf, pem: bytes.Clone(data)}, nil
}

// block reads one PEM block of the wanted type, at the beginning of data.
func block(data []byte, want string) (der, rest []byte, err error) {
	// pem.Decode skips what is no block; here that would hide damage.
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("-----BEGIN "+want+"-----")) {
		return nil, nil, fmt.Errorf("no %s where one belongs", strings.ToLower(want))
	}
	b, rest := pem.Decode(data)
	if b == nil || b.Type != want {
		return nil, nil, fmt.Errorf("its %s is cut or altered", strings.ToLower(want))
	}
	return b.Bytes, rest, nil
}
