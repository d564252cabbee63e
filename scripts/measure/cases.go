package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// benchCase is one line of the table, or a curve.
type benchCase struct {
	name, title string
	takes       time.Duration
	run         func(ctx context.Context, l *lab, r *results) error
	rows        func(r *results) []row
}

// row is one figure, and its aim.
type row struct {
	id      string // by which floors.go names it
	work    string
	measure string
	value   float64
	shown   string
	aim     float64
	atMost  bool // what the aim is; otherwise: at least
	aims    string
	beside  string // what else is known
}

func (r row) reached() string {
	switch {
	case r.aim == 0:
		return ""
	case r.atMost && r.value <= r.aim, !r.atMost && r.value >= r.aim:
		return "reached"
	}
	return "missed"
}

func (r row) plain() string {
	return fmt.Sprintf("%-46s %-28s %9s  %-9s %-8s %s", r.work, r.measure, r.shown, r.aims, r.reached(), r.beside)
}

var cases = []benchCase{
	{"A", "one room, 50 readers, 4 posters, 512 posts of each under way", 110 * time.Second, runA, rowsA},
	{"B", "one room, 1,000 readers, one poster at 50 posts/s", 110 * time.Second, runB, rowsB},
	{"C", "200 rooms with 10 readers and one poster at 20 posts/s each", 75 * time.Second, runC, rowsC},
	{"D", "5,000 and 10,000 silent connections in one room", 420 * time.Second, runD, rowsD},
	{"E", "20 readers, 5,000 posts/s, one reader stops for 8 s", 225 * time.Second, runE, rowsE},
	{"F1", "CPU of a delivery in rooms of 10 to 5,000", 240 * time.Second, runRooms, rowsRooms},
	{"F2", "latency of a post with a log of 1,000 entries and more", 110 * time.Second, runLog, rowsLog},
	{"F3", "memory for 10 to 10,000 connections", 160 * time.Second, runMemory, rowsMemory},
}

// time is how long is measured.
func (l *lab) time(long string) string {
	switch {
	case l.o.floors:
		return " --warm-up 500ms --time 2s"
	case l.o.short:
		return " --warm-up 500ms --time 3s"
	}
	return " --warm-up 2s --time " + long // what thousands of arrivals have set off is over then
}

func runA(ctx context.Context, l *lab, r *results) error {
	args := "--readers 50 --posters 4 --rate 0 --window 512" + l.time("6s")
	return l.rounds(ctx, r, 3,
		load{kind: inMemory, args: args, relay: "batched"}, load{kind: durable, args: args}, load{kind: durableTLS, args: args})
}

func rowsA(r *results) (rows []row) {
	for _, v := range []struct {
		kind kind
		aim  float64
	}{{inMemory, 0.4}, {durable, 0.25}, {durableTLS, 0.2}} {
		ratio := median(r.ratios(v.kind.name, "batched", 0, perSecond))
		rows = append(rows, row{id: "A " + v.kind.name, work: "A, " + v.kind.said(), measure: "deliveries/s ÷ batched", value: ratio, shown: fmt.Sprintf("%.2f", ratio),
			aim: v.aim, aims: fmt.Sprintf("≥ %g", v.aim), beside: fmt.Sprintf("%s deliveries/s", thousands(median(r.of(v.kind.name, 0, perSecond))))})
	}
	return rows
}

func runB(ctx context.Context, l *lab, r *results) error {
	args := "--readers 1000 --posters 1 --rate 50" + l.time("8s")
	loads := []load{{kind: durable, args: args, relay: "inline"}}
	if !l.o.floors {
		loads = append(loads, load{kind: durableTLS, args: args})
	}
	return l.rounds(ctx, r, 3, loads...)
}

func rowsB(r *results) []row {
	return cpuRows(r, "B", map[string]float64{durable.name: 1, durableTLS.name: 1.3})
}

func runC(ctx context.Context, l *lab, r *results) error {
	return l.rounds(ctx, r, 3, load{kind: durable, args: "--rooms 200 --readers 10 --posters 1 --rate 20" + l.time("8s"), relay: "inline"})
}

func rowsC(r *results) []row { return cpuRows(r, "C", map[string]float64{durable.name: 0.9}) }

func cpuRows(r *results, name string, aims map[string]float64) (rows []row) {
	for _, k := range []kind{durable, durableTLS} {
		aim, asked := aims[k.name]
		if !asked || len(r.of(k.name, 0, cpu)) == 0 {
			continue
		}
		ratio := median(r.ratios(k.name, "inline", 0, cpu))
		rows = append(rows, row{id: name + " " + k.name, work: name + ", " + k.said(), measure: "CPU of a delivery ÷ inline", value: ratio, shown: fmt.Sprintf("%.2f", ratio),
			aim: aim, atMost: true, aims: fmt.Sprintf("≤ %g", aim),
			// Where a machine is too slow for the load, entries are late and share writes.
			beside: fmt.Sprintf("%.2f µs; p50 %.1f ms, inline %.1f ms", median(r.of(k.name, 0, cpu)), median(r.of(k.name, 0, p50)), median(r.of("inline", 0, p50)))})
	}
	return rows
}

func runD(ctx context.Context, l *lab, r *results) error {
	counts := pick(l, []int{5_000, 10_000}, []int{1_000})
	silent := func(n int, time string) string {
		return fmt.Sprintf("--readers %d --posters 0 --warm-up 0s --time %s", n, time)
	}
	for _, n := range counts {
		settle := silent(n, pick(l, "60s", "5s"))
		settled := []load{{kind: durable, point: n, args: settle, as: "settled-"}, {kind: durableTLS, point: n, args: settle, as: "settled-"}}
		joins := []load{{kind: durable, point: n, args: silent(n, "1s"), relay: "inline"}, {kind: durableTLS, point: n, args: silent(n, "1s")}}
		if l.o.floors {
			settled, joins = settled[:1], joins[:1]
		}
		for _, ld := range settled {
			if err := l.run(ctx, r, 1, ld); err != nil {
				return err
			}
		}
		if err := l.rounds(ctx, r, 3, joins...); err != nil {
			return err
		}
	}
	return nil
}

func rowsD(r *results) (rows []row) {
	for _, k := range []kind{durable, durableTLS} {
		for _, n := range r.points("settled-" + k.name) {
			name := fmt.Sprintf("D, %s silent, %s", thousands(float64(n)), k.said())
			each, aim := median(r.of("settled-"+k.name, n, memoryEach))/1024, 8.0
			if k.tls {
				aim = 28
			}
			rows = append(rows, row{id: fmt.Sprintf("D memory %s", k.name), work: name, measure: "memory of a connection", value: each, shown: fmt.Sprintf("%.1f KiB", each),
				aim: aim, atMost: true, aims: fmt.Sprintf("≤ %g KiB", aim), beside: fmt.Sprintf("inline %.1f KiB", median(r.of("inline", n, memoryEach))/1024)})
			ratio := median(r.ratios(k.name, "inline", n, joined))
			join := row{id: fmt.Sprintf("D join %s", k.name), work: name, measure: "time to join ÷ inline", value: ratio, shown: fmt.Sprintf("%.1f", ratio), beside: fmt.Sprintf("%.1f s", median(r.of(k.name, n, joined)))}
			if !k.tls {
				join.aim, join.atMost, join.aims = 4, true, "≤ 4"
			}
			heard := median(r.of("settled-"+k.name, n, received)) / 1024
			rows = append(rows, join, row{id: "D heard " + k.name, work: name, measure: "sent to each", value: heard, shown: fmt.Sprintf("%.1f KiB", heard), aim: 64, atMost: true, aims: "≤ 64 KiB"})
		}
	}
	return rows
}

func runE(ctx context.Context, l *lab, r *results) error {
	calm := "--readers 20 --posters 4 --rate 1250 --warm-up 2s --time " + pick(l, "16s", "6s")
	stall := calm + " --stall " + pick(l, "8s", "3s")
	return l.rounds(ctx, r, 3, load{kind: durable, args: calm, relay: "batched"}, load{kind: durable, args: stall, relay: "batched"})
}

func rowsE(r *results) (rows []row) {
	of := func(what string, stall bool, get func(sample) float64) (values []float64) {
		for _, s := range r.Samples {
			if s.What == what && s.Stall == stall {
				values = append(values, get(s))
			}
		}
		return values
	}
	for _, what := range []string{durable.name, "batched"} {
		calm, stall := of(what, false, p99), of(what, true, p99)
		var ratios []float64
		for i := range min(len(calm), len(stall)) {
			ratios = append(ratios, stall[i]/calm[i])
		}
		late, lost := of(what, true, func(s sample) float64 { return float64(s.Result.Late) }), 0.0
		for _, n := range late {
			lost = max(lost, n)
		}
		growth := median(of(what, true, grown)) / (1 << 20)
		three := []row{
			{measure: "others' p99, stall ÷ none", value: median(ratios), shown: fmt.Sprintf("%.2f", median(ratios)), aim: 1.25, aims: "≤ 1.25",
				beside: fmt.Sprintf("%.2f ÷ %.2f ms", median(stall), median(calm))},
			{measure: "lost by the stalled reader", value: lost, shown: fmt.Sprintf("%.0f", lost), aim: 0.5, aims: "0"},
			{measure: "the server's memory growth", value: growth, shown: fmt.Sprintf("%.1f MiB", growth), aim: 8, aims: "≤ 8 MiB",
				beside: fmt.Sprintf("without a stall %.1f MiB", median(of(what, false, grown))/(1<<20))},
		}
		for i, row := range three {
			row.id, row.work, row.atMost = fmt.Sprint("E ", what, i), "E, "+durable.said(), true
			if what == "batched" {
				row.work, row.aim, row.aims = "E, the batched relay", 0, ""
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// roomConnections is how many there are in all on the curve of rooms: what differs is how
// many of them are in one.
const roomConnections = 5_000

func runRooms(ctx context.Context, l *lab, r *results) error {
	var loads []load
	for _, n := range pick(l, []int{10, 50, 200, 1_000, 5_000}, []int{10, 1_000}) {
		args := fmt.Sprintf("--rooms %d --readers %d --posters 1 --rate 8", roomConnections/n, n-1) + l.time("4s")
		loads = append(loads, load{kind: durable, point: n, args: args, relay: "inline"})
	}
	return l.rounds(ctx, r, 3, loads...)
}

func rowsRooms(r *results) (rows []row) {
	for _, n := range r.points(durable.name) {
		ratio := median(r.ratios(durable.name, "inline", n, cpu))
		rows = append(rows, row{work: "F, rooms of " + thousands(float64(n)) + ", durable", measure: "CPU of a delivery ÷ inline", shown: fmt.Sprintf("%.2f", ratio), beside: fmt.Sprintf("%.2f µs", median(r.of(durable.name, n, cpu)))})
	}
	return rows
}

func runLog(ctx context.Context, l *lab, r *results) error {
	data := filepath.Join(l.dir, "log")
	have := 0
	for n := 1_000; n <= pick(l, l.o.log, min(l.o.log, 100_000)); n *= 10 {
		begin := time.Now()
		if err := fill(ctx, data, n-have); err != nil {
			return err
		}
		fmt.Printf("   %s entries in %v\n", thousands(float64(n)), time.Since(begin).Round(time.Second))
		have = n
		args := "--readers 4 --posters 1 --rate 100" + l.time("5s")
		if err := l.rounds(ctx, r, 3, load{kind: durable, point: n, args: args, data: data, relay: "inline"}); err != nil {
			return err
		}
	}
	return nil
}

func rowsLog(r *results) (rows []row) {
	for _, n := range r.points(durable.name) {
		rows = append(rows, row{work: "F, " + thousands(float64(n)) + " entries in the log", measure: "latency, p50 and p99", shown: fmt.Sprintf("%.2f ms", median(r.of(durable.name, n, p50))),
			beside: fmt.Sprintf("p99 %.2f ms; inline relay %.2f and %.2f ms", median(r.of(durable.name, n, p99)), median(r.of("inline", n, p50)), median(r.of("inline", n, p99)))})
	}
	return rows
}

func runMemory(ctx context.Context, l *lab, r *results) error {
	for _, n := range pick(l, []int{10, 100, 1_000, 3_000, 10_000}, []int{10, 100, 1_000}) {
		args := fmt.Sprintf("--readers %d --posters 0 --warm-up 0s --time %s", n, pick(l, "10s", "2s"))
		for _, ld := range []load{{kind: durable, point: n, args: args}, {kind: durableTLS, point: n, args: args}} {
			if err := l.run(ctx, r, 1, ld); err != nil {
				return err
			}
		}
	}
	return nil
}

func rowsMemory(r *results) (rows []row) {
	for _, k := range []kind{durable, durableTLS} {
		for _, n := range r.points(k.name) {
			rss := median(r.of(k.name, n, memoryAll)) / (1 << 20)
			rows = append(rows, row{work: fmt.Sprintf("F, %s connections, %s", thousands(float64(n)), k.said()), measure: "memory", shown: fmt.Sprintf("%.1f MiB", rss)})
		}
	}
	return rows
}
