package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"lanchat/cmd/internal/serve"
	"lanchat/internal/identity"
	"lanchat/internal/safetext"
	"lanchat/protocol"

	"github.com/spf13/cobra"
)

func (a *app) idCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "id",
		Short: "Show who you are; take your key to another device",
		Long: `Your name belongs to a key, made when chat was first used. id shows it. A
second device shares it when export's output is given to import there: keep it
secret. forget drops what is known of a server, when its key has changed for a
good reason. The user, or the key's long form, is what stands on a line of the
file for chatd --admins-file.`,
		Example: `  chat id export | ssh laptop chat id import
  chat id forget "Hack Night"`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			id, _, err := openFiles()
			if err != nil {
				return err
			}
			dir, err := serve.ConfigHome()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "user  %s\nkey   %s\n      %s\nfile  %s\n", protocol.UserID(id.Fingerprint().UserID()), id.Fingerprint().Words(), id.Fingerprint(), dir)
			return err
		},
	}
	cmd.AddCommand(
		&cobra.Command{Use: "export", Short: "Print your key, for import on another device", Args: cobra.NoArgs,
			Example: `  chat id export | ssh laptop chat id import`,
			RunE: func(*cobra.Command, []string) error {
				id, _, err := openFiles()
				if err != nil {
					return err
				}
				_, err = a.out.Write(id.Export())
				return err
			}},
		&cobra.Command{Use: "import [FILE]", Short: "Take over a key that export has printed", Args: cobra.MaximumNArgs(1),
			Example: `  chat id import key.pem
  ssh desk chat id export | chat id import`,
			RunE: func(_ *cobra.Command, args []string) error { return a.importKey(args) }},
		&cobra.Command{Use: "forget NAME", Short: "Forget a server's key, so that the next one met is taken", Args: cobra.ExactArgs(1),
			Example: `  chat id forget "Hack Night"`,
			RunE: func(_ *cobra.Command, args []string) error {
				pins, err := openPins()
				if err != nil {
					return err
				}
				if err := pins.Forget(args[0]); err != nil {
					if errors.Is(err, identity.ErrNotPinned) {
						return fmt.Errorf("no key is known for a server called %q", args[0])
					}
					return err
				}
				_, err = fmt.Fprintf(a.out, "forgotten: the key of %s\n", safetext.Line(args[0]))
				return err
			}},
	)
	return cmd
}

// maxKeyFile is more than an exported key ever has.
const maxKeyFile = 64 << 10

func (a *app) importKey(args []string) error {
	from := a.in
	if len(args) == 1 {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		from = f
	}
	pem, err := io.ReadAll(io.LimitReader(from, maxKeyFile))
	if err != nil {
		return err
	}
	dir, err := serve.ConfigHome()
	if err != nil {
		return err
	}
	if err := identity.Import(dir, pem); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, "imported: you are the same person here now")
	return err
}
