package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lanchat/cmd/internal/serve"
	"lanchat/discovery"
	"lanchat/internal/client"
	"lanchat/internal/tui"
	"lanchat/internal/wiretap"

	"github.com/spf13/cobra"
)

// wiring is what chat wire is to do with what it sees.
type wiring struct {
	json bool
	pcap string // a file, "-" for standard output, "" for none
}

func (a *app) wireCommand() *cobra.Command {
	var w wiring
	var d demo
	cmd := &cobra.Command{
		Use:   "wire [NAME|HOST:PORT]",
		Short: "Watch datagrams and stream side by side",
		Long: `wire joins a server as one more client, in --room, and shows what goes over its
own wire: on the left (UDP) every datagram of discovery, with what was lost,
doubled or late; on the right (TCP) every frame, with the reads that brought it,
the round trip of what was asked, and what the kernel sent again (Linux tells).
Where no server is found yet it shows the datagrams until there is one.

Through a pipe or with --plain each is a line, with one below for how it came;
with --json an object on a line: model (udp, tcp), n, at, sent, local, peer, to,
interface, conn, bytes, type, fields, notes (kind, text); at the end the totals.
A row with bytes 0 says that something did not come.

--pcap writes a capture for Wireshark, tshark or tcpdump beside that, or to
standard output instead (-). Its IP, UDP and TCP headers are made up; its TCP
has the frames as they are inside TLS, with all that is said in the clear.
contrib/lanchat.lua names them in Wireshark.

--demo needs no server: it sends the same messages by datagrams and by a stream
within this host, and has --loss percent of both thrown away. Of the datagrams
some vanish; the stream comes whole, in order, and late. On a screen it stays
when it is over; with --json, --plain or through a pipe each message is a line
for either side. The sums come at the end: what was sent, what arrived, what was
lost, and the count of the kernel or relay that threw it away.

A gap in a server's numbers may be a datagram that was lost, or an answer to
somebody else. --timeout ends it; so does Ctrl-C.`,
		Example: `  chat wire
  chat wire --demo
  chat wire --demo --loss 50 --count 100 --every 100ms --json
  chat wire "Hack Night" --json | jq -r 'select(.model=="udp").type'
  chat wire --pcap talk.pcap --timeout 1m
  chat wire --pcap - | wireshark -k -i - -X lua_script:contrib/lanchat.lua`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.o.server = args[0]
			}
			if err := d.usage(cmd, args); err != nil {
				return err
			}
			if d.on {
				return a.demo(cmd.Context(), d, w.json)
			}
			if w.json && w.pcap == "-" {
				return usagef("--json and --pcap - both write to standard output: give one of them a file")
			}
			return a.wire(cmd.Context(), w)
		},
	}
	cmd.Flags().BoolVar(&w.json, "json", false, "one JSON object for each datagram and frame")
	cmd.Flags().StringVar(&w.pcap, "pcap", "", "write a capture to `FILE` as well; -: to standard output")
	d.flags(cmd)
	return cmd
}

func (a *app) wire(ctx context.Context, w wiring) error {
	if a.o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.o.timeout)
		defer cancel()
	}
	onScreen := !w.json && w.pcap != "-" && !a.plain()
	tap := wiretap.New()
	a.o.tap = tap
	out, err := a.openWire(tap, w, onScreen)
	if err != nil {
		return err
	}
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	written := out.start(stop)
	tapped := make(chan error, 1)
	go func() {
		err := a.tapped(watching, tap, out.say)
		stop(err)
		tapped <- err
	}()
	if onScreen {
		err = tui.Wire(watching, tui.WireConfig{Source: wireSource{tap}, Settings: a.settings})
		stop(err)
	}
	first := <-tapped
	failed := out.finish(written)
	switch {
	case failed != nil:
		return failed
	case ctx.Err() != nil: // the time is over, or somebody has interrupted it
		return nil
	case errors.Is(err, tui.ErrLeft):
		return err
	case first != nil:
		return first
	}
	return err
}

// tapped has something go over the wire until ctx ends: it looks for servers, and
// is a client of the one that is meant.
func (a *app) tapped(ctx context.Context, tap *wiretap.Tap, say func(string)) error {
	if a.o.noDiscovery {
		return a.tapServer(ctx, tap)
	}
	return a.browse(ctx, func(ctx context.Context, b *discovery.Browser) error {
		if a.o.server == "" {
			found, err := firstOf(ctx, b, say)
			if err != nil || ctx.Err() != nil {
				return err
			}
			a.o.server = found
		}
		return a.tapServer(ctx, tap)
	})
}

// firstOf waits for the one server that there is, with the browser that is shown:
// a search beside it would put its own datagrams on the wire.
func firstOf(ctx context.Context, b *discovery.Browser, say func(string)) (name string, err error) {
	settle := time.NewTimer(discovery.ListTime)
	defer settle.Stop()
	for told := false; ; {
		select {
		case <-b.Changed():
			settle.Reset(500 * time.Millisecond) // others answer as well
		case <-settle.C:
			servers := b.Servers()
			if len(servers) > 0 {
				return only(servers)
			}
			if !told {
				say("no server is found yet: until there is one, only datagrams are shown")
			}
			told = true
		case <-ctx.Done():
			return "", nil
		}
	}
}

// tapServer is a client until ctx ends.
func (a *app) tapServer(ctx context.Context, tap *wiretap.Tap) error {
	t, err := a.theServer(ctx)
	if err != nil {
		return err
	}
	d, err := a.dialer(t)
	if err != nil {
		return err
	}
	cfg := client.Config{Dial: d.Dial, Nick: a.o.nick, Software: serve.Software(), Rooms: []string{a.o.room}, Live: true, Watch: tap.Stream, Token: t.token}
	if err := a.givenPassphrase(&cfg); err != nil {
		return err
	}
	// There is a screen already, so nobody is asked for a passphrase.
	return a.once(ctx, cfg, linesWait, func(ctx context.Context, c *client.Client) error {
		for {
			select {
			case ev, ok := <-c.Events():
				if gone, is := ev.(client.GaveUp); is {
					return fmt.Errorf("%s: %w", t, gone.Err)
				}
				if !ok {
					return nil
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
}
