package serve

import (
	"fmt"
	"io"
	"os"
	"strings"

	"lanchat/internal/passphrase"
)

// ReadPassphrase reads a file that has a passphrase in its only line.
func ReadPassphrase(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the passphrase: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, passphrase.MaxLen+3))
	if err != nil {
		return "", fmt.Errorf("the passphrase: %w", err)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case line == "":
		return "", fmt.Errorf("the passphrase: %s is empty; it is to have one line", path)
	case strings.ContainsAny(line, "\r\n"):
		return "", fmt.Errorf("the passphrase: %s has several lines; it is to have one", path)
	}
	return line, nil
}

// ReloadPassphrase reads Config.PassphraseFile again, for those who come from here on.
// Where that fails the old one stays. It may be called at any time, by any goroutine.
func (s *Server) ReloadPassphrase() error {
	if s.cfg.PassphraseFile == "" {
		return nil
	}
	line, err := ReadPassphrase(s.cfg.PassphraseFile)
	if err != nil {
		return err
	}
	secret, err := passphrase.NewSecret(line)
	if err != nil {
		return fmt.Errorf("%s: %w", s.cfg.PassphraseFile, err)
	}
	s.secret.Store(secret)
	return nil
}
