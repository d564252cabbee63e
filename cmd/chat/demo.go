package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"lanchat/internal/tui"
	"lanchat/internal/wiredemo"

	"github.com/spf13/cobra"
)

// demo is chat wire --demo.
type demo struct {
	on    bool
	loss  int
	count int
	every time.Duration
}

func (d *demo) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&d.on, "demo", false, "play both models against loss made on purpose, within this host")
	f.IntVar(&d.loss, "loss", 30, "with --demo: `PERCENT` of datagrams and segments to throw away, 0 to 80")
	f.IntVar(&d.count, "count", 24, "with --demo: `N` messages")
	f.DurationVar(&d.every, "every", 300*time.Millisecond, "with --demo: time between two messages")
}

// usage says whether the flags of the demo are used rightly.
func (d *demo) usage(cmd *cobra.Command, args []string) error {
	for _, name := range []string{"loss", "count", "every"} {
		if !d.on && cmd.Flags().Changed(name) {
			return usagef("--%s is of the demo: chat wire --demo --%s …", name, name)
		}
	}
	if d.on && (len(args) > 0 || cmd.Flags().Changed("pcap")) {
		return usagef("--demo plays within this host: it has no server, and nothing to capture")
	}
	if cfg := d.config(); d.on {
		if err := cfg.Check(); err != nil {
			return usagef("--demo: %w", err)
		}
	}
	return nil
}

func (d *demo) config() wiredemo.Config {
	return wiredemo.Config{Loss: d.loss, Count: d.count, Every: d.every}
}

// demo plays until it is over, --timeout is, or the user leaves. What was counted
// is printed at the end, however it ended.
func (a *app) demo(ctx context.Context, d demo, asJSON bool) error {
	if done, err := a.inNamespace(ctx); done {
		return err
	}
	if a.o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.o.timeout)
		defer cancel()
	}
	cfg := d.config()
	p := &demoPrinter{out: a.out, json: asJSON}
	if !asJSON && !a.plain() {
		return a.demoScreen(ctx, cfg, p)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cfg.Tell = func(e wiredemo.Event) {
		if p.event(e); p.err != nil {
			stop() // whoever reads it is gone
		}
	}
	sum, err := wiredemo.Run(ctx, cfg)
	if sum != nil {
		p.summary(sum)
	}
	if err == nil {
		err = p.err
	}
	return err
}

// demoScreen shows it side by side. The screen stays when it is over, until the
// user leaves.
func (a *app) demoScreen(ctx context.Context, cfg wiredemo.Config, p *demoPrinter) error {
	tape := &demoTape{loss: cfg.Loss}
	cfg.Tell = tape.tell
	playing, stop := context.WithCancel(ctx)
	type end struct {
		sum *wiredemo.Summary
		err error
	}
	ends := make(chan end, 1)
	go func() {
		sum, err := wiredemo.Run(playing, cfg)
		tape.over(sum, err)
		ends <- end{sum, err}
	}()
	err := tui.Wire(ctx, tui.WireConfig{Source: tape, Title: tape.title(), Settings: a.settings})
	stop()
	e := <-ends
	if e.sum != nil {
		p.summary(e.sum)
	}
	switch {
	case e.err != nil:
		return e.err
	case ctx.Err() != nil: // the time is over, or somebody has interrupted it
		return p.err
	}
	return err
}

// demoPrinter prints the demo as lines.
type demoPrinter struct {
	out  io.Writer
	json bool
	err  error
}

func (p *demoPrinter) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, args...)
	}
}

func (p *demoPrinter) object(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		p.err = err
		return
	}
	p.printf("%s\n", line)
}

func model(stream bool) string {
	if stream {
		return "tcp"
	}
	return "udp"
}

// words are what became of a message, for people.
var words = map[wiredemo.Kind]string{wiredemo.Came: "came", wiredemo.Lost: "LOST", wiredemo.Doubled: "DOUBLED", wiredemo.Late: "LATE"}

func (p *demoPrinter) event(e wiredemo.Event) {
	switch {
	case e.Kind == wiredemo.Sent:
		return
	case p.json:
		p.object(struct {
			Event  wiredemo.Kind `json:"event"`
			Model  string        `json:"model"`
			Seq    int           `json:"seq"`
			At     string        `json:"at"`
			Text   string        `json:"text"`
			Bytes  int           `json:"bytes,omitempty"`
			Delay  float64       `json:"delay_ms,omitempty"`
			Again  int           `json:"retransmitted,omitempty"`
			Behind int           `json:"behind,omitempty"`
		}{e.Kind, model(e.Stream), e.Seq, e.At.UTC().Format(time.RFC3339Nano), e.Text, e.Bytes, milliseconds(e.Delay), e.Retransmitted, e.Behind})
		return
	}
	line := fmt.Sprintf("%s  %-7s  %-22s", model(e.Stream), words[e.Kind], e.Text)
	if e.Kind != wiredemo.Lost {
		line += fmt.Sprintf(" %9.1f ms", milliseconds(e.Delay))
	}
	p.printf("%s\n", strings.Join(append([]string{line}, notes(e)...), "  "))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// notes say how a message came.
func notes(e wiredemo.Event) (notes []string) {
	if e.Retransmitted > 0 {
		notes = append(notes, fmt.Sprintf("sent again: %d", e.Retransmitted))
	}
	if e.Behind > 0 && e.Delay > 10*time.Millisecond {
		notes = append(notes, fmt.Sprintf("had to wait for message %d", e.Behind))
	}
	return notes
}

func (p *demoPrinter) summary(s *wiredemo.Summary) {
	if !p.json {
		udp, tcp := sums(s)
		p.printf("\nUDP: %s\nTCP: %s\n", udp, tcp)
		if s.Clean != nil {
			p.printf("No segment of the stream was thrown away: %v\n", s.Clean)
		}
		return
	}
	type udp struct {
		Sent    int `json:"sent"`
		Arrived int `json:"arrived"`
		Lost    int `json:"lost"`
		Doubled int `json:"doubled"`
		Late    int `json:"late"`
		Dropped int `json:"dropped"`
	}
	type tcp struct {
		Sent          int     `json:"sent"`
		Arrived       int     `json:"arrived"`
		InOrder       bool    `json:"in_order"`
		Dropped       *int    `json:"dropped,omitempty"`
		Retransmitted *int    `json:"retransmitted,omitempty"`
		Longest       float64 `json:"longest_ms"`
	}
	known := func(n int) *int {
		if n == wiredemo.Unknown {
			return nil
		}
		return &n
	}
	clean := ""
	if s.Clean != nil {
		clean = s.Clean.Error()
	}
	p.object(struct {
		Event string `json:"event"`
		Loss  int    `json:"loss"`
		By    string `json:"by"`
		Clean string `json:"stream_without_loss,omitempty"`
		UDP   udp    `json:"udp"`
		TCP   tcp    `json:"tcp"`
	}{"summary", s.Loss, by(s.Relay), clean, udp{s.UDP.Sent, s.UDP.Arrived, s.UDP.Lost, s.UDP.Doubled, s.UDP.Late, s.UDP.Dropped},
		tcp{s.TCP.Sent, s.TCP.Arrived, s.TCP.InOrder, known(s.TCP.Dropped), known(s.TCP.Retransmitted), milliseconds(s.TCP.Longest)}})
}

// by is who throws datagrams away.
func by(relay bool) string {
	if relay {
		return "relay"
	}
	return "kernel"
}

// sums words what was counted, for people.
func sums(s *wiredemo.Summary) (udp, tcp string) {
	u, t := s.UDP, s.TCP
	udp = fmt.Sprintf("%d sent, %d arrived, %d lost (%d %%), %d doubled, %d late; the %s threw away %d",
		u.Sent, u.Arrived, u.Lost, percent(u.Lost, u.Sent), u.Doubled, u.Late, by(s.Relay), u.Dropped)
	order := "in order"
	if !t.InOrder {
		order = "NOT in order"
	}
	tcp = fmt.Sprintf("%d sent, %d arrived %s, longest %.1f ms", t.Sent, t.Arrived, order, milliseconds(t.Longest))
	if missing := t.Sent - t.Arrived; missing > 0 {
		tcp += fmt.Sprintf(", %d still on the way", missing)
	}
	switch {
	case s.Clean != nil:
		tcp += "; no loss was made here"
	case t.Dropped != wiredemo.Unknown && t.Retransmitted != wiredemo.Unknown:
		tcp += fmt.Sprintf("; of its segments the kernel threw away %d and sent %d again", t.Dropped, t.Retransmitted)
	}
	return udp, tcp
}

func percent(part, of int) int {
	if of == 0 {
		return 0
	}
	return (200*part + of) / (2 * of)
}
