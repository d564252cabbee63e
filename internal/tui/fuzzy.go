package tui

import (
	"strings"
	"unicode"
)

// What a fuzzy match is worth. A run of letters is what people type most often,
// the beginnings of words are what they abbreviate by.
const (
	perLetter   = 2
	wordStart   = 8
	inARow      = 6
	perGap      = 2
	wholeText   = 10
	leadingMost = 6

	fuzzyLetters = 64 // of a text; no name that is looked for is longer
)

// lettersOf makes a text ready for fuzzy.
func lettersOf(s string) []rune {
	letters := []rune(strings.ToLower(s))
	return letters[:min(len(letters), fuzzyLetters)]
}

// fuzzy says how well a query fits a text: its letters must all be there, in
// order. More is better; -1 is no fit. Both come from lettersOf.
func fuzzy(query, text []rune) int {
	if len(query) == 0 {
		return 0
	}
	if !within(query, text) {
		return -1
	}
	const none = -1 << 20
	// before[j] is the best that the query's letters up to the one before can do
	// when the last of them is text[j].
	var rows [2][fuzzyLetters]int
	before, here := rows[0][:len(text)], rows[1][:len(text)]
	for i, q := range query {
		best := none // of before, up to the letter before j
		for j, r := range text {
			if i > 0 && j > 0 {
				best = max(best, before[j-1])
			}
			here[j] = none
			if r != q {
				continue
			}
			worth := -min(j, leadingMost)
			if i > 0 {
				if worth = best - perGap; j > 0 {
					worth = max(worth, before[j-1]+inARow)
				}
				if worth < none/2 {
					continue
				}
			}
			worth += perLetter
			if j == 0 || !letter(text[j-1]) {
				worth += wordStart
			}
			here[j] = worth
		}
		before, here = here, before
	}
	best := none
	for _, worth := range before {
		best = max(best, worth)
	}
	if len(query) == len(text) {
		best += wholeText
	}
	// Of two that fit alike the shorter one is meant; never below a fit.
	return max(0, best*4-(len(text)-len(query))+64)
}

// within reports whether text has the letters of query in order.
func within(query, text []rune) bool {
	for _, r := range text {
		if r == query[0] {
			if query = query[1:]; len(query) == 0 {
				return true
			}
		}
	}
	return false
}

func letter(r rune) bool {
	if r < 0x80 {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// beginsWord reports whether a word in text begins with query; both are in lower
// case.
func beginsWord(text, query string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], query)
		if i < 0 {
			return false
		}
		if at := from + i; at == 0 || text[at-1] == ' ' {
			return true
		}
		from += i + 1
	}
}
