package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"lanchat/internal/bench"
	"lanchat/internal/identity"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) benchCommand() *cobra.Command {
	b := benchmark{load: bench.Load{Rooms: 1, Readers: 20, Posters: 2, Rate: 5, Window: 512, Size: 100, Time: 10 * time.Second, Warm: time.Second}}
	cmd := &cobra.Command{
		Use:   "bench [NAME|HOST:PORT]",
		Short: "Measure what a server and the network between can carry",
		Long: `bench connects as many guests to rooms of their own, bench-0, bench-1, …, lets
some of them talk, and measures how fast everybody hears it: can this Wi-Fi carry
our room? Every reader checks that nothing is lost, doubled or out of order.

With --rate 0 posters are as fast as --window lets them: each waits until its post
of so many before has come back. A server takes 100 posts a second of one sender
unless it was started with more: chatd --post-rate 1000000.

--baseline puts the same load on two bare relays, which pass on records of a fixed
size and do nothing else, and prints how the server compares: inline writes each
record to each socket, batched has a writer for each connection that sends all that
is pending at once. They run on this host, so compare a server of this host.

Exit code 1 also says that something was lost or doubled.`,
		Example: `  chat bench "Hack Night"                  20 people, 2 of them talk
  chat bench --readers 200 --rate 20 --time 30s --json
  chat bench 127.0.0.1:25252 --baseline --no-tls --readers 50 --rate 0`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.o.server = args[0]
			}
			if err := b.load.Check(); err != nil {
				return usageError{err}
			}
			return a.bench(cmd.Context(), b)
		},
	}
	f := cmd.Flags()
	f.IntVar(&b.load.Rooms, "rooms", b.load.Rooms, "`N` rooms")
	f.IntVar(&b.load.Readers, "readers", b.load.Readers, "`N` people in each room who only read")
	f.IntVar(&b.load.Posters, "posters", b.load.Posters, "`N` people in each room who talk")
	f.Float64Var(&b.load.Rate, "rate", b.load.Rate, "posts a second of each of them; 0: as fast as --window lets")
	f.IntVar(&b.load.Window, "window", b.load.Window, "`N` posts that are sent and have not come back, with --rate 0")
	f.IntVar(&b.load.Size, "size", b.load.Size, "`BYTES` of a text")
	f.DurationVar(&b.load.Time, "time", b.load.Time, "how long to measure")
	f.DurationVar(&b.load.Warm, "warm-up", b.load.Warm, "how long to talk before that")
	f.DurationVar(&b.load.Stall, "stall", 0, "one reader stops reading for so long, in the middle")
	f.BoolVar(&b.noTLS, "no-tls", false, "without TLS, as bots on the server's host may")
	f.BoolVar(&b.baseline, "baseline", false, "measure two bare relays too, and compare")
	f.BoolVar(&b.json, "json", false, "one JSON object for each run")
	f.BoolVarP(&b.yes, "yes", "y", false, "do not ask, where the server is not one of yours")
	return cmd
}

// benchRelayCommand is what --baseline starts.
func (a *app) benchRelayCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bench-relay inline|batched", Short: "Run a bare relay, to compare with", Args: cobra.ExactArgs(1), Hidden: true,
		ValidArgs: []string{"inline", "batched"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return relayUntilEOF(cmd.Context(), args[0] == "batched", a.in, a.out)
		},
	}
}

// benchmark is one call of bench.
type benchmark struct {
	load     bench.Load
	noTLS    bool
	baseline bool
	json     bool
	yes      bool
}

func (a *app) bench(ctx context.Context, b benchmark) error {
	t, err := a.theServer(ctx)
	if err != nil {
		return err
	}
	d, err := a.dialer(t)
	if err != nil {
		return err
	}
	link, err := d.Dial(ctx) // finds it, and holds it to its key
	if err != nil {
		return err
	}
	link.Conn.Close()
	key, err := identity.ParseFingerprint(link.Key)
	if err != nil {
		return err
	}
	pid := processAt(link.Addr)
	if err := a.mayBench(b, t.String(), pid != 0); err != nil {
		return err
	}
	var slowed atomic.Int64
	target := &bench.Chat{Addr: link.Addr, Slowed: &slowed}
	if !b.noTLS {
		target.Config = identity.GuestTLS(func(k identity.Fingerprint) error {
			if k != key {
				return errors.New("the server has changed its key in the middle")
			}
			return nil
		})
	}
	report := benchReport{out: a.out, json: b.json}
	res, err := a.benchOne(ctx, "server", target, b.load, pid)
	if err != nil {
		return err
	}
	res.Slowed = slowed.Load()
	if err := report.print("server", res, nil); err != nil {
		return err
	}
	if b.baseline {
		for _, kind := range []string{"inline", "batched"} {
			bare, err := a.benchRelay(ctx, kind, b.load)
			if err != nil {
				return err
			}
			if err := report.print(kind, bare, res); err != nil {
				return err
			}
		}
	}
	switch {
	case res.Lost+res.Doubled > 0 || res.Missing > 0 && res.Slowed == 0:
		return fmt.Errorf("%d deliveries were lost and %d came twice or out of order", res.Lost+res.Missing, res.Doubled)
	case res.Missing > 0:
		return fmt.Errorf("the server holds posts back, so %d deliveries had not come when patience ended: start it with more --post-rate, or ask for less", res.Missing)
	}
	return nil
}

// benchOne runs a load with a progress bar, where somebody looks.
func (a *app) benchOne(ctx context.Context, name string, target bench.Target, l bench.Load, pid int) (*bench.Result, error) {
	var usage func() (time.Duration, int64, error)
	if pid != 0 {
		usage = func() (time.Duration, int64, error) { return bench.Process(pid) }
	}
	var progress func(float64, string)
	if f, ok := a.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		const width = 30
		progress = func(done float64, what string) {
			full := int(done * width)
			fmt.Fprintf(a.err, "\r%-8s %s%s %s\x1b[K", name, strings.Repeat("█", full), strings.Repeat("░", width-full), what)
		}
		defer fmt.Fprint(a.err, "\r\x1b[K")
	}
	return bench.Run(ctx, target, l, progress, usage)
}

// processAt is the process of this host that a server's address leads to; 0: it is
// elsewhere, or somebody else's.
func processAt(addr string) int {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !ap.Addr().IsLoopback() && !isOwn(ap.Addr()) {
		return 0
	}
	pid, err := bench.Listener(ap.Port())
	if err != nil {
		return 0
	}
	return pid
}

// modest is a load that nobody minds: of a room where people talk.
func modest(l bench.Load) bool {
	return l.Connections() <= 50 && l.Rate > 0 && l.Rate*float64(l.Rooms*l.Posters) <= 20 && l.Time <= time.Minute
}

// mayBench asks before somebody else's server gets a load.
func (a *app) mayBench(b benchmark, name string, own bool) error {
	if own || b.yes || modest(b.load) {
		return nil
	}
	what := fmt.Sprintf("%d connections", b.load.Connections())
	if b.load.Rate == 0 {
		what += ", posting as fast as they can"
	} else {
		what += fmt.Sprintf(", %g posts a second", b.load.Rate*float64(b.load.Rooms*b.load.Posters))
	}
	if !a.terminal {
		return usagef("%s is not a server of yours on this host, and %s for %v may be more than its people like: ask them, then say --yes", name, what, b.load.Time)
	}
	fmt.Fprintf(a.err, "%s is not a server of yours on this host. It gets %s, for %v, and its people notice. Go on? [y/N] ", name, what, b.load.Time)
	var answer string
	if _, err := fmt.Fscanln(a.in, &answer); err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
		return errors.New("nothing was done")
	}
	return nil
}

// benchReport prints results.
type benchReport struct {
	out   io.Writer
	json  bool
	begun bool
}

// print prints a result; than, when not nil, is the server's, to be compared with it.
func (r *benchReport) print(name string, res, than *bench.Result) error {
	if r.json {
		out := struct {
			Name string `json:"name"`
			*bench.Result
			Ratio *benchRatio `json:"ratio,omitempty"`
		}{name, res, ratioOf(res, than)}
		line, err := json.Marshal(out)
		if err == nil {
			_, err = fmt.Fprintf(r.out, "%s\n", line)
		}
		return err
	}
	if !r.begun {
		r.begun = true
		l := res.Load
		speed := fmt.Sprintf("%g a second each", l.Rate)
		if l.Rate == 0 {
			speed = fmt.Sprintf("as fast as %d under way let them", l.Window)
		}
		fmt.Fprintf(r.out, "%d rooms, in each %d readers and %d posters, %s; texts of %d bytes; %v\n\n", l.Rooms, l.Readers, l.Posters, speed, l.Size, l.Time)
		fmt.Fprintf(r.out, "%-9s%13s%9s%9s%9s%7s%7s%10s%10s%9s\n", "", "deliveries/s", "p50 ms", "p99 ms", "max ms", "lost", "again", "bytes/del", "µs CPU/del", "RSS MiB")
	}
	cpu, rss := "–", "–"
	if res.Server != nil {
		cpu, rss = fmt.Sprintf("%.2f", res.Server.Per), fmt.Sprintf("%.1f", float64(res.Server.RSS)/(1<<20))
	}
	fmt.Fprintf(r.out, "%-9s%13.0f%9.2f%9.2f%9.2f%7d%7d%10.0f%10s%9s\n", name, res.PerSecond, res.P50, res.P99, res.Max, res.Lost+res.Missing, res.Doubled, res.Bytes, cpu, rss)
	if res.Slowed > 0 {
		fmt.Fprintf(r.out, "         the server slowed the posters down %d times: its --post-rate is lower than this load\n", res.Slowed)
	}
	if ratio := ratioOf(res, than); ratio != nil {
		fmt.Fprintf(r.out, "         the server's deliveries/s ÷ these: %.2f", ratio.PerSecond)
		if ratio.CPU > 0 {
			fmt.Fprintf(r.out, ", its CPU for a delivery ÷ this: %.2f", ratio.CPU)
		}
		fmt.Fprintln(r.out)
	}
	return nil
}

// benchRatio is the server's figures divided by a bare relay's.
type benchRatio struct {
	PerSecond float64 `json:"deliveries_per_s"`
	CPU       float64 `json:"cpu_us_delivery,omitempty"`
	Connect   float64 `json:"connect_s,omitempty"`
}

func ratioOf(bare, server *bench.Result) *benchRatio {
	if server == nil {
		return nil
	}
	r := &benchRatio{}
	if bare.PerSecond > 0 {
		r.PerSecond = server.PerSecond / bare.PerSecond
	}
	if bare.Server != nil && server.Server != nil && bare.Server.Per > 0 {
		r.CPU = server.Server.Per / bare.Server.Per
	}
	if bare.Connect > 0 {
		r.Connect = server.Connect / bare.Connect
	}
	return r
}
