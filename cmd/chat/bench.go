package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"lanchat/internal/bench"
	"lanchat/internal/identity"
	"lanchat/protocol"

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
of so many before has come back. A server takes 5 posts a second of one sender
unless it was started with more: chatd --post-rate 1000000.

--baseline puts the same load on two bare relays, which pass on records of a fixed
size and do nothing else, and prints how the server compares: inline writes each
record to each socket, batched has a writer for each connection that sends all that
is pending at once. They run on this host, so compare a server of this host.
--baseline=inline measures that one alone.

With --posters 0 nobody talks: it is measured how long it takes until all have
joined, and what a silent connection costs the server. More than 256 connections
need a server of this host, where each has one of many addresses, or one that takes
more from an address: chatd --per-address.

Exit code 1 also says that something was lost or doubled.`,
		Example: `  chat bench "Hack Night"                  20 people, 2 of them talk
  chat bench --readers 200 --rate 20 --time 30s --json
  chat bench 127.0.0.1:25252 --baseline --no-tls --readers 50 --rate 0
  chat bench 127.0.0.1:25252 --posters 0 --readers 5000 --time 1m
  chat bench 127.0.0.1:25252 --posters 4 --rate 50 --stall 8s --time 16s`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.o.server = args[0]
			}
			if err := b.load.Check(); err != nil {
				return usageError{err}
			}
			for _, kind := range b.baselines {
				if kind != "inline" && kind != "batched" {
					return usagef("there is no bare relay %q: inline and batched are there", kind)
				}
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
	f.DurationVar(&b.load.Stall, "stall", 0, "one reader stops reading for so long when measuring begins, then\nreads on; latencies are the others'")
	f.BoolVar(&b.noTLS, "no-tls", false, "without TLS, as bots on the server's host may")
	f.StringSliceVar(&b.baselines, "baseline", nil, "measure the bare relays too, inline and batched or one of them,\nand compare")
	f.Lookup("baseline").NoOptDefVal = "inline,batched"
	f.BoolVar(&b.json, "json", false, "one JSON object for each run")
	f.BoolVarP(&b.yes, "yes", "y", false, "do not ask, where the server is not one of yours")
	return cmd
}

// benchRelayCommand is what --baseline starts.
func (a *app) benchRelayCommand() *cobra.Command {
	return &cobra.Command{
		Use: "bench-relay inline|batched", Short: "Run a bare relay, to compare with", Args: cobra.ExactArgs(1), Hidden: true,
		ValidArgs: []string{"inline", "batched"},
		RunE: func(_ *cobra.Command, args []string) error {
			return relayUntilEOF(args[0] == "batched", a.in, a.out)
		},
	}
}

// benchmark is one call of bench.
type benchmark struct {
	load      bench.Load
	noTLS     bool
	baselines []string
	json      bool
	yes       bool
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
		target.Config = protocol.ClientTLS(nil, protocol.Pinned(key, errors.New("the server has changed its key in the middle")))
	}
	report := benchReport{out: a.out, json: b.json}
	end := func(err error) error {
		if ctx.Err() != nil {
			return errors.New("the measuring was interrupted")
		}
		return err
	}
	res, err := a.benchOne(ctx, "server", target, b.load, pid)
	if err != nil {
		return end(err)
	}
	res.Slowed = slowed.Load()
	if err := report.print("server", res, nil); err != nil {
		return err
	}
	for _, kind := range b.baselines {
		bare, err := a.benchRelay(ctx, kind, b.load)
		if err != nil {
			return end(err)
		}
		if err := report.print(kind, bare, res); err != nil {
			return err
		}
	}
	switch {
	case res.Lost+res.Doubled > 0:
		return fmt.Errorf("%d deliveries were lost and %d came twice or out of order", res.Lost+res.Missing, res.Doubled)
	case res.Missing > 0 && res.Slowed > 0:
		return fmt.Errorf("the server holds posts back, so %d deliveries had not come when patience ended: start it with more --post-rate, or ask for less", res.Missing)
	case res.Missing > 0:
		return fmt.Errorf("%d deliveries had not come when patience ended: they are lost, or this load is more than the server, this machine or the network can carry", res.Missing)
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
