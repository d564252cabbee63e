package bench

// mark is what a text of a load begins with.
type mark struct {
	poster int
	number uint32
	at     int64 // Unix nanoseconds
}

const markSize = 4 + 8 + 16

const digits = "0123456789abcdef"

func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[v&15]
		v >>= 4
	}
}

func getHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

func putMark(text []byte, m mark) {
	putHex(text[:4], uint64(m.poster))
	putHex(text[4:12], uint64(m.number))
	putHex(text[12:28], uint64(m.at))
}

func parseMark(text []byte) (m mark, ok bool) {
	if len(text) < markSize {
		return m, false
	}
	poster, ok1 := getHex(text[:4])
	number, ok2 := getHex(text[4:12])
	at, ok3 := getHex(text[12:28])
	return mark{int(poster), uint32(number), int64(at)}, ok1 && ok2 && ok3
}
