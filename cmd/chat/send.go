package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lanchat/internal/client"
	"lanchat/internal/lines"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) sendCommand() *cobra.Command {
	var s sending
	cmd := &cobra.Command{
		Use:   "send [TEXT…]",
		Short: "Post a text, each line of standard input, or a file",
		Long: `send posts a text, or each line of standard input that is not blank, and exits
once everything is acknowledged: exit code 0 says that it is in the log, in
order and each line once. When the server goes away it waits for it to come
back, --timeout at most, and goes on where it was. A line that is longer than
a message may be (16 KiB) is not sent, and named in the end.

With --code it is one code block: the TEXT, or all of standard input, up to
1 MiB. --file sends a text file so, with its name. What does not fit one
message becomes several, cut at ends of lines, and send says so.

A server takes 5 lines a second in the long run, after the first 50; for
more it is started with --post-rate, such as chatd --post-rate 1000000. All
bots of a room (--bot) together have 500 messages, then one a second, until a
person says something there.`,
		Example: `  chat send "the build is green"
  make 2>&1 | chat send -r build -s "Hack Night"
  git diff | chat send --code
  chat send --file main.go`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(cmd, args); err != nil {
				return err
			}
			return a.send(cmd.Context(), s, args)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&s.code, "code", false, "send TEXT, or standard input, as one code block")
	f.StringVar(&s.file, "file", "", "send a text `FILE` as a code block with its name; - is standard input")
	f.BoolVar(&s.bot, "bot", false, "mark what is sent as a bot's")
	return cmd
}

// sending is how to send.
type sending struct {
	code, bot bool
	file      string
}

func (s sending) check(cmd *cobra.Command, args []string) error {
	switch given := cmd.Flags().Changed("file"); {
	case len(args) > 0 && strings.TrimSpace(strings.Join(args, " ")) == "":
		return usagef("there is nothing to send: TEXT is empty")
	case given && s.file == "":
		return usagef("--file: there is no file without a name; - is standard input")
	case given && len(args) > 0:
		return usagef("--file and a TEXT: send one after the other")
	}
	return nil
}

func (a *app) send(ctx context.Context, s sending, args []string) error {
	cfg := lines.SendConfig{Room: a.o.room}
	text, title := strings.Join(args, " "), ""
	var err error
	switch {
	case s.file != "":
		if text, title, err = a.readFile(s.file); err != nil {
			return err
		}
	case s.code && len(args) == 0:
		if text, err = readText(a.in); err != nil {
			return fmt.Errorf("standard input: %w; nothing was sent", err)
		}
	}
	switch {
	case s.file != "" || s.code:
		cfg.Texts = func(limit int) ([]string, error) {
			blocks, err := lines.CodeBlocks(text, title, limit)
			if len(blocks) > 1 {
				fmt.Fprintf(a.err, "chat: it does not fit one message of %d bytes: it is sent as %d\n", limit, len(blocks))
			}
			return blocks, err
		}
	case len(args) > 0:
		cfg.Texts = func(int) ([]string, error) { return []string{text}, nil }
	default:
		cfg.Lines = a.in
		if isTerminal(a.err) && !isTerminal(a.in) {
			cfg.Progress = a.err
		}
	}
	return a.withServer(ctx, client.Config{Rooms: []string{a.o.room}, Live: true, Quiet: true, Bot: s.bot}, func(ctx context.Context, c *client.Client) error {
		cfg.Engine = c
		return lines.Send(ctx, cfg)
	})
}

// isTerminal tells whether what is read or written here is before somebody's eyes.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// readFile reads a text file to be sent.
func (a *app) readFile(name string) (text, title string, err error) {
	in, title := a.in, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", "", fmt.Errorf("%w; nothing was sent", err)
		}
		defer f.Close()
		in, title = f, filepath.Base(name)
	}
	if text, err = readText(in); err != nil {
		return "", "", fmt.Errorf("%s: %w; nothing was sent", name, err)
	}
	return text, title, nil
}

// readText reads what is to become code blocks.
func readText(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, lines.TextMost+1))
	bad := lines.NotText(data)
	switch {
	case err != nil:
		return "", err
	case bad != nil:
		return "", bad
	case len(data) > lines.TextMost:
		return "", fmt.Errorf("it is longer than %d KiB; chat send without --code or --file sends each line of standard input", lines.TextMost>>10)
	case strings.TrimSpace(string(data)) == "":
		return "", fmt.Errorf("it is empty")
	}
	return string(data), nil
}
