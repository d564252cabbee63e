// Package safetext makes another person's text harmless for a terminal.
//
// Whatever a peer chose, a message, a nick, a room's topic, a server's name, an
// error's wording, passes through [Text] or [Line] when it comes in and again
// where it leaves for a screen. What comes out can be written to a terminal as
// it is: it moves no cursor, sets no title, colours nothing, forges no line and
// turns no reading direction.
//
//   - C0 controls and DEL become their visible pictures (ESC is ␛), C1 controls,
//     private-use characters and noncharacters U+FFFD. A terminal sees no control
//     but newline and, from Text, tab.
//   - CR, CR LF, VT, FF, NEL and the line and paragraph separators become
//     newlines, so that nothing but a newline can begin a line.
//   - Direction controls and isolates, zero-width and other format characters
//     (interlinear annotation, deprecated ones), tags and blank letters (Hangul
//     fillers, Braille blank) are dropped. Where they carry meaning they stay:
//     joiners inside emoji and in scripts that join, the tags of a flag.
//   - What piles up is cut: of the marks on one character, parts of a Hangul
//     syllable and signs before a character four stay each, of emoji that are
//     joined to one five. A variation selector stays right behind a character, a
//     skin tone right behind an emoji.
//   - Invalid UTF-8 becomes U+FFFD.
//
// Text from right to left stays as it was written. Nothing is put in to turn or to
// fence the direction: a terminal that orders such text does so within a line, and
// most leave it in the order in which it was sent.
//
// Both functions are idempotent, make no text longer than three times what it was,
// and may be called by several goroutines at once. [Links] is for what is shown to
// people, behind them.
//
// Source: Unicode TR 36, TR 51 and UAX 29; ECMA-48 for what terminals obey.
package safetext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// MaxMarks is how many combining marks stay on one character.
const MaxMarks = 4

// maxJoins is how many joiners one emoji may have: no emoji of Unicode has more
// than three.
const maxJoins = 4

// Text cleans text of several lines: newlines and tabs stay.
func Text(s string) string { return clean(s, '\n', '\t') }

// Line cleans text of one line: newlines and tabs become spaces.
func Line(s string) string { return clean(s, ' ', ' ') }

func clean(s string, newline, tab rune) string {
	if plain(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s))
	in := []rune(s) // bytes that are no UTF-8 become U+FFFD here
	marks, joined, before := 0, 0, 0
	var last rune // the last one written
	var base rune // the last one written that begins a character
	for i := 0; i < len(in); i++ {
		r := in[i]
		switch {
		case r == '\t':
			r = tab
		case r == '\r' && i+1 < len(in) && in[i+1] == '\n':
			continue
		case r == '\n', r == '\r', r == '\v', r == '\f', r == 0x85, r == 0x2028, r == 0x2029:
			r = newline
		case r < 0x20:
			r += 0x2400
		case r == 0x7f:
			r = 0x2421
		case r < 0x7f:
		case r < 0xa0, unicode.Is(unicode.Co, r), r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef:
			r = utf8.RuneError
		case r == 0x1f3f4: // a black flag: its tags say whose
			n := flagTags(in[i+1:])
			for _, t := range in[i : i+n] {
				out.WriteRune(t)
			}
			i += n
			r = in[i]
		case r == zwj || r == zwnj:
			if joined == maxJoins || !joins(last, base, in[i+1:], r) {
				continue
			}
			joined++
		case selector(r):
			if last != base || base <= ' ' {
				continue
			}
		case skinTone(r):
			if last != base || !pictograph(base) {
				continue
			}
		case invisible(r):
			continue
		}
		if unicode.Is(prepended, r) {
			if before == MaxMarks {
				continue
			}
			before++
		} else {
			before = 0
		}
		if rides(r) || leading(r) && leading(last) {
			if marks == MaxMarks {
				continue
			}
			marks++
		} else if !continues(r) {
			marks = 0
		}
		out.WriteRune(r)
		if !continues(r) {
			if base = r; last != zwj {
				joined = 0
			}
		}
		last = r
	}
	return out.String()
}

// plain reports whether s is printable ASCII throughout: most text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

const (
	zwnj = 0x200c
	zwj  = 0x200d
)

// joins reports whether a joiner between last and the first of rest does
// something: ZWJ between emoji, either one inside a script that joins letters.
// base is what last belongs to.
func joins(last, base rune, rest []rune, joiner rune) bool {
	if len(rest) == 0 {
		return false
	}
	next := rest[0]
	if joiner == zwj && pictograph(base) && pictograph(next) {
		return true
	}
	return unicode.In(last, joining...) && unicode.In(next, joining...)
}

// joining are the scripts in which the joiners change how a word is written.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali,
	unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
	unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar,
}

// pictograph reports whether r is one of the emoji that a ZWJ joins, by rule GB11
// of UAX 29: then all of it is one character to whoever draws it.
func pictograph(r rune) bool {
	if r < 0x2000 && r != 0xa9 && r != 0xae {
		return false
	}
	_, rest, _, _ := uniseg.FirstGraphemeClusterInString("👨\u200d"+string(r), -1)
	return rest == "" && !continues(r)
}

// continues reports whether r belongs to the character before it: a mark, a
// selector of form, a skin tone, a joiner.
func continues(r rune) bool { return r == zwj || r == zwnj || skinTone(r) || rides(r) }

// rides reports whether r stands on the character before it, or behind it in the
// same one, and could do so without end.
func rides(r rune) bool {
	switch {
	case r >= 0x1160 && r <= 0x11ff, r >= 0xd7b0 && r <= 0xd7ff: // vowels and ends of Hangul syllables
		return true
	case r == 0xe33, r == 0xeb3, r == 0xff9e, r == 0xff9f: // letters that UAX 29 adds to what they follow
		return true
	}
	return unicode.In(r, unicode.M)
}

// leading reports whether r begins a Hangul syllable; several make one character.
func leading(r rune) bool { return r >= 0x1100 && r <= 0x115f || r >= 0xa960 && r <= 0xa97c }

func selector(r rune) bool { return r >= 0xfe00 && r <= 0xfe0f }
func skinTone(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }

// prepended are the signs that make one character with what follows them (the
// property Prepend of UAX 29).
var prepended = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x600, Hi: 0x605, Stride: 1}, {Lo: 0x6dd, Hi: 0x70f, Stride: 0x32}, {Lo: 0x890, Hi: 0x891, Stride: 1},
		{Lo: 0x8e2, Hi: 0x8e2, Stride: 1}, {Lo: 0xd4e, Hi: 0xd4e, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x110bd, Hi: 0x110cd, Stride: 0x10}, {Lo: 0x111c2, Hi: 0x111c3, Stride: 1}, {Lo: 0x1193f, Hi: 0x11941, Stride: 2},
		{Lo: 0x11a3a, Hi: 0x11a3a, Stride: 1}, {Lo: 0x11a84, Hi: 0x11a89, Stride: 1}, {Lo: 0x11d46, Hi: 0x11d46, Stride: 1}, {Lo: 0x11f02, Hi: 0x11f02, Stride: 1}},
}

// flagTags is how many of the first runes are the tags of a subdivision's flag
// (England, Scotland, …): letters and digits, then the end tag.
func flagTags(rest []rune) int {
	for n, r := range rest {
		switch {
		case r == 0xe007f && n >= 3:
			return n + 1
		case n >= 6, r < 0xe0030 || r > 0xe007a:
			return 0
		}
	}
	return 0
}

// invisible reports whether r draws nothing, or nothing but blank space under a
// letter's guise.
func invisible(r rune) bool {
	switch {
	case r >= 0x600 && r <= 0x605, r == 0x6dd, r == 0x70f, r == 0x8e2:
		return false // format characters that are drawn: Arabic number and verse signs
	case r == 0x34f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r >= 0x180b && r <= 0x180f,
		r == 0x2065, r == 0x2800, r == 0x3164, r == 0xffa0, r >= 0xfff0 && r <= 0xfff8, r >= 0x13441 && r <= 0x13442, r == 0x16fe4,
		r == 0x1d159, r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return unicode.Is(unicode.Cf, r)
}
