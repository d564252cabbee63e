// Command svg turns a terminal's screen into a picture: it reads what
// "tmux capture-pane -e -N -p" prints and writes an SVG.
//
//	tmux capture-pane -e -N -p -t chat | go run ./scripts/svg > docs/picture.svg
package main

import (
	"bufio"
	"fmt"
	"html"
	"os"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"
)

const (
	cellWidth, cellHeight = 8.4, 17.0
	margin                = 12.0
	foreground            = "#d8dee9"
	background            = "#1e222a"
)

// palette are the sixteen colours of a terminal.
var palette = [16]string{
	"#2e3440", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9",
	"#6b7280", "#ff7b86", "#b5e890", "#ffd98e", "#84c5ff", "#dd9cf2", "#7fd6e0", "#ffffff",
}

// style is how a cell looks.
type style struct {
	fg, bg                         string
	bold, dim, underlined, reverse bool
}

// run is a piece of a line in one style.
type run struct {
	column, width int
	text          string
	style         style
}

func main() {
	if err := convert(); err != nil {
		fmt.Fprintln(os.Stderr, "svg:", err)
		os.Exit(1)
	}
}

func convert() error {
	var lines [][]run
	columns := 80
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	var s style
	for in.Scan() {
		var runs []run
		runs, s = parse(in.Text(), s)
		lines = append(lines, runs)
		for _, r := range runs {
			columns = max(columns, r.column+r.width)
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	w, h := float64(columns)*cellWidth+2*margin, float64(len(lines))*cellHeight+2*margin
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="14">`+"\n", w, h, w)
	fmt.Fprintf(out, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	for row, runs := range lines {
		for _, r := range runs {
			draw(out, row, r)
		}
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func draw(out *bufio.Writer, row int, r run) {
	fg, bg := r.style.fg, r.style.bg
	if fg == "" {
		fg = foreground
	}
	if r.style.reverse {
		if bg == "" {
			bg = background
		}
		fg, bg = bg, fg
	}
	x, y := margin+float64(r.column)*cellWidth, margin+float64(row)*cellHeight
	if bg != "" {
		fmt.Fprintf(out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, float64(r.width)*cellWidth, cellHeight, bg)
	}
	if strings.TrimSpace(r.text) == "" {
		return
	}
	attributes := ""
	if r.style.bold {
		attributes += ` font-weight="bold"`
	}
	if r.style.dim {
		attributes += ` opacity="0.6"`
	}
	if r.style.underlined {
		attributes += ` text-decoration="underline"`
	}
	fmt.Fprintf(out, `<text x="%.1f" y="%.1f" fill="%s" textLength="%.1f" xml:space="preserve"%s>%s</text>`+"\n",
		x, y+cellHeight*0.76, fg, float64(r.width)*cellWidth, attributes, html.EscapeString(r.text))
}

// parse splits a line into runs; the style goes on from line to line.
func parse(line string, s style) ([]run, style) {
	var runs []run
	column := 0
	for line != "" {
		if rest, ok := strings.CutPrefix(line, "\x1b["); ok {
			codes, after, found := strings.Cut(rest, "m")
			if found {
				s = s.with(strings.Split(codes, ";"))
				line = after
				continue
			}
		}
		if line[0] < 0x20 { // SO and SI of tmux's line drawing
			line = line[1:]
			continue
		}
		end := strings.IndexFunc(line, func(r rune) bool { return r < 0x20 })
		if end < 0 {
			end = len(line)
		}
		text := line[:end]
		width := uniseg.StringWidth(text)
		runs = append(runs, run{column, width, text, s})
		column += width
		line = line[end:]
	}
	return runs, s
}

// with returns the style after the codes of ECMA-48's SGR.
func (s style) with(codes []string) style {
	for i := 0; i < len(codes); i++ {
		n, _ := strconv.Atoi(codes[i])
		switch {
		case n == 0:
			s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n == 4:
			s.underlined = true
		case n == 7:
			s.reverse = true
		case n == 22:
			s.bold, s.dim = false, false
		case n == 24:
			s.underlined = false
		case n == 27:
			s.reverse = false
		case n >= 30 && n <= 37:
			s.fg = palette[n-30]
		case n == 39:
			s.fg = ""
		case n >= 40 && n <= 47:
			s.bg = palette[n-40]
		case n == 49:
			s.bg = ""
		case n >= 90 && n <= 97:
			s.fg = palette[n-90+8]
		case n >= 100 && n <= 107:
			s.bg = palette[n-100+8]
		case (n == 38 || n == 48) && i+2 < len(codes) && codes[i+1] == "5":
			c, _ := strconv.Atoi(codes[i+2])
			i += 2
			if n == 38 {
				s.fg = color256(c)
			} else {
				s.bg = color256(c)
			}
		}
	}
	return s
}

// color256 is a colour of the 256 that most terminals have.
func color256(c int) string {
	switch {
	case c < 16:
		return palette[c]
	case c < 232:
		level := func(n int) int {
			if n == 0 {
				return 0
			}
			return 55 + 40*n
		}
		c -= 16
		return fmt.Sprintf("#%02x%02x%02x", level(c/36), level(c/6%6), level(c%6))
	}
	grey := 8 + 10*(c-232)
	return fmt.Sprintf("#%02x%02x%02x", grey, grey, grey)
}
