package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"lanchat/internal/bench"
)

// benchReport prints results.
type benchReport struct {
	out   io.Writer
	json  bool
	begun bool
}

// print prints a result; than, when not nil, is the server's, to be compared with it.
func (r *benchReport) print(name string, res, than *bench.Result) error {
	ratio := ratioOf(res, than)
	if r.json {
		line, err := json.Marshal(struct {
			Name string `json:"name"`
			*bench.Result
			Ratio *benchRatio `json:"ratio,omitempty"`
		}{name, res, ratio})
		if err == nil {
			_, err = fmt.Fprintf(r.out, "%s\n", line)
		}
		return err
	}
	var b strings.Builder
	table := talkTable
	if res.Load.Posters == 0 {
		table = silentTable
	}
	if !r.begun {
		r.begun = true
		fmt.Fprintf(&b, "%s\n\n%s\n", describe(res.Load), table.head)
	}
	b.WriteString(table.row(name, res) + "\n")
	if res.Load.Stall > 0 {
		fmt.Fprintf(&b, "        the reader that stopped missed %d, and read all others later\n", res.Late)
	}
	if res.Slowed > 0 {
		fmt.Fprintf(&b, "        the server slowed the posters down %d times: its --post-rate is lower\n        than this load\n", res.Slowed)
	}
	if than != nil {
		b.WriteString(ratio.line(res.Load.Posters == 0))
	}
	_, err := io.WriteString(r.out, b.String())
	return err
}

func describe(l bench.Load) string {
	count := func(n int, one string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %ss", n, one)
	}
	what := fmt.Sprintf("%s, in each %s", count(l.Rooms, "room"), count(l.Readers, "reader"))
	if l.Posters == 0 {
		return fmt.Sprintf("%s, who are silent; %v", what, l.Time)
	}
	speed := fmt.Sprintf("%g a second each", l.Rate)
	if l.Rate == 0 {
		speed = fmt.Sprintf("as fast as %d under way let them", l.Window)
	}
	return fmt.Sprintf("%s and %s, %s;\ntexts of %d bytes; %v; bytes and µs of CPU are those of one delivery", what, count(l.Posters, "poster"), speed, l.Size, l.Time)
}

// benchTable fits a terminal of 80 columns.
type benchTable struct {
	head string
	row  func(name string, res *bench.Result) string
}

var talkTable = benchTable{
	fmt.Sprintf("%-8s%13s%8s%8s%9s%6s%6s%6s%7s%8s", "", "deliveries/s", "p50 ms", "p99 ms", "max ms", "lost", "again", "bytes", "µs CPU", "RSS MiB"),
	func(name string, res *bench.Result) string {
		cpu, rss := "–", "–"
		if res.Server != nil {
			cpu, rss = fmt.Sprintf("%.2f", res.Server.Per), mebi(res.Server.RSS)
		}
		return fmt.Sprintf("%-8s%13.0f%8.2f%8.2f%9.2f%6d%6d%6.0f%7s%8s", name, res.PerSecond, res.P50, res.P99, res.Max, res.Lost+res.Missing, res.Doubled, res.Bytes, cpu, rss)
	},
}

var silentTable = benchTable{
	fmt.Sprintf("%-8s%13s%11s%16s%18s%9s", "", "connections", "joined, s", "KiB each in RSS", "bytes each heard", "RSS MiB"),
	func(name string, res *bench.Result) string {
		each, rss := "–", "–"
		if res.Server != nil {
			each, rss = fmt.Sprintf("%.2f", res.Server.PerConnection(res.Load)/1024), mebi(res.Server.RSS)
		}
		return fmt.Sprintf("%-8s%13d%11.2f%16s%18.0f%9s", name, res.Load.Connections(), res.Connect, each, res.Received, rss)
	},
}

func mebi(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/(1<<20)) }

// benchRatio is the server's figures divided by a bare relay's.
type benchRatio struct {
	PerSecond float64 `json:"deliveries_per_s,omitempty"`
	CPU       float64 `json:"cpu_us_delivery,omitempty"`
	Connect   float64 `json:"connect_s,omitempty"`
	Memory    float64 `json:"rss_per_connection,omitempty"`
}

func ratioOf(bare, server *bench.Result) *benchRatio {
	if server == nil {
		return nil
	}
	over := func(a, b float64) float64 {
		if a <= 0 || b <= 0 {
			return 0
		}
		return a / b
	}
	r := &benchRatio{PerSecond: over(server.PerSecond, bare.PerSecond), Connect: over(server.Connect, bare.Connect)}
	if bare.Server != nil && server.Server != nil {
		r.CPU = over(server.Server.Per, bare.Server.Per)
		r.Memory = over(server.Server.PerConnection(server.Load), bare.Server.PerConnection(bare.Load))
	}
	return r
}

func (r *benchRatio) line(silent bool) string {
	var parts []string
	add := func(what string, ratio float64) {
		if ratio > 0 {
			parts = append(parts, fmt.Sprintf("%s %.2f", what, ratio))
		}
	}
	if silent {
		add("time to join", r.Connect)
		add("memory of a connection", r.Memory)
	} else {
		add("deliveries/s", r.PerSecond)
		add("CPU of a delivery", r.CPU)
	}
	if len(parts) == 0 {
		return ""
	}
	return "        the server ÷ this: " + strings.Join(parts, ", ") + "\n"
}
