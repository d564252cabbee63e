package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lanchat/internal/bench"
)

// made are results as a run leaves them.
func made(name string, samples ...sample) *results {
	return &results{Case: name, Build: "x", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: machine{CPU: "a processor", Cores: 2}, Samples: samples}
}

func relayed(round int, what string, perSecond float64) sample {
	return sample{Round: round, What: what, Bench: "--readers 50", Result: bench.Result{PerSecond: perSecond}}
}

// The median of the rounds' ratios counts, each of which is of one round.
func TestRatios(t *testing.T) {
	r := made("A",
		relayed(1, "durable", 50), relayed(1, "batched", 100),
		relayed(2, "durable", 10), relayed(2, "batched", 100),
		relayed(3, "durable", 30), relayed(3, "batched", 100))
	var durable row
	for _, row := range rowsA(r) {
		if row.id == "A durable" {
			durable = row
		}
	}
	if durable.value != 0.3 || durable.reached() != "reached" {
		t.Errorf("%+v is %s", durable, durable.reached())
	}
	r.Samples[0].Result.PerSecond, r.Samples[4].Result.PerSecond = 20, 20
	if row := rowsA(r)[1]; row.value != 0.2 || row.reached() != "missed" {
		t.Errorf("%+v is %s", row, row.reached())
	}
}

func stalled(what string, stall bool, p99 float64, missing, begin, peak int64) sample {
	return sample{What: what, Stall: stall, Result: bench.Result{P99: p99, Late: missing, Server: &bench.Usage{Begin: begin, Peak: peak}}}
}

// What a stall does to the others is compared with a run without one; the worst loss counts.
func TestStallRows(t *testing.T) {
	rows := rowsE(made("E",
		stalled("durable", false, 10, 0, 50<<20, 51<<20), stalled("durable", true, 12, 0, 50<<20, 54<<20),
		stalled("durable", false, 10, 0, 50<<20, 51<<20), stalled("durable", true, 11, 3, 50<<20, 54<<20)))
	want := []struct{ shown, reached string }{{"1.15", "reached"}, {"3", "missed"}, {"4.0 MiB", "reached"}}
	for i, w := range want {
		if rows[i].shown != w.shown || rows[i].reached() != w.reached {
			t.Errorf("%s: %s, %s", rows[i].measure, rows[i].shown, rows[i].reached())
		}
	}
}

// The page is written again between its marks; what people wrote around them stays.
func TestPageKeepsWhatIsWrittenByHand(t *testing.T) {
	o := &options{docs: t.TempDir()}
	if err := writeResults(o, made("A", relayed(1, "durable", 50), relayed(1, "batched", 100))); err != nil {
		t.Fatal(err)
	}
	if err := writePage(o); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(o.docs, "performance.md")
	read := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	page := read()
	if !strings.Contains(page, "| 0.50 | ≥ 0.25 | reached |") || !strings.Contains(page, "a processor") || !strings.Contains(page, "Case D") {
		t.Fatal(page)
	}
	byHand := strings.Replace(page, "# Performance", "# Very fast", 1) + "\nIt is the disk.\n"
	if err := os.WriteFile(file, []byte(byHand), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeResults(o, made("A", relayed(1, "durable", 70), relayed(1, "batched", 100))); err != nil {
		t.Fatal(err)
	}
	if err := writePage(o); err != nil {
		t.Fatal(err)
	}
	if page = read(); page != strings.Replace(byHand, "| 0.50 |", "| 0.70 |", 1) && !strings.Contains(page, "| 0.70 |") ||
		!strings.HasPrefix(page, "# Very fast") || !strings.HasSuffix(page, "\nIt is the disk.\n") {
		t.Error(page)
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writePage(o); err == nil || read() != "no marks" {
		t.Errorf("a page without marks: %v, %q", err, read())
	}
}

// A curve is a picture whatever its points are, none of them outside.
func TestCurves(t *testing.T) {
	use := func(n int) *bench.Usage { return &bench.Usage{Per: 5 + 50/float64(n), RSS: int64(n+20) << 20} }
	for name, points := range map[string][]int{"many": {10, 50, 1_000, 5_000}, "one": {10}} {
		all := map[string]*results{}
		for _, file := range []string{"F1", "F2", "F3"} {
			r := made(file)
			for _, n := range points {
				for _, what := range []string{"durable", "durable-tls", "inline"} {
					r.Samples = append(r.Samples, sample{What: what, Point: n, Result: bench.Result{P50: 0.5, P99: 20, Server: use(n)}})
				}
			}
			all[file] = r
		}
		for of, c := range curves(all) {
			svg := c.svg()
			dec := xml.NewDecoder(strings.NewReader(svg))
			for {
				token, err := dec.Token()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%s of %s: %v\n%s", of, name, err, svg)
				}
				if e, ok := token.(xml.StartElement); ok {
					for _, a := range e.Attr {
						if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || strings.HasPrefix(a.Value, "-") {
							t.Errorf("%s of %s: %s=%s", of, name, a.Name.Local, a.Value)
						}
					}
				}
			}
		}
	}
}
