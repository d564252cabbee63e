package main

import (
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"lanchat/cmd/internal/man"
	"lanchat/cmd/internal/serve"
	"lanchat/discovery"
	"lanchat/internal/wiretap"
	"lanchat/protocol"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// options are the flags that all commands share.
type options struct {
	server     string
	room       string
	nick       string
	plain      bool
	timeout    time.Duration
	port       uint16
	interfaces []string
	// noDiscovery: not one datagram is sent or listened for.
	noDiscovery bool
	// passphraseFile has what the server asks for, or what one's own is to ask for.
	passphraseFile string
	guest          bool // come without a key
	// tap sees every datagram; nil: nobody does.
	tap *wiretap.Tap
}

func (o *options) discovery() discovery.Config {
	cfg := discovery.Config{Port: int(o.port), Interfaces: o.interfaces, Confirm: serve.Confirm}
	if o.tap != nil {
		cfg.Watch = o.tap.Ear()
	}
	return cfg
}

// environment says which flag each variable stands in for.
var environment = map[string]string{
	"CHAT_SERVER":              "server",
	"CHAT_ROOM":                "room",
	"CHAT_NICK":                "nick",
	"CHAT_DISCOVERY_INTERFACE": "discovery-interface",
	"CHAT_PASSPHRASE_FILE":     "passphrase-file",
}

// command makes the command tree.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "chat",
		Short: "Talk with the people on this network",
		Long: `chat finds the rooms on this network. One: it joins it. Several: it lets you
choose. None: it offers to host one.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such server found,
4 refused by the server or by a changed key.
Environment: CHAT_SERVER, CHAT_ROOM, CHAT_NICK, CHAT_PASSPHRASE_FILE and
CHAT_DISCOVERY_INTERFACE stand in for the flags; NO_COLOR switches colours off.`,
		Example: `  chat                          find a room and join it
  chat host "Hack Night"        open one
  chat join "Hack Night"        join it by name
  make 2>&1 | chat send -r build
  chat tail --json | jq -r .text`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			return a.checkOptions()
		},
		RunE: a.start,
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.o.server, "server", "s", "", "`NAME` or HOST[:PORT] of the server; without it the one that is found")
	f.StringVarP(&a.o.room, "room", "r", protocol.DefaultRoom, "`ROOM` to be in")
	f.StringVar(&a.o.nick, "nick", "", "`NAME` to be known by; without it that of the config file, or your login")
	f.BoolVar(&a.o.plain, "plain", false, "plain lines instead of a screen; chosen by itself for a pipe or TERM=dumb")
	f.DurationVar(&a.o.timeout, "timeout", 0, "give up after this long, such as 5s; 0: never")
	f.Uint16Var(&a.o.port, "discovery-port", discovery.DefaultPort, "UDP port of discovery")
	f.StringSliceVar(&a.o.interfaces, "discovery-interface", nil, "`NAME`,… of the only network interfaces to look on")
	f.StringVar(&a.o.passphraseFile, "passphrase-file", "", "`FILE` with the server's passphrase in its only line; without it you are asked, where there is a terminal")
	f.BoolVar(&a.o.guest, "guest", false, "come without your key: nobody can tell that it was you, nor can you come back to your name")
	f.BoolVar(&a.o.noDiscovery, "no-discovery", false, "send no datagram and listen for none, where that is unwelcome: servers are found by their address, or where they were before")
	root.AddCommand(a.hostCommand(), a.joinCommand(), a.lsCommand(), a.sendCommand(), a.tailCommand(),
		a.searchCommand(), a.whoCommand(), a.roomsCommand(), a.doctorCommand(), a.wireCommand(), a.benchCommand(), a.benchRelayCommand(), a.inviteCommand(), a.idCommand(), a.versionCommand())
	// Flags are explained within the columns of a small terminal.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 79"))
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.AddCommand(man.Command(aboutManual()))
	a.completions(root) // of all commands that there are by now
	return root
}

// fromEnvironment sets the flags that were not given.
func fromEnvironment(flags *pflag.FlagSet) error {
	for name, flag := range environment {
		value, ok := os.LookupEnv(name)
		if f := flags.Lookup(flag); ok && value != "" && f != nil && !f.Changed {
			if err := flags.Set(flag, value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

func (a *app) checkOptions() error {
	a.o.room = strings.TrimPrefix(a.o.room, "#")
	if err := protocol.ValidRoom(a.o.room); err != nil {
		return usagef("--room %q: %w", a.o.room, err)
	}
	if err := a.configure(); err != nil {
		return err
	}
	if a.o.nick == "" {
		a.o.nick = a.file.Nick
	}
	if a.nickGiven = a.o.nick != ""; !a.nickGiven {
		a.o.nick = loginName()
	}
	if err := protocol.ValidNick(a.o.nick); err != nil {
		return usagef("--nick %q: %w", a.o.nick, err)
	}
	if a.o.timeout < 0 {
		return usagef("--timeout %v: a time is not negative", a.o.timeout)
	}
	a.running = true
	return nil
}

// loginName is the user's login, as far as it can be a nick.
func loginName() string {
	if u, err := user.Current(); err == nil {
		_, name, found := strings.Cut(u.Username, `\`) // DOMAIN\user on Windows
		if !found {
			name = u.Username
		}
		if protocol.ValidNick(name) == nil {
			return name
		}
	}
	return "somebody"
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version of this program", Example: "  chat version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(a.out, "chat %s, protocol %d, discovery %d\n", serve.Version(), protocol.Version, discovery.Version)
			return err
		},
	}
}
