package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"lanchat/cmd/internal/serve"
	"lanchat/internal/client"
	"lanchat/internal/config"
	"lanchat/internal/files"
	"lanchat/internal/identity"
	"lanchat/internal/tui"
	"lanchat/protocol"
)

// configure reads the user's config file. A mistake in it is told in one line, and
// stops nothing.
func (a *app) configure() error {
	dir, err := serve.ConfigHome()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, config.FileName)
	f, mistakes := config.Read(path)
	settings, more := tui.NewSettings(f, os.Getenv("NO_COLOR") != "")
	mistakes = append(mistakes, more...)
	if f.Nick != "" {
		if err := protocol.ValidNick(f.Nick); err != nil {
			mistakes = append(mistakes, f.Mistake(err.Error(), "nick"))
			f.Nick = ""
		}
	}
	mistakes.Sort()
	a.file, a.settings = f, settings
	if len(mistakes) > 0 {
		fmt.Fprintf(a.err, "chat: %v\n", mistakes)
		a.remarks = append(a.remarks, fmt.Sprintf("%v\nThe default stands instead. The file: %s", mistakes, path))
	}
	return nil
}

// tell is how the user wants to be told of what is new.
func (a *app) tell() tui.Tell {
	n := a.file.Notify
	t := tui.Tell{Bell: n.Bell, Terminal: n.Terminal, HideText: n.HideText, Title: n.Title}
	if n.Desktop {
		t.Desktop = desktop()
	}
	return t
}

// screen is what the user's file says about the chat on a screen.
func (a *app) screen(c *client.Client) tui.Config {
	return tui.Config{Engine: c, Room: a.o.room, Version: serve.Version(), Settings: a.settings, Tell: a.tell(),
		Default: client.Policy(a.file.Notify.Default), Remarks: a.remarks, Wire: a.recorder.source()}
}

// introduce asks for the user's nick at the very first start: where there is
// neither a key nor a name for it, and somebody to ask. The answer is kept in the
// config file.
func (a *app) introduce(ctx context.Context) error {
	if a.nickGiven || a.plain() {
		return nil
	}
	dir, err := serve.ConfigHome()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, identity.FileName)); !errors.Is(err, fs.ErrNotExist) {
		return nil // a later start, or something that is told later
	}
	nick, err := tui.AskNick(ctx, tui.AskConfig{Suggestion: a.o.nick, Check: protocol.ValidNick, Settings: a.settings})
	if err != nil {
		return err
	}
	a.o.nick, a.nickGiven = nick, true
	if err := keepNick(dir, nick); err != nil {
		a.remarks = append(a.remarks, fmt.Sprintf("Your name could not be kept for the next start: %v. The line nick = %q at the top of %s does that.",
			err, nick, filepath.Join(dir, config.FileName)))
	}
	return nil
}

// keepNick writes the nick into the config file, which may have other things in it:
// they stay as they are, byte for byte.
func keepNick(dir, nick string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, config.FileName)
	unlock, err := files.Lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // the link stays one
	}
	before, err := files.Read(path, config.MaxSize)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	after, err := config.WithNick(before, nick)
	if err != nil {
		return err
	}
	return files.Replace(path, after)
}
