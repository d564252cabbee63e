package roomlog

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Keep says how much of a log is kept: entries up to an age, or as many of the
// newest as a file of so many bytes holds. The zero Keep keeps everything.
type Keep struct {
	Age   time.Duration
	Bytes int64
}

// The least that can be kept. A file has a size even when nothing is in it, and
// what a bound in bytes leaves must be worth having.
const (
	MinKeepAge   = time.Hour
	MinKeepBytes = 1_000_000
)

var ageUnits = map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

var sizeUnits = map[string]float64{
	"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

// ParseKeep reads an age (12h, 30d, 8w) or a size (500MB, 10GB, 1.5TiB). What is
// empty, or off, keeps everything.
func ParseKeep(s string) (Keep, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	if text == "" || text == "off" {
		return Keep{}, nil
	}
	end := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		return Keep{}, fmt.Errorf("%q has no unit: write an age, such as 12h or 30d, or a size, such as 500MB or 10GB", s)
	}
	number, err := strconv.ParseFloat(text[:end], 64)
	age, isAge := ageUnits[text[end:]]
	size, isSize := sizeUnits[text[end:]]
	if err != nil || !isAge && !isSize {
		return Keep{}, fmt.Errorf("%q is neither an age, such as 12h or 30d, nor a size, such as 500MB or 10GB", s)
	}
	if total := number * max(float64(age), size); total >= math.MaxInt64 {
		return Keep{}, fmt.Errorf("%q is too much to count; without a bound everything is kept", s)
	}
	k := Keep{Age: time.Duration(number * float64(age)), Bytes: int64(number * size)}
	switch {
	case isAge && k.Age < MinKeepAge:
		return Keep{}, fmt.Errorf("%q is too short: an hour, 1h, is the least", s)
	case isSize && k.Bytes < MinKeepBytes:
		return Keep{}, fmt.Errorf("%q is too little: 1MB is the least", s)
	}
	return k, nil
}

// String returns what ParseKeep reads.
func (k Keep) String() string {
	switch {
	case k.Age%(24*time.Hour) == 0 && k.Age > 0:
		return fmt.Sprintf("%dd", k.Age/(24*time.Hour))
	case k.Age > 0:
		return strconv.FormatFloat(k.Age.Hours(), 'f', -1, 64) + "h"
	case k.Bytes > 0:
		return strconv.FormatFloat(float64(k.Bytes)/1e6, 'f', -1, 64) + "MB"
	}
	return "off"
}
