package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"lanchat/cmd/internal/serve"
	"lanchat/internal/client"
	"lanchat/internal/passphrase"
	"lanchat/internal/safetext"

	"golang.org/x/term"
)

// askTimes is how often a person is asked for a passphrase.
const askTimes = 3

// givenPassphrase takes the passphrase from the file that the user names.
func (a *app) givenPassphrase(cfg *client.Config) error {
	if a.o.passphraseFile == "" {
		return nil
	}
	line, err := serve.ReadPassphrase(a.o.passphraseFile)
	if err != nil {
		return err
	}
	cfg.Passphrase, err = passphrase.NewKey(line)
	if err != nil {
		return fmt.Errorf("%s: %w", a.o.passphraseFile, err)
	}
	cfg.Insist = true
	return nil
}

// askPassphrase asks the user for a passphrase, because of why. Without a terminal, and
// where a file was to say it, the error is why; so it is when there were tries enough.
func (a *app) askPassphrase(ctx context.Context, cfg client.Config, why error, tries int) (*passphrase.Key, error) {
	switch {
	case a.o.passphraseFile != "":
		return nil, fmt.Errorf("%w; it is the one in %s", why, a.o.passphraseFile)
	case !a.canAsk():
		return nil, fmt.Errorf("%w, and there is no terminal to ask for it: --passphrase-file FILE gives it", why)
	case tries >= askTimes:
		return nil, why
	}
	if cfg.Passphrase != nil {
		fmt.Fprintf(a.err, "chat: %s\n", safetext.Line(why.Error()))
	}
	prompt := "The server asks for a passphrase: "
	if e, ok := errors.AsType[*client.PassphraseError](why); ok {
		if e.NewKey && cfg.Passphrase == nil {
			fmt.Fprintf(a.err, "You meet the server at %s for the first time. Its key: %s\n", safetext.Line(e.Addr), e.KeyWords)
		}
		prompt = fmt.Sprintf("Passphrase for %s: ", safetext.Line(e.Addr))
	}
	line, err := readSecret(ctx, a.err, prompt)
	if errors.Is(err, io.EOF) || err == nil && line == "" {
		return nil, why
	}
	if err != nil {
		return nil, err
	}
	return passphrase.NewKey(line)
}

// canAsk reports whether there is somebody who can type in what nobody else sees.
func (a *app) canAsk() bool {
	return a.in == os.Stdin && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
}

// readSecret reads a line of the terminal without showing it. A read of a terminal
// cannot be interrupted: when ctx ends first it goes on, and the terminal shows again
// what is typed.
func readSecret(ctx context.Context, out io.Writer, prompt string) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	fmt.Fprint(out, prompt)
	defer fmt.Fprintln(out)
	type read struct {
		line []byte
		err  error
	}
	got := make(chan read, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		got <- read{line, err}
	}()
	select {
	case r := <-got:
		return string(r.line), r.err
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
}
