// Package nicks says what a nick may be, and when two are the same to a person who
// reads them. It is used by the server, which grants nicks, and by the client, which
// notices a nick that was somebody else's.
//
// A nick is prepared by RFC 8266 (the Nickname profile of PRECIS: NFKC, so that full
// width is plain width). Its letters are of one script, or of those that are written
// together: Latin with Japanese, with Chinese or with Korean (the highly restrictive
// level of Unicode TR 39, section 5.2).
//
// Two nicks are the same when they have a key in common: neither case, nor width, nor
// letters that look alike (the skeletons of TR 39, section 4) tell people apart. A nick
// has a key for how it is written and one for its lower case, since letters may look
// alike in one case only: the Cyrillic В is a B, and в is none. Capital i, small l and the
// digits that pass for letters are taken for the same.
//
// All functions may be called by several goroutines at once.
package nicks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
)

// Prepare returns a nick in the form in which it is kept, shown and sent.
func Prepare(nick string) (string, error) {
	prepared, err := precis.Nickname.String(nick)
	if err != nil {
		return "", fmt.Errorf("a nick has letters, digits and signs that can be seen: %w", err)
	}
	if err := oneScript(prepared); err != nil {
		return "", err
	}
	return prepared, nil
}

// Keys returns what nicks are compared by, one or two: those of two nicks that are the
// same have one in common. A key is no nick, and is never shown.
func Keys(nick string) []string {
	written, err := precis.Nickname.String(nick)
	if err != nil {
		written = nick
	}
	return slices.Compact([]string{key(cases.Fold().String(written)), key(written)})
}

// Same reports whether a person may take one nick for the other.
func Same(a, b string) bool {
	return slices.ContainsFunc(Keys(a), func(key string) bool { return slices.Contains(Keys(b), key) })
}

func key(nick string) string {
	return alike.Replace(cases.Fold().String(confusable.Skeleton(nick)))
}

// alike are those that the skeleton leaves apart since one case of them differs: I
// and l, O and 0.
var alike = strings.NewReplacer("i", "l", "ı", "l", "0", "o", "1", "l", "|", "l")

// together are the scripts that one nick may have letters of at once.
var together = [][]*unicode.RangeTable{
	{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Latin, unicode.Han, unicode.Bopomofo},
	{unicode.Latin, unicode.Han, unicode.Hangul},
}

// shared are the scripts of what belongs to none: digits, signs, marks.
var shared = []*unicode.RangeTable{unicode.Common, unicode.Inherited}

func oneScript(nick string) error {
	var letters []rune
	for _, r := range nick {
		if !unicode.In(r, shared...) {
			letters = append(letters, r)
		}
	}
	if len(letters) == 0 || allIn(letters, scriptOf(letters[0])) {
		return nil
	}
	for _, scripts := range together {
		if allIn(letters, scripts...) {
			return nil
		}
	}
	return errors.New("a nick's letters are all of one script, so that none passes for another one's")
}

func allIn(letters []rune, scripts ...*unicode.RangeTable) bool {
	for _, r := range letters {
		if !unicode.In(r, scripts...) {
			return false
		}
	}
	return true
}

func scriptOf(r rune) *unicode.RangeTable {
	for _, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return table
		}
	}
	return unicode.Latin // unassigned; precis has refused it
}
