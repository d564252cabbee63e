package main

import (
	"strings"
	"unicode/utf8"

	"rsc.io/qr"
)

// qrMargin is how many modules of light stand around a code. The standard has four;
// phones make do with two, and so it fits 24 rows.
const qrMargin = 2

// qrPicture is a QR code for a terminal: two modules stand in one character, one above
// the other.
type qrPicture struct {
	rows    []string
	colours bool
}

// qrCode makes a QR code of a text. With colours it is black on white whatever the
// terminal's are; without, light is what the terminal writes in, as most have it.
func qrCode(text string, colours bool) (qrPicture, error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return qrPicture{}, err
	}
	p := qrPicture{colours: colours}
	light := func(x, y int) bool { return !code.Black(x, y) } // outside of the code all is light
	end := code.Size + qrMargin
	for y := -qrMargin; y < end; y += 2 {
		var row strings.Builder
		for x := -qrMargin; x < end; x++ {
			upper, lower := light(x, y), y+1 < end && light(x, y+1)
			row.WriteRune([]rune(" ▄▀█")[index(lower)+2*index(upper)])
		}
		p.rows = append(p.rows, row.String())
	}
	return p, nil
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p qrPicture) size() (columns, rows int) {
	return utf8.RuneCountInString(p.rows[0]), len(p.rows)
}

func (p qrPicture) String() string {
	var b strings.Builder
	for _, row := range p.rows {
		if p.colours {
			row = "\x1b[38;5;231;48;5;16m" + row + "\x1b[0m"
		}
		b.WriteString(row + "\n")
	}
	return b.String()
}
