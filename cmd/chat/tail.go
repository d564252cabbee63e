package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"lanchat/internal/client"
	"lanchat/internal/lines"

	"github.com/spf13/cobra"
)

func (a *app) tailCommand() *cobra.Command {
	var t tailing
	cmd := &cobra.Command{
		Use:   "tail [--exec CMD [-- ARG…]]",
		Short: "Print what is said in a room, or run a program for each entry",
		Long: `tail prints the last entries of a room, and then what is said, until it is
interrupted. With --json each entry is an object on a line: room, seq, id,
from, user, verified, bot, at, kind, text.

--exec runs a program for each entry instead, from now on unless -n or --after
says otherwise: one at a time and in order, with the text on its standard input
(with --json the object) and in its environment CHAT_ROOM, CHAT_SEQ, CHAT_ID,
CHAT_FROM, CHAT_USER, CHAT_VERIFIED, CHAT_BOT, CHAT_AT, CHAT_KIND, CHAT_TARGET.
It is started as it is, with the ARGs behind --: no shell sees what people
write. What it prints is printed. When it fails that is told, and tail goes on.

With --reply what it prints is posted, as an answer to the entry: that is a
bot. It is marked as one, and hears only what people say, no bots, so not
itself. CHAT_VERIFIED is false where no key stands behind the name.`,
		Example: `  chat tail -n 100 --follow=false
  chat tail -r build --json --after 4711
  chat tail --exec ./log.sh
  chat tail --exec grep -- -i error
  chat tail --exec ./answer --reply --nick oracle`,
		RunE: func(cmd *cobra.Command, args []string) error {
			flags := cmd.Flags()
			t.placed = flags.Changed("after") || flags.Changed("lines")
			t.fromSeq = flags.Changed("after")
			program, err := t.check(args)
			if err != nil {
				return err
			}
			return a.tail(cmd.Context(), t, program)
		},
	}
	f := cmd.Flags()
	f.IntVarP(&t.last, "lines", "n", 10, "begin with so many of the last entries")
	f.Uint64Var(&t.after, "after", 0, "begin behind the entry with this number (`SEQ`) instead")
	f.BoolVar(&t.json, "json", false, "one JSON object for each entry")
	f.BoolVarP(&t.follow, "follow", "f", true, "go on with what is said from now on")
	f.StringVar(&t.exec, "exec", "", "run `CMD` for each entry, with the ARGs behind --")
	f.BoolVar(&t.reply, "reply", false, "post what CMD prints, as a bot")
	f.BoolVar(&t.bot, "bot", false, "be known as a bot in the room; --reply does that by itself")
	return cmd
}

// tailing is how to follow a room.
type tailing struct {
	last                     int
	after                    uint64
	json, follow, reply, bot bool
	exec                     string
	placed, fromSeq          bool // the user has said where to begin, and by a number
}

// check returns the program to run, if there is to be one.
func (t *tailing) check(args []string) (*lines.Exec, error) {
	switch {
	case t.last < 0:
		return nil, usagef("-n %d: a number of entries is not negative", t.last)
	case t.exec == "" && len(args) > 0:
		return nil, usagef("%q: tail takes arguments only for the program of --exec", args[0])
	case t.reply && t.exec == "":
		return nil, usagef("--reply: it posts what the program of --exec prints, and there is none")
	case t.reply && !t.follow:
		return nil, usagef("--reply: who answers is in the room; leave out --follow=false")
	case t.exec == "":
		return nil, nil
	}
	path, err := exec.LookPath(t.exec)
	if err != nil {
		why := err
		if e, ok := errors.AsType[*exec.Error](err); ok {
			why = e.Err
		}
		return nil, usagef("--exec %q: %w; it names one program, and its arguments stand behind --", t.exec, why)
	}
	if !t.placed {
		t.last = 0
	}
	return &lines.Exec{Path: path, Args: args, Env: os.Environ(), Reply: t.reply}, nil
}

func (a *app) tail(ctx context.Context, t tailing, program *lines.Exec) error {
	cfg := client.Config{Live: true, Bot: t.bot || t.reply}
	if t.follow {
		cfg.Rooms = []string{a.o.room}
	}
	if program != nil && a.o.server != "" { // so that it can use chat by itself
		program.Env = append(program.Env, fmt.Sprintf("CHAT_SERVER=%s", a.o.server))
	}
	tail := lines.TailConfig{Out: a.out, Errors: a.err, Room: a.o.room, JSON: t.json, Last: t.last, Follow: t.follow, Exec: program}
	if t.fromSeq {
		tail.After = &t.after
	}
	return a.withServer(ctx, cfg, func(ctx context.Context, c *client.Client) error {
		tail.Engine = c
		return lines.Tail(ctx, tail)
	})
}
