package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"lanchat/cmd/internal/serve"
	"lanchat/internal/ops"
	"lanchat/internal/server"

	"github.com/spf13/cobra"
)

// defaultAs is the nick of what comes with a token that has no other.
const defaultAs = "webhook"

func webhookCommand(started *bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Make and remove the tokens of the webhook",
		Long: `A server that runs with --webhook takes posts by HTTP, as build systems,
monitors and curl send them: POST /hook/TOKEN, or POST / with the header
Authorization: Bearer TOKEN. Each token stands for one room and one nick. What
comes with it is shown as a bot's, and as unverified.

The body is the text (text/plain, or what curl --data-binary sends), or JSON:
{"text": "…"}, where wanted with "as" (a nick), "kind" ("text" or "action") and
"id" (a UUIDv7: the same one again is not posted twice). What is made for Slack
is understood, with payload= too. The answer is {"room":…,"seq":…,"id":…} once
the entry is in the log; anything but 200 says in "text" what is wrong.

A text has at most 16 KiB, a request 128 KiB. With one token 100 posts can come
at once and 5 a second in the long run; 429 and 503 say in Retry-After when to
come again.`,
		Example: `  chatd --name ci --webhook 8080
  chatd webhook add build --name ci --as jenkins
  curl --data-binary @result.txt localhost:8080/hook/TOKEN
  curl --json '{"text":"tests are green"}' localhost:8080/hook/TOKEN
  curl -H 'Authorization: Bearer TOKEN' -d 'deployed' localhost:8080`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.New("webhook needs one of add, list and remove")
		},
	}
	cmd.AddCommand(webhookAdd(started), webhookList(started), webhookRemove(started))
	return cmd
}

func webhookAdd(started *bool) *cobra.Command {
	var log logFlags
	var as, addr string
	cmd := &cobra.Command{
		Use:   "add ROOM",
		Short: "Make a token for a room, and show it once",
		Long: `add makes a token for a room and prints it on standard output, and a line for
curl on standard error. It cannot be shown again: the file webhooks.json in the
server's data directory keeps only its SHA-256. A running server takes the token
at once.`,
		Example: `  chatd webhook add build
  chatd webhook add build --as jenkins --name "Hack Night"
  chatd webhook add alerts --data /srv/chat > token`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := log.dir(cmd)
			if err != nil {
				return err
			}
			at := "ADDRESS:PORT"
			known, running := serve.LastWebhook(dir)
			if running {
				at = known.String()
			}
			if addr != "" {
				if at, err = serve.WebhookAddr(addr); err != nil {
					return fmt.Errorf("--webhook: %w", err)
				}
			}
			token, made, err := ops.OpenTokens(dir).Add(strings.TrimPrefix(args[0], "#"), as, time.Now())
			if err != nil {
				_, wrong := errors.AsType[*server.Refusal](err) // a room or a nick that cannot be
				*started = !wrong
				return err
			}
			*started = true
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%s\n", token)
			say := cmd.ErrOrStderr()
			fmt.Fprintf(say, "This is token %d, for #%s as %s. It is not shown again.\nTry it:\n", made.Number, made.Room, made.As)
			fmt.Fprintf(say, "  curl -d 'hello from curl' http://%s/hook/%s\n", at, token)
			if !running && addr == "" {
				fmt.Fprintln(say, "No server has run with --webhook here yet: chatd --webhook 8080 does.")
			}
			return nil
		},
	}
	log.add(cmd)
	cmd.Flags().StringVar(&as, "as", defaultAs, "the `NICK` of what is posted with it")
	cmd.Flags().StringVar(&addr, "webhook", "", "the webhook's `ADDR`ess in the line for curl; without it where the server last had it")
	return cmd
}

func webhookList(started *bool) *cobra.Command {
	var log logFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without what is secret",
		Long: `list prints a line for each token: its number, its room, its nick and when it was
made.`,
		Example: `  chatd webhook list --name "Hack Night"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := log.dir(cmd)
			if err != nil {
				return err
			}
			*started = true
			list, err := ops.OpenTokens(dir).List()
			if err != nil {
				return err
			}
			if len(list) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "There are no tokens; chatd webhook add ROOM makes one.")
				return nil
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, t := range list {
				fmt.Fprintf(table, "%d\t#%s\t%s\t%s\n", t.Number, t.Room, t.As, t.Made.Local().Format("2006-01-02 15:04"))
			}
			return table.Flush()
		},
	}
	log.add(cmd)
	return cmd
}

func webhookRemove(started *bool) *cobra.Command {
	var log logFlags
	cmd := &cobra.Command{
		Use:   "remove NUMBER|TOKEN…",
		Short: "Remove tokens: nothing can be posted with them any more",
		Long: `remove takes tokens away, by the numbers that list shows or by the tokens
themselves. A running server refuses them at once.`,
		Example: `  chatd webhook remove 3
  chatd webhook remove 1 2 --name "Hack Night"`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := log.dir(cmd)
			if err != nil {
				return err
			}
			*started = true
			var failed []error
			for _, arg := range args {
				number, err := strconv.Atoi(arg)
				byNumber := err == nil
				removed, err := ops.OpenTokens(dir).Remove(func(t ops.Token) bool {
					return byNumber && t.Number == number || !byNumber && t.Is(arg)
				})
				if errors.Is(err, ops.ErrNoToken) {
					if !byNumber {
						arg = "this" // it may be a secret of something else
					}
					err = fmt.Errorf("%s: %w; chatd webhook list shows which there are", arg, err)
				}
				if err != nil {
					failed = append(failed, err)
				}
				for _, t := range removed {
					fmt.Fprintf(cmd.ErrOrStderr(), "removed: token %d, for #%s as %s\n", t.Number, t.Room, t.As)
				}
			}
			return errors.Join(failed...)
		},
	}
	log.add(cmd)
	return cmd
}
