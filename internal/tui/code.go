package tui

import (
	"strings"

	"lanchat/internal/safetext"
)

// span is a part of a row, by bytes, that is drawn in an ink of its own.
type span struct {
	from, to int
	ink      ink
}

// stretch is a part of a message, by bytes: prose, or code that stands between
// fences of ``` on several lines, or of more backticks.
type stretch struct {
	from, to int
	code     bool
}

const fence = "```"

// stretches takes a text apart. The fences, a word behind the first one (the
// language) and the line breaks beside them are in no stretch. A fence that is
// never closed is text like any other. There is always one stretch.
func stretches(text string) []stretch {
	var out []stretch
	start := 0
	for at := 0; ; {
		open := strings.Index(text[at:], fence)
		if open < 0 {
			break
		}
		open += at
		from := open + len(fence)
		for from < len(text) && text[from] == '`' {
			from++
		}
		mark := text[open:from] // a longer one, so that the code can have ```
		end := strings.Index(text[from:], mark)
		if end < 0 {
			at = from
			continue
		}
		end += from
		at = end + len(mark)
		first, _, lines := strings.Cut(text[from:end], "\n")
		if !lines {
			continue // within a line: inked by spansIn
		}
		if !strings.Contains(strings.TrimSpace(first), " ") {
			from += len(first) + 1
		}
		if prose := strings.TrimSuffix(text[start:open], "\n"); prose != "" {
			out = append(out, stretch{start, start + len(prose), false})
		}
		out = append(out, stretch{from, from + len(strings.TrimSuffix(text[from:end], "\n")), true})
		if start = at; strings.HasPrefix(text[start:], "\n") {
			start++
		}
	}
	if start < len(text) || len(out) == 0 {
		out = append(out, stretch{start, len(text), false})
	}
	return out
}

// codeIn is the code of a text as it was written, blocks one behind the other;
// where there is none between fences, what stands in ` `.
func codeIn(text string) string {
	var blocks []string
	for _, s := range stretches(text) {
		if s.code {
			blocks = append(blocks, text[s.from:s.to])
		}
	}
	if len(blocks) == 0 {
		for _, s := range spansIn(text) {
			if s.ink == code {
				blocks = append(blocks, strings.Trim(text[s.from:s.to], "`"))
			}
		}
	}
	return strings.Join(blocks, "\n")
}

// spansIn finds in prose what is code, in backquotes that are seen, and the links.
func spansIn(text string) []span {
	if !strings.Contains(text, "`") && !strings.Contains(text, "://") {
		return nil // most text
	}
	var out []span
	for i := 0; i < len(text); {
		n := 0
		switch text[i] {
		case '`':
			n = quoted(text[i:])
			if n > 0 {
				out = append(out, span{i, i + n, code})
			} else {
				n = len(text[i:]) - len(strings.TrimLeft(text[i:], "`"))
			}
		case 'h', 'H':
			if n = safetext.Link(text, i); n > 0 {
				out = append(out, span{i, i + n, link})
			}
		}
		i += max(1, n)
	}
	return out
}

// quoted is how long the code is that begins with backquotes and ends, in the same
// line, with as many; 0 when it does not.
func quoted(s string) int {
	s, _, _ = strings.Cut(s, "\n")
	ticks := len(s) - len(strings.TrimLeft(s, "`"))
	end := strings.Index(s[ticks:], s[:ticks])
	if end <= 0 {
		return 0
	}
	return ticks + end + ticks
}

// linked has the links of a text, outside of code, show where they lead.
func linked(text string) string {
	if !strings.Contains(text, "://") {
		return text // most text
	}
	var out strings.Builder
	done := 0
	for _, s := range stretches(text) {
		if !s.code {
			out.WriteString(text[done:s.from])
			out.WriteString(safetext.Links(text[s.from:s.to]))
			done = s.to
		}
	}
	return out.String() + text[done:]
}

// inked gives each row its part of the spans, which lie in order in the text of
// which the rows are the lines.
func inked(rows []row, spans []span) {
	for i := range rows {
		r := &rows[i]
		end := r.off + len(r.text)
		for len(spans) > 0 && spans[0].to <= r.off {
			spans = spans[1:]
		}
		for _, s := range spans {
			if s.from >= end {
				break
			}
			r.spans = append(r.spans, span{max(s.from, r.off) - r.off, min(s.to, end) - r.off, s.ink})
		}
	}
}

// wrapCode breaks code into rows of at most so many columns, wherever they are
// full: spaces are a part of it. A row that goes on with a line says so by its
// role. The talk shows all of it that way: cut off, its end could be read only by
// somebody who has learned a key for that.
func wrapCode(text string, columns int) []row {
	columns = max(1, columns)
	var rows []row
	off := 0
	for line := range strings.SplitSeq(text, "\n") {
		role, start, used := codeRow, 0, 0
		for at := 0; at < len(line); {
			cluster, n := next(line[at:])
			if used+n > columns && at > start {
				rows = append(rows, row{text: line[start:at], off: off + start, role: role})
				role, start, used = codeOn, at, 0
			}
			used += n
			at += len(cluster)
		}
		rows = append(rows, row{text: line[start:], off: off + start, role: role})
		off += len(line) + 1
	}
	return rows
}
