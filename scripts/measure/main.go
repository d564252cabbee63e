// Command measure measures chatd beside the bare relays of chat bench, case by case,
// and writes docs/performance.md. scripts/performance builds what it needs and runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := measure(ctx)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "\nmeasure: interrupted; --resume goes on with the cases that are left")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

// options are those of one call.
type options struct {
	programs string // the directory of chat and chatd
	work     string // where logs are, while they are measured
	docs     string
	resume   bool
	short    bool
	page     bool
	floors   bool
	log      int // the largest log, in entries
	only     []string
	write    bool
}

func readOptions() (*options, error) {
	var o options
	f := flag.NewFlagSet("measure", flag.ContinueOnError)
	f.StringVar(&o.programs, "programs", "", "the `directory` of chat and chatd, which scripts/performance builds")
	f.StringVar(&o.work, "work", os.TempDir(), "the `directory` for the logs that are measured: on a disk, not in memory")
	f.StringVar(&o.docs, "docs", "docs", "the `directory` for performance.md, and performance/ with results and curves")
	f.BoolVar(&o.resume, "resume", false, "leave out the cases whose results are of these programs")
	f.BoolVar(&o.short, "short", false, "measure once and shortly, print the table, and write only where --docs says")
	f.BoolVar(&o.page, "page", false, "measure nothing, write the page again")
	f.BoolVar(&o.floors, "floors", false, "measure shortly whether the floors are kept")
	f.IntVar(&o.log, "log", 1_000_000, "the largest log of case F, in `entries`; 10000000 takes 10 minutes and 5 GB more")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "scripts/performance [FLAG…] [CASE…]\n\nThe cases:")
		for _, c := range cases {
			fmt.Fprintf(f.Output(), "  %s  %-62s %s\n", c.name, c.title, c.takes)
		}
		fmt.Fprintln(f.Output(), "\nThe flags:")
		f.PrintDefaults()
	}
	if err := f.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(0)
		}
		return nil, flag.ErrHelp // it has been said
	}
	o.write = !o.short
	f.Visit(func(set *flag.Flag) { o.write = o.write || set.Name == "docs" })
	for _, name := range f.Args() {
		if name = strings.ToUpper(name); name == "" || !slices.ContainsFunc(cases, func(c benchCase) bool { return strings.HasPrefix(c.name, name) }) {
			fmt.Fprintf(f.Output(), "measure: there is no case %q\n\n", name)
			f.Usage()
			return nil, flag.ErrHelp
		}
		o.only = append(o.only, name)
	}
	return &o, nil
}

func measure(ctx context.Context) error {
	o, err := readOptions()
	if err != nil {
		return err
	}
	lab, err := newLab(o)
	if err != nil {
		return err
	}
	defer lab.close()
	switch {
	case o.page:
		return writePage(o)
	case o.floors:
		return checkFloors(ctx, lab)
	}
	var todo []benchCase
	var expected time.Duration
	for _, c := range cases {
		if len(o.only) > 0 && !slices.ContainsFunc(o.only, func(name string) bool { return strings.HasPrefix(c.name, name) }) {
			continue
		}
		if old, err := readResults(o, c.name); o.resume && err == nil && old.Build == lab.build {
			fmt.Printf("%s was measured on %s\n", c.name, old.At.Format(time.DateTime))
			continue
		}
		todo = append(todo, c)
		expected += c.takes
	}
	if o.short {
		expected /= 8
	}
	fmt.Printf("%d cases, about %v\n", len(todo), expected.Round(30*time.Second))
	if load := loadAverage(); load > 0.5 {
		fmt.Printf("The machine has other things to do (load average %.1f): latencies will not be worth much.\n", load)
	}
	var failed []error
	for _, c := range todo {
		begin := time.Now()
		fmt.Printf("\n%s: %s\n", c.name, c.title)
		r := lab.newResults(c.name)
		if err := c.run(ctx, lab, r); err != nil {
			err = fmt.Errorf("case %s: %w", c.name, err)
			if ctx.Err() != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, err)
			failed = append(failed, err) // the others are worth having
			continue
		}
		r.Took = time.Since(begin).Round(time.Second).Seconds()
		for _, row := range c.rows(r) {
			fmt.Printf("   %s\n", row.plain())
		}
		if !o.write {
			continue
		}
		if err := writeResults(o, r); err != nil {
			return err
		}
		if err := writePage(o); err != nil {
			return err
		}
	}
	if o.write && len(failed) < len(todo) {
		fmt.Println("\nwritten:", filepath.Join(o.docs, "performance.md"))
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d cases failed; --resume measures them again: %w", len(failed), len(todo), errors.Join(failed...))
	}
	return nil
}
