package main

import (
	"context"
	"fmt"

	"lanchat/cmd/internal/serve"
	"lanchat/internal/roomlog"

	"github.com/spf13/cobra"
)

// logFlags say which log a command is about, as they do for chatd itself.
type logFlags struct{ name, data string }

func (l *logFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.name, "name", serve.DefaultName(), "the `name` of the server whose log it is")
	cmd.Flags().StringVar(&l.data, "data", "", "`DIR`ectory of the log; without it the one that the server of that name uses")
}

// dir returns the log's directory.
func (l *logFlags) dir(cmd *cobra.Command) (string, error) {
	if err := fromEnvironment(cmd.Flags()); err != nil {
		return "", err
	}
	if err := serve.ValidName(l.name); err != nil {
		return "", fmt.Errorf("--name: %w", err)
	}
	return dataDir(l.data, l.name)
}

func exportCommand(started *bool) *cobra.Command {
	var log logFlags
	var what roomlog.Selection
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write a log's entries as JSON lines",
		Long: `export writes the entries of a log to standard output, each as a JSON object on a
line: room, seq, id, user, from, verified, bot, at, kind, text, target. It can run
beside the server of this log, and gives the log of one moment; as long as it
runs, the file log.db-wal of the server grows.

Direct talks are left out unless --direct is given: they are private.`,
		Example: `  chatd export --name "Hack Night" > hack-night.jsonl
  chatd export --data /srv/chat --room build | jq -r 'select(.text).text'
  chatd export --direct | gzip > all.jsonl.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := log.dir(cmd)
			if err != nil {
				return err
			}
			if err := what.Check(); err != nil {
				return fmt.Errorf("--room %s: %w", what.Room, err)
			}
			*started = true
			r, err := roomlog.OpenSQLiteReader(dir)
			if err != nil {
				return err
			}
			defer r.Close()
			return r.Export(context.Background(), cmd.OutOrStdout(), what)
		},
	}
	log.add(cmd)
	cmd.Flags().StringVar(&what.Room, "room", "", "the only `ROOM` to export; without it all of them")
	cmd.Flags().BoolVar(&what.Direct, "direct", false, "direct talks too")
	return cmd
}

func importCommand(started *bool) *cobra.Command {
	var log logFlags
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Add JSON lines, as export writes them, to a log",
		Long: `import reads entries from standard input, as export and chat tail --json write
them, and adds those that the log does not have: to import a file twice is to
import it once. The server of this log must not be running.

A room that was empty takes the entries' numbers; elsewhere they are numbered on.
An entry keeps its time unless the log has a later one already: then it comes
right behind that. So a file is restored without any change into an empty
directory; files of several rooms are put together first, in order of time.

A line that cannot be understood ends the import. What stands before it is kept,
and when the line is put right, the whole file can be imported again.`,
		Example: `  chatd import --name "Hack Night" < hack-night.jsonl
  ssh old chatd export --direct | chatd import --data /srv/chat
  jq -sc 'sort_by(.at)[]' a.jsonl b.jsonl | chatd import --data /srv/chat`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := log.dir(cmd)
			if err != nil {
				return err
			}
			*started = true
			store, err := roomlog.OpenSQLite(dir)
			if err != nil {
				return err
			}
			did, failed := store.Import(context.Background(), cmd.InOrStdin())
			closed := store.Close()
			say := cmd.ErrOrStderr()
			fmt.Fprintf(say, "%s: entries imported: %d; there already: %d\n", dir, did.Added, did.Known)
			if did.Later > 0 {
				fmt.Fprintf(say, "with a later time than their lines say, as the log has later entries: %d\n", did.Later)
			}
			if failed != nil {
				return failed
			}
			return closed
		},
	}
	log.add(cmd)
	return cmd
}
