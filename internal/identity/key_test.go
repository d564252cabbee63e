package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func newIdentity(t *testing.T) *Identity {
	t.Helper()
	id, err := create("test")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestLoadOrCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "deep")
	first, err := LoadOrCreate(dir, "alice")
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadOrCreate(dir, "another name")
	if err != nil {
		t.Fatal(err)
	}
	if first.Fingerprint() != second.Fingerprint() || first.Fingerprint() == (Fingerprint{}) {
		t.Errorf("first %v, second %v", first.Fingerprint(), second.Fingerprint())
	}
	if name := second.leaf.Subject.CommonName; name != "alice" {
		t.Errorf("the certificate is for %q", name)
	}
	if n := len(first.leaf.Raw); n > 512 {
		t.Errorf("the certificate has %d bytes", n)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, FileName): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
	if entries, _ := filepath.Glob(filepath.Join(dir, "*.new")); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestNamesInCertificates(t *testing.T) {
	for name, want := range map[string]string{
		"":                      "lanchat",
		"\xff":                  "lanchat",
		"Zoë":                   "Zoë",
		"a\xffb":                "ab",
		strings.Repeat("ë", 40): strings.Repeat("ë", 32),
		strings.Repeat("€", 40): strings.Repeat("€", 21),
	} {
		id, err := create(name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if got := id.leaf.Subject.CommonName; got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

func TestOpenKeyFileIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := filepath.Join(t.TempDir(), "it's here")
	if _, err := LoadOrCreate(dir, "alice"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601, 0o644, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreate(dir, "alice")
		if err == nil {
			t.Fatalf("mode %04o is accepted", mode)
		}
		if !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		// The command in the error's text mends it.
		_, command, _ := strings.Cut(err.Error(), "run\n")
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
		if _, err := LoadOrCreate(dir, "alice"); err != nil {
			t.Errorf("after %s: %v", command, err)
		}
	}
}

// TestDamagedKeyFile cuts and alters a key file at every place: it is always
// refused, and never written to.
func TestDamagedKeyFile(t *testing.T) {
	dir := t.TempDir()
	id, err := LoadOrCreate(dir, "alice")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	good := id.Export()
	refused := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := LoadOrCreate(dir, "alice")
		if err == nil && got.Fingerprint() == id.Fingerprint() && bytes.Equal(got.key, id.key) {
			return // spare characters of base64 or white space: nothing was lost
		}
		if err == nil {
			t.Fatalf("%s: accepted as another identity", what)
		}
		if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: the error does not say where, or what to do: %v", what, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, data) {
			t.Fatalf("%s: the file was overwritten", what)
		}
	}
	for n := range len(good) - 1 {
		refused(fmt.Sprintf("cut to %d bytes", n), good[:n])
		altered := bytes.Clone(good)
		altered[n] ^= 1
		refused(fmt.Sprintf("byte %d altered", n), altered)
	}
	refused("zeros", make([]byte, len(good)))
	other := newIdentity(t)
	keyOf := func(id *Identity) []byte { return id.pem[:bytes.Index(id.pem, []byte("-----BEGIN CERT"))] }
	certOf := func(id *Identity) []byte { return id.pem[len(keyOf(id)):] }
	refused("the certificate of another", append(bytes.Clone(keyOf(id)), certOf(other)...))
	refused("the key of another", append(bytes.Clone(keyOf(other)), certOf(id)...))
	refused("the key alone", keyOf(id))
	refused("the certificate alone", certOf(id))
	refused("the wrong way round", append(bytes.Clone(certOf(id)), keyOf(id)...))
	refused("an ECDSA key", ecdsaPEM(t))

	// What is behind the certificate was not written here, even if all else is right.
	if _, err := parse(append(bytes.Clone(good), good...)); err == nil {
		t.Error("two identities in one file are accepted")
	}

	// Too large a file is not read to its end, nor replaced.
	large := append(bytes.Clone(good), bytes.Repeat([]byte("\n"), maxKeyFile)...)
	if err := os.WriteFile(path, large, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(dir, "alice"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a large file: %v", err)
	}
}

func TestUnusableKeyPlaces(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(dir, "alice"); err == nil || !strings.Contains(err.Error(), FileName) {
		t.Errorf("a directory in the key's place: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(filepath.Join(file, "below"), "alice"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in the directory's place: %v", err)
	}
}

// TestTemporaryFileOfACrash checks that a half-written file of a killed process is
// neither read nor in the way.
func TestTemporaryFileOfACrash(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName+".new"), []byte("-----BEGIN PRIV"), 0o400); err != nil {
		t.Fatal(err)
	}
	id, err := LoadOrCreate(dir, "alice")
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreate(dir, "alice")
	if err != nil || again.Fingerprint() != id.Fingerprint() {
		t.Errorf("%v", err)
	}
}

func TestExportAndImport(t *testing.T) {
	id := newIdentity(t)
	exported := id.Export()
	dir := filepath.Join(t.TempDir(), "laptop")
	for range 2 { // the second finds the same one
		if err := Import(dir, exported); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := LoadOrCreate(dir, "ignored")
	if err != nil || loaded.Fingerprint() != id.Fingerprint() || !bytes.Equal(loaded.Export(), exported) {
		t.Fatalf("not what was imported: %v", err)
	}
	err = Import(dir, newIdentity(t).Export())
	if err == nil || !strings.Contains(err.Error(), id.Fingerprint().Words()) {
		t.Errorf("another identity: %v", err)
	}
	if loaded, err = LoadOrCreate(dir, "ignored"); err != nil || loaded.Fingerprint() != id.Fingerprint() {
		t.Errorf("the identity was replaced: %v", err)
	}
	if err := Import(t.TempDir(), exported[:100]); err == nil {
		t.Error("a part is imported")
	}
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, FileName), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Import(damaged, exported); err == nil {
		t.Error("a damaged file is replaced")
	}
	loaded, err = parse(exported)
	exported[100] ^= 1
	if err != nil || !bytes.Equal(loaded.Export(), id.Export()) {
		t.Errorf("an identity changes with the bytes that it was read from (%v)", err)
	}
	if bytes.Equal(exported, id.Export()) {
		t.Error("the caller can alter the identity")
	}
}

// TestOneKeyForAll starts many goroutines in several processes on an empty
// directory.
func TestOneKeyForAll(t *testing.T) {
	if dir := os.Getenv("LANCHAT_TEST_KEY_DIR"); dir != "" {
		fmt.Println("key:" + oneKey(t, dir))
		return
	}
	for range 3 {
		dir := filepath.Join(t.TempDir(), "config")
		const processes = 3
		var wg sync.WaitGroup
		keys := make([]string, processes)
		for i := range processes - 1 {
			wg.Go(func() {
				c := exec.Command(os.Args[0], "-test.run=^TestOneKeyForAll$")
				c.Env = append(os.Environ(), "LANCHAT_TEST_KEY_DIR="+dir)
				out, err := c.CombinedOutput()
				if err != nil {
					t.Errorf("%v: %s", err, out)
					return
				}
				_, key, _ := strings.Cut(string(out), "key:")
				keys[i], _, _ = strings.Cut(key, "\n")
			})
		}
		keys[processes-1] = oneKey(t, dir)
		wg.Wait()
		for _, key := range keys {
			if key == "" || key != keys[0] {
				t.Errorf("several keys: %q", keys)
			}
		}
	}
}

func oneKey(t *testing.T, dir string) string {
	var wg sync.WaitGroup
	got := make([]Fingerprint, 32)
	for i := range got {
		wg.Go(func() {
			id, err := LoadOrCreate(dir, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = id.Fingerprint()
		})
	}
	wg.Wait()
	for _, f := range got {
		if f != got[0] {
			t.Error("several keys in one process")
		}
	}
	return got[0].String()
}

func TestQuote(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("quoting for a Unix shell")
	}
	for _, s := range []string{"lobby", "Hack Night", "it's", "$(false)", "`x`", `\`, `"`, "a;b", "*", "~", "#1", "-x", "'", "''", "ü"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q comes out of a shell as %q, %v", s, out, err)
		}
	}
}

// ecdsaCertificate is a self-signed certificate with a key that is not ours.
func ecdsaCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "ecdsa"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func ecdsaPEM(t *testing.T) []byte {
	t.Helper()
	c := ecdsaCertificate(t)
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: c.Certificate[0]})...)
}
