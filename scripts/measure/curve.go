package main

import (
	"fmt"
	"math"
	"strings"
)

// curve is a picture of how something grows.
type curve struct {
	title    string
	x, y     string // what the axes are
	flatAxis bool   // the y axis is linear and begins at 0; otherwise both are logarithmic
	lines    []line
}

type line struct {
	name string
	at   [][2]float64
}

const (
	curveWidth, curveHeight = 720.0, 380.0
	left, right             = 76.0, 44.0
	top, bottom             = 48.0, 76.0
	ink                     = "#d8dee9"
	paper                   = "#1e222a"
	faint                   = "#3b4252"
)

var colours = []string{"#61afef", "#98c379", "#e5c07b", "#e06c75"}

// svg draws it.
func (c curve) svg() string {
	x := axis{low: math.Inf(1), high: math.Inf(-1), log: true, from: left, to: curveWidth - right}
	y := axis{low: math.Inf(1), high: math.Inf(-1), log: !c.flatAxis, from: curveHeight - bottom, to: top}
	for _, l := range c.lines {
		for _, p := range l.at {
			x.include(p[0])
			y.include(p[1])
		}
	}
	y.round()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" font-family="DejaVu Sans,Helvetica,Arial,sans-serif" font-size="13">`+"\n", curveWidth, curveHeight, curveWidth)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", paper)
	text := func(x, y float64, anchor, colour, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, colour, s)
	}
	text(left, 26, "start", ink, c.title)
	for _, v := range y.marks() {
		at := y.at(v)
		fmt.Fprintf(&b, `<path d="M%.1f %.1fH%.1f" stroke="%s"/>`+"\n", left, at, curveWidth-right, faint)
		text(left-8, at+4, "end", ink, number(v))
	}
	for _, v := range x.marks() {
		text(x.at(v), curveHeight-bottom+20, "middle", ink, thousands(v))
	}
	text(left, curveHeight-bottom+42, "start", ink, c.x+" → · ↑ "+c.y)
	legend := left
	for i, l := range c.lines {
		colour := colours[i%len(colours)]
		var path []string
		for _, p := range l.at {
			path = append(path, fmt.Sprintf("%.1f %.1f", x.at(p[0]), y.at(p[1])))
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x.at(p[0]), y.at(p[1]), colour)
		}
		fmt.Fprintf(&b, `<path d="M%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, "L"), colour)
		fmt.Fprintf(&b, `<path d="M%.1f %.1fh18" stroke="%s" stroke-width="3"/>`+"\n", legend, curveHeight-18.0, colour)
		text(legend+24, curveHeight-14, "start", ink, l.name)
		legend += 44 + 7.5*float64(len([]rune(l.name)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// axis puts values on a picture.
type axis struct {
	low, high float64
	log       bool
	from, to  float64
}

func (a *axis) include(v float64) { a.low, a.high = min(a.low, v), max(a.high, v) }

// round lets an axis end at marks.
func (a *axis) round() {
	if a.log {
		a.low, a.high = math.Pow(10, math.Floor(math.Log10(a.low))), math.Pow(10, math.Ceil(math.Log10(a.high)))
		return
	}
	a.low = 0
	step := a.step()
	a.high = math.Ceil(a.high/step) * step
}

// step is that between marks: 1, 2 or 5 with zeros, for about five of them.
func (a *axis) step() float64 {
	rough := max(a.high, 1e-9) / 5
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, k := range []float64{1, 2, 5} {
		if k*unit >= rough {
			return k * unit
		}
	}
	return 10 * unit
}

func (a *axis) marks() (marks []float64) {
	if !a.log {
		for i := 0; float64(i)*a.step() <= a.high*1.0001; i++ {
			marks = append(marks, float64(i)*a.step())
		}
		return marks
	}
	for k := math.Ceil(math.Log10(a.low) - 1e-9); k <= math.Log10(a.high)+1e-9; k++ {
		marks = append(marks, math.Pow(10, k))
	}
	return marks
}

func (a *axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(max(v, 1e-9))
	}
	if high == low {
		return (a.from + a.to) / 2
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// number is short: 0.5, 20.
func number(v float64) string {
	if v >= 1000 {
		return thousands(v)
	}
	return fmt.Sprintf("%.4g", v)
}

// thousands is a whole number with commas.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// curves are those that the results have points for.
func curves(all map[string]*results) map[string]curve {
	made := map[string]curve{}
	points := func(r *results, what string, get func(int) float64) (at [][2]float64) {
		for _, n := range r.points(what) {
			at = append(at, [2]float64{float64(n), get(n)})
		}
		return at
	}
	if r := all["F1"]; r != nil {
		c := curve{title: "CPU of a delivery, 5,000 connections in all, durable, without TLS", x: "people in a room", y: "µs", flatAxis: true}
		for _, what := range []string{durable.name, "inline"} {
			name := map[string]string{durable.name: "chatd", "inline": "inline relay"}[what]
			c.lines = append(c.lines, line{name, points(r, what, func(n int) float64 { return median(r.of(what, n, cpu)) })})
		}
		made["rooms"] = c
	}
	if r := all["F2"]; r != nil {
		c := curve{title: "From posting until it is heard, durable, without TLS", x: "entries in the log", y: "ms"}
		for _, l := range []struct {
			name, what string
			get        func(sample) float64
		}{{"chatd, half of all", durable.name, p50}, {"chatd, 99 of 100", durable.name, p99}, {"inline relay, half", "inline", p50}, {"99 of 100", "inline", p99}} {
			c.lines = append(c.lines, line{l.name, points(r, l.what, func(n int) float64 { return median(r.of(l.what, n, l.get)) })})
		}
		made["log"] = c
	}
	if r := all["F3"]; r != nil {
		c := curve{title: "The server's memory with silent connections in one room", x: "connections", y: "MiB"}
		for _, k := range []kind{durable, durableTLS} {
			name := map[bool]string{false: "without TLS", true: "TLS"}[k.tls]
			c.lines = append(c.lines, line{name, points(r, k.name, func(n int) float64 { return median(r.of(k.name, n, memoryAll)) / (1 << 20) })})
		}
		made["memory"] = c
	}
	return made
}
