// Command chatd runs a lanchat server until it is told to stop.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"lanchat/cmd/internal/man"
	"lanchat/cmd/internal/serve"
	"lanchat/cmd/internal/shell"
	"lanchat/discovery"
	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/internal/server"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

type options struct {
	name, listen, data  string
	memory              bool
	keep                serve.KeepFlag
	diskFloor           floorFlag
	noDiscovery         bool
	discoveryPort       uint16
	discoveryInterfaces []string
	postRate            int
	webhook             string
	metrics             string
	perAddress          int
	adminsFile          string
	passphraseFile      string
	noGuests            bool
	logLevel, logFormat string
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	started := false // from here on, what fails is no wrong usage
	cmd := commands(&started, stderr)
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if err := cmd.Execute(); err != nil {
		fmt.Fprintf(stderr, "chatd: %s\n", strings.ReplaceAll(safetext.Text(err.Error()), "\n", "\n    "))
		if started {
			return exitFailed
		}
		fmt.Fprintln(stderr, "chatd --help shows what there is.")
		return exitUsage
	}
	return exitDone
}

// commands makes the command tree. started is set once flags and arguments are
// checked.
func commands(started *bool, stderr io.Writer) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "chatd",
		Short: "Run a lanchat server",
		Long: `chatd runs a chat room that people on this network find by name: with chat, or
with nc and telnet at its port. It runs until it gets SIGINT or SIGTERM, and
then says goodbye to everybody.

Once it is ready it prints one line on standard output:
  ready name="Hack Night" addr=192.168.1.5:25252 key="words of the key"
With --webhook and --metrics its end is webhook=http://127.0.0.1:8080 and
metrics=http://127.0.0.1:9100.

SIGHUP has it read --admins-file and --passphrase-file again; where one is
broken, what was read before stays, and the log says why. (Not on Windows.)

Every flag can be given in the environment too: --post-rate as
CHATD_POST_RATE.`,
		Example: `  chatd --name "Hack Night"
  chatd --name ci --listen 127.0.0.1:4000 --discovery-interface lo
  chatd --no-discovery          for those who are told the address
  chatd --passphrase-file ~/hack-night.txt --no-guests
  chatd --keep 30d              forget what is older than 30 days
  chatd --keep 10GB             keep as much as fits 10 GB
  chatd --webhook 8080          take posts by HTTP from this host
  chatd --metrics 9100          metrics, health and profiles, for this host
  chatd --admins-file admins    who may kick, ban and announce`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd.Flags()); err != nil {
				return err
			}
			logger, err := newLogger(stderr, o.logLevel, o.logFormat)
			if err != nil {
				return err
			}
			if err := serve.ValidName(o.name); err != nil {
				return fmt.Errorf("--name: %w", err)
			}
			if o.postRate < 1 {
				return fmt.Errorf("--post-rate: %d is no rate; it is a number of posts a second, at least 1", o.postRate)
			}
			if o.perAddress < 1 {
				return fmt.Errorf("--per-address: %d connections are none; it is at least 1", o.perAddress)
			}
			for flag, addr := range map[string]*string{"--webhook": &o.webhook, "--metrics": &o.metrics} {
				if *addr == "" {
					continue
				}
				if *addr, err = serve.WebhookAddr(*addr); err != nil {
					return fmt.Errorf("%s: %w", flag, err)
				}
			}
			if err := o.keep.Check(o.memory); err != nil {
				return err
			}
			*started = true
			return serveUntilSignal(o, logger, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", serve.DefaultName(), "the `name` by which people find this server")
	f.StringVar(&o.listen, "listen", "", "`ADDR`ess to listen on; without it port 25252, or any one when that is taken")
	f.StringVar(&o.data, "data", "", "`DIR`ectory of this server's key and log; without it one below the user's data directory, by name")
	f.BoolVar(&o.memory, "memory", false, "keep what is said in memory only: it ends with the server")
	f.Var(&o.keep, "keep", serve.KeepUsage)
	f.Var(&o.diskFloor, "disk-floor", "refuse posts rather than leave less than this `SIZE` free where the log is, such as\n2GB; off uses all of the disk. Without it the larger of 1 GiB and 5 % stays free,\nbut no more than 10 %")
	f.BoolVar(&o.noDiscovery, "no-discovery", false, "send and answer no datagram, where that is unwelcome: people need the address")
	f.Uint16Var(&o.discoveryPort, "discovery-port", discovery.DefaultPort, "UDP port of discovery; the same for everybody on the network")
	f.StringSliceVar(&o.discoveryInterfaces, "discovery-interface", nil, "`NAME`,… of the only network interfaces to announce on")
	f.IntVar(&o.postRate, "post-rate", server.DefaultLimits.PostRate, "posts a second that one person may send in the long run; fifty may come at once.\nMore than the default raises the bytes that one may send by the same factor")
	f.IntVar(&o.perAddress, "per-address", server.DefaultLimits.AddressConns, "connections that one address may have at a time")
	f.StringVar(&o.metrics, "metrics", "", "serve metrics for Prometheus, health and profiles by HTTP at this `ADDR`: a port of\nthis host's loopback, or ADDRESS:PORT, where whoever reaches it can ask")
	f.StringVar(&o.webhook, "webhook", "", "take posts by HTTP at this `ADDR`: a port of this host's loopback, or ADDRESS:PORT,\nwhich others reach and anybody on the way can read; chatd webhook add makes tokens")
	f.StringVar(&o.adminsFile, "admins-file", "", "`FILE` of those who may kick, ban and announce everywhere: on each line a user\nid or a key's fingerprint, as chat id prints them; # begins a comment")
	f.StringVar(&o.passphraseFile, "passphrase-file", "", "ask newcomers for the passphrase in the only line of this `FILE`;\nnobody can come in by plain lines then")
	f.BoolVar(&o.noGuests, "no-guests", false, "admit nobody without a key, which is what plain lines and chat --guest have none of")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json")
	cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 79"))
	cmd.AddCommand(exportCommand(started), importCommand(started), webhookCommand(started), man.Command(aboutManual()))
	shell.Add(cmd, func() *cobra.Command { return commands(new(bool), io.Discard) })
	shell.Finish(cmd, func(*cobra.Command) cobra.CompletionFunc { return nil })
	return cmd
}

// fromEnvironment sets the flags that were not given from CHATD_…
func fromEnvironment(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		name := "CHATD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok && !f.Changed && err == nil {
			if e := flags.Set(f.Name, value); e != nil {
				err = fmt.Errorf("%s: %w", name, e)
			}
		}
	})
	return err
}

// dataDir is the directory of a server's key and log: the one that was given, or
// that of the server's name.
func dataDir(data, name string) (string, error) {
	if data != "" {
		return data, nil
	}
	home, err := serve.DataHome()
	if err != nil {
		return "", fmt.Errorf("finding the data directory: %w; --data DIR names one", err)
	}
	return serve.DataDir(home, name), nil
}

// floorFlag is the value of --disk-floor: bytes; 0: the default; below 0: off.
type floorFlag int64

func (f *floorFlag) Set(s string) error {
	size, err := roomlog.ParseKeep(s)
	switch {
	case err != nil || size.Age > 0:
		return fmt.Errorf("invalid size %q: write at least 1MB, such as 500MB or 10GB, or off", s)
	case size.Bytes == 0:
		*f = -1
	default:
		*f = floorFlag(size.Bytes)
	}
	return nil
}

func (f *floorFlag) String() string {
	switch {
	case *f == 0:
		return ""
	case *f < 0:
		return "off"
	}
	return roomlog.Keep{Bytes: int64(*f)}.String()
}

func (f *floorFlag) Type() string { return "string" }

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level: %q is none of debug, info, warn and error", level)
	}
	// The handlers quote what is no text, but leave some of it to the terminal.
	clean := func(_ []string, a slog.Attr) slog.Attr {
		if v := a.Value.Resolve(); v.Kind() == slog.KindString || v.Kind() == slog.KindAny {
			a.Value = slog.StringValue(safetext.Line(v.String()))
		}
		return a
	}
	switch opts := (&slog.HandlerOptions{Level: l, ReplaceAttr: clean}); format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format: %q is neither text nor json", format)
}

func serveUntilSignal(o options, logger *slog.Logger, stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	data, err := dataDir(o.data, o.name)
	if err != nil {
		return err
	}
	s, err := serve.Start(serve.Config{
		Name: o.name, Listen: o.listen, Data: data, Memory: o.memory, Keep: o.keep.Keep, DiskFloor: int64(o.diskFloor), NoDiscovery: o.noDiscovery, PostRate: o.postRate,
		Webhook: o.webhook, Metrics: o.metrics, PerAddress: o.perAddress, AdminsFile: o.adminsFile, PassphraseFile: o.passphraseFile, NoGuests: o.noGuests,
		Discovery: discovery.Config{Port: int(o.discoveryPort), Interfaces: o.discoveryInterfaces},
		Software:  serve.Software(), Logger: logger,
	})
	if err != nil {
		return err
	}
	if s.DiscoveryProblem != nil && !o.noDiscovery {
		logger.Warn("people may not find this server by name, but can join it by address", "err", s.DiscoveryProblem)
	}
	ready := fmt.Sprintf("ready name=%q addr=%s key=%q", s.Name, s.Addr, s.Key.Words())
	if s.Webhook.IsValid() {
		ready += fmt.Sprintf(" webhook=http://%s", s.Webhook)
	}
	if s.Metrics.IsValid() {
		ready += fmt.Sprintf(" metrics=http://%s", s.Metrics)
	}
	hangUps, ignore := onHangUp()
	defer ignore()
	fmt.Fprintln(stdout, ready)
	for {
		select {
		case <-hangUps:
			if terminalGone() {
				logger.Info("stopping: the terminal is gone")
				return s.Stop()
			}
			reload(s, logger)
		case <-ctx.Done():
			stop() // a second signal ends the process at once
			logger.Info("stopping")
			return s.Stop()
		case <-s.Ended():
			return s.Stop()
		}
	}
}

func reload(s *serve.Server, logger *slog.Logger) {
	if err := s.Reload(); err != nil {
		logger.Error("not all was read again; of what was not, the old stays", "err", err)
		return
	}
	logger.Info("admins and passphrase were read again, where there are files of them")
}
