package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// results are a case's, as they are kept in docs/performance/.
type results struct {
	Case    string    `json:"case"`
	Build   string    `json:"build"`
	At      time.Time `json:"at"`
	Took    float64   `json:"took_s"`
	Machine machine   `json:"machine"`
	Samples []sample  `json:"samples"`
}

func (l *lab) newResults(name string) *results {
	return &results{Case: name, Build: l.build, At: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(l.o.work)}
}

func resultsFile(o *options, name string) string {
	return filepath.Join(o.docs, "performance", name+".json")
}

func readResults(o *options, name string) (*results, error) {
	b, err := os.ReadFile(resultsFile(o, name))
	if err != nil {
		return nil, err
	}
	var r results
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", resultsFile(o, name), err)
	}
	return &r, nil
}

func writeResults(o *options, r *results) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return writeFile(resultsFile(o, r.Case), append(b, '\n'))
}

// writeFile leaves the old file or the new one, whatever happens.
func writeFile(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// of returns what fits of each round's sample of a kind, at a point of a curve.
func (r *results) of(what string, point int, get func(sample) float64) (values []float64) {
	for _, s := range r.Samples {
		if s.What == what && s.Point == point {
			values = append(values, get(s))
		}
	}
	return values
}

// ratios divides the values of each round.
func (r *results) ratios(what, by string, point int, get func(sample) float64) []float64 {
	a, b := r.of(what, point, get), r.of(by, point, get)
	n := min(len(a), len(b))
	values := make([]float64, n)
	for i := range n {
		values[i] = a[i] / b[i]
	}
	return values
}

// points are the sizes that a kind was measured at.
func (r *results) points(what string) (points []int) {
	for _, s := range r.Samples {
		if s.What == what && !slices.Contains(points, s.Point) {
			points = append(points, s.Point)
		}
	}
	slices.Sort(points)
	return points
}

// median of nothing is 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

func perSecond(s sample) float64 { return s.Result.PerSecond }
func p50(s sample) float64       { return s.Result.P50 }
func p99(s sample) float64       { return s.Result.P99 }
func joined(s sample) float64    { return s.Result.Connect }
func received(s sample) float64  { return s.Result.Received }

func cpu(s sample) float64 {
	if s.Result.Server == nil {
		return 0
	}
	return s.Result.Server.Per
}

func memoryEach(s sample) float64 {
	if s.Result.Server == nil {
		return 0
	}
	return s.Result.Server.PerConnection(s.Result.Load)
}

func memoryAll(s sample) float64 {
	if s.Result.Server == nil {
		return 0
	}
	return float64(s.Result.Server.RSS)
}

// grown is what a server's memory has grown by at most while it was measured.
func grown(s sample) float64 {
	if s.Result.Server == nil {
		return 0
	}
	return float64(s.Result.Server.Peak - s.Result.Server.Begin)
}
