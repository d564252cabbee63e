package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"lanchat/internal/tui"
	"lanchat/internal/wiretap"
)

// wireQueue is how many rows may wait for a slow reader. More are left out, and
// that is said at the end: the wire does not wait.
const wireQueue = 8192

// wireOut writes what a tap sees, as it comes.
type wireOut struct {
	a      *app
	tap    *wiretap.Tap
	events <-chan wiretap.Event // nil: nothing is written
	json   bool
	lines  io.Writer // nil: none
	file   *os.File  // of the capture, nil: none
	name   string
	packed *wiretap.Capture
	quiet  bool // a screen has the terminal
	ended  chan struct{}
}

func (a *app) openWire(tap *wiretap.Tap, w wiring, onScreen bool) (*wireOut, error) {
	o := &wireOut{a: a, tap: tap, json: w.json, quiet: onScreen, ended: make(chan struct{})}
	if !onScreen && w.pcap != "-" {
		o.lines = a.out
	}
	var into io.Writer
	switch w.pcap {
	case "":
	case "-":
		into, o.name = a.out, "standard output"
	default:
		// What is said stands in it in the clear.
		f, err := os.OpenFile(w.pcap, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, fmt.Errorf("--pcap: %w", err)
		}
		into, o.file, o.name = f, f, w.pcap
	}
	if into != nil {
		var err error
		if o.packed, err = wiretap.NewCapture(into); err != nil {
			return nil, o.wrong(err)
		}
	}
	if o.lines != nil || o.packed != nil {
		o.events = tap.Follow(wireQueue)
	}
	return o, nil
}

func (o *wireOut) wrong(err error) error { return fmt.Errorf("writing %s: %w", o.name, err) }

// say tells the user something beside the rows.
func (o *wireOut) say(text string) {
	if !o.quiet {
		fmt.Fprintf(o.a.err, "chat: %s\n", indented(text))
	}
}

// start writes until finish; what fails stops everything.
func (o *wireOut) start(stop context.CancelCauseFunc) <-chan error {
	written := make(chan error, 1)
	go func() {
		err := o.write()
		if err != nil {
			stop(err)
		}
		written <- err
	}()
	return written
}

// finish writes what is left, and how much there was, when nothing more comes.
func (o *wireOut) finish(written <-chan error) error {
	close(o.ended)
	err := <-written
	if err == nil && o.lines != nil {
		var b []byte
		if o.json {
			b = wiretap.AppendTotalsJSON(b, o.tap.Totals())
		} else {
			b = wiretap.AppendTotals(b, o.tap.Totals())
		}
		_, err = o.lines.Write(b)
	}
	if o.file != nil {
		if failed := o.file.Close(); failed != nil && err == nil {
			err = o.wrong(failed)
		}
	}
	if n := o.tap.Missed(); n > 0 {
		fmt.Fprintf(o.a.err, "chat: %d rows were left out: they came faster than they could be written\n", n)
	}
	return err
}

func (o *wireOut) write() error {
	var b []byte
	one := func(e wiretap.Event) error {
		if o.packed != nil {
			if err := o.packed.Write(e); err != nil {
				return o.wrong(err)
			}
		}
		if o.lines == nil {
			return nil
		}
		if o.json {
			b = wiretap.AppendJSON(b[:0], e.Row)
		} else {
			b = wiretap.AppendText(b[:0], e.Row)
		}
		_, err := o.lines.Write(b)
		return err
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.tap.Tick()
		case e := <-o.events:
			if err := one(e); err != nil {
				return err
			}
		case <-o.ended:
			for {
				select {
				case e := <-o.events:
					if err := one(e); err != nil {
						return err
					}
				default:
					return nil
				}
			}
		}
	}
}

// wireSource is how a screen gets the rows of a tap.
type wireSource struct{ tap *wiretap.Tap }

func (s wireSource) Rows(stream bool, after uint64, most int) ([]tui.WireRow, uint64) {
	rows, last := s.tap.Rows(stream, after, most)
	shown := make([]tui.WireRow, 0, len(rows))
	for _, r := range rows {
		w := tui.WireRow{At: r.At, Sent: r.Sent, Head: r.Head(), Detail: r.Chief(), Loud: r.Loud()}
		for _, n := range r.Notes {
			w.Notes = append(w.Notes, n.Text)
		}
		if by := r.By(); by != "" {
			w.Detail = append([]string{by}, w.Detail...)
		}
		shown = append(shown, w)
	}
	return shown, last
}

func (s wireSource) Totals() (udp, tcp []string) { return s.tap.Totals().Lines() }
