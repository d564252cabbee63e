package main

import (
	"context"
	"strings"

	"lanchat/internal/client"
	"lanchat/internal/lines"

	"github.com/spf13/cobra"
)

func (a *app) sendCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "send [TEXT…]",
		Short: "Post a text, or each line of standard input",
		Long: `send posts a text, or each line of standard input that is not blank, and exits
once everything is acknowledged: exit code 0 says that it is in the log. When
the server goes away it waits for it to come back, --timeout at most.`,
		Example: `  chat send "the build is green"
  make 2>&1 | chat send -r build -s "Hack Night"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			if len(args) > 0 && strings.TrimSpace(text) == "" {
				return usagef("there is nothing to send: TEXT is empty")
			}
			cfg := client.Config{Rooms: []string{a.o.room}, Live: true}
			return a.withServer(cmd.Context(), cfg, func(ctx context.Context, c *client.Client) error {
				return lines.Send(ctx, lines.SendConfig{Engine: c, Room: a.o.room, Text: text, Lines: a.in})
			})
		},
	}
}

func (a *app) tailCommand() *cobra.Command {
	var last int
	var after uint64
	var asJSON, follow bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print what is said in a room",
		Long: `tail prints the last entries of a room, and then what is said, until it is
interrupted. With --json each entry is an object on a line: room, seq, id,
from, user, verified, at, kind, text.`,
		Example: `  chat tail -n 100 --follow=false
  chat tail -r build --json --after 4711`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 {
				return usagef("-n %d: a number of entries is not negative", last)
			}
			cfg := client.Config{Live: true}
			if follow {
				cfg.Rooms = []string{a.o.room}
			}
			tail := lines.TailConfig{Out: a.out, Errors: a.err, Room: a.o.room, JSON: asJSON, Last: last, Follow: follow}
			if cmd.Flags().Changed("after") {
				tail.After = &after
			}
			return a.withServer(cmd.Context(), cfg, func(ctx context.Context, c *client.Client) error {
				tail.Engine = c
				return lines.Tail(ctx, tail)
			})
		},
	}
	f := cmd.Flags()
	f.IntVarP(&last, "lines", "n", 10, "begin with so many of the last entries")
	f.Uint64Var(&after, "after", 0, "begin behind the entry with this number (`SEQ`) instead")
	f.BoolVar(&asJSON, "json", false, "one JSON object for each entry")
	f.BoolVarP(&follow, "follow", "f", true, "go on with what is said from now on")
	return cmd
}

func (a *app) whoCommand() *cobra.Command {
	return a.listCommand("who", "List the people in a room", func(ctx context.Context, c *client.Client, asJSON bool) error {
		return lines.Who(ctx, c, a.out, a.o.room, asJSON)
	})
}

func (a *app) roomsCommand() *cobra.Command {
	return a.listCommand("rooms", "List the rooms of a server", func(ctx context.Context, c *client.Client, asJSON bool) error {
		return lines.Rooms(ctx, c, a.out, asJSON)
	})
}

func (a *app) searchCommand() *cobra.Command {
	var asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "search QUERY",
		Short: "Search what was said, the newest first",
		Long: `search prints the entries that have all words of the QUERY, in whatever case.
"Words in quotation marks" stand in that order, word* is a beginning, and
from:NICK, in:ROOM, after:DATE and before:DATE narrow it. --room does as in:
does.`,
		Example: `  chat search pizza tonight
  chat search '"crash on start" from:ann after:2026-11-01'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 {
				return usagef("-n %d: a number of entries is at least 1", limit)
			}
			room := ""
			if cmd.Flags().Changed("room") {
				room = a.o.room
			}
			return a.withServer(cmd.Context(), client.Config{}, func(ctx context.Context, c *client.Client) error {
				return lines.Search(ctx, c, a.out, strings.Join(args, " "), room, limit, asJSON)
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "lines", "n", 50, "at most so many entries")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each entry")
	return cmd
}

func (a *app) listCommand(use, short string, list func(context.Context, *client.Client, bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), client.Config{}, func(ctx context.Context, c *client.Client) error {
				return list(ctx, c, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on each line")
	return cmd
}
