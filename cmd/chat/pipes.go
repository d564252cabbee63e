package main

import (
	"context"
	"strings"

	"lanchat/internal/client"
	"lanchat/internal/lines"

	"github.com/spf13/cobra"
)

func (a *app) whoCommand() *cobra.Command {
	const example = "  chat who -r build\n  chat who --json | jq -r .nick"
	return a.listCommand("who", "List the people in a room", example, func(ctx context.Context, c *client.Client, asJSON bool) error {
		return lines.Who(ctx, c, a.out, a.o.room, asJSON)
	})
}

func (a *app) roomsCommand() *cobra.Command {
	const example = "  chat rooms\n  chat rooms -s \"Hack Night\" --json | jq -r .room"
	return a.listCommand("rooms", "List the rooms of a server", example, func(ctx context.Context, c *client.Client, asJSON bool) error {
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

func (a *app) listCommand(use, short, example string, list func(context.Context, *client.Client, bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withServer(cmd.Context(), client.Config{}, func(ctx context.Context, c *client.Client) error {
				return list(ctx, c, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object on each line")
	return cmd
}
