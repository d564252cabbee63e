package main

import (
	"context"
	"fmt"
)

// floors are what must not be lost again: well away from the figures of
// docs/performance.md, since a short measurement beside other work is off by a lot. A
// figure that is at most something may not be above it, any other not below.
var floors = []struct {
	id    string // of the row
	bound float64
}{
	{"A memory", 0.25},       // deliveries/s ÷ batched relay
	{"A durable", 0.15},      //
	{"A durable-tls", 0.11},  //
	{"B durable", 1.6},       // CPU of a delivery ÷ inline relay, at most
	{"C durable", 2.6},       //
	{"D memory durable", 20}, // KiB of a silent connection, at most
}

// checkFloors measures shortly; what is below its floor is measured once more, since a
// machine may have been busy, and fails if it is again.
func checkFloors(ctx context.Context, l *lab) error {
	failed := 0
	for _, c := range cases[:4] {
		for try := 1; ; try++ {
			r := l.newResults(c.name)
			if err := c.run(ctx, l, r); err != nil {
				return fmt.Errorf("case %s: %w", c.name, err)
			}
			below := 0
			for _, row := range c.rows(r) {
				for _, f := range floors {
					if f.id != row.id {
						continue
					}
					verdict, limit := "ok", "at least"
					if row.atMost {
						limit = "at most"
					}
					if row.atMost && !(row.value <= f.bound) || !row.atMost && !(row.value >= f.bound) {
						verdict = "FAIL"
						below++
					}
					fmt.Printf("%-4s  %s: %s is %s; %s %g\n", verdict, row.work, row.measure, row.shown, limit, f.bound)
				}
			}
			if below == 0 {
				break
			}
			if try == 2 {
				failed += below
				break
			}
			fmt.Println("once more:")
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d figures are beyond the bounds in scripts/measure/floors.go; scripts/performance measures them at length", failed)
	}
	return nil
}
