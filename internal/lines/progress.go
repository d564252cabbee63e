package lines

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	progressAfter = time.Second // shorter inputs are done before anybody wonders
	progressEach  = 250 * time.Millisecond
	slowShown     = 3 * time.Second // the server says it once a second
)

// progress is a line on a terminal that says how far a sender has come.
type progress struct {
	out    io.Writer
	ticker *time.Ticker
	tick   <-chan time.Time // nil: nobody looks
	begin  time.Time
	before time.Time // the last time it was drawn,
	acked  int       // and how many were acknowledged then
	rate   float64
	width  int // of what is drawn
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if out != nil {
		p.ticker = time.NewTicker(progressEach)
		p.tick = p.ticker.C
		p.begin = time.Now()
		p.before = p.begin
	}
	return p
}

func (p *progress) draw(now time.Time, s *sender) {
	if now.Sub(p.begin) < progressAfter {
		return
	}
	if took := now.Sub(p.before).Seconds(); took > 0 {
		rate := float64(s.acked-p.acked) / took
		if p.rate == 0 {
			p.rate = rate
		}
		p.rate += (rate - p.rate) / 4 // so that it can be read
	}
	p.before, p.acked = now, s.acked
	p.show(progressText(now, s, p.rate))
}

func progressText(now time.Time, s *sender, rate float64) string {
	text := fmt.Sprintf("%d lines read, %d sent, %.0f/s", s.read, s.acked, rate)
	if s.refused > 0 {
		text += fmt.Sprintf(", %d refused", s.refused)
	}
	switch {
	case s.down != nil:
		text += "; no connection, trying again"
	case now.Sub(s.slow) < slowShown:
		text += fmt.Sprintf("; slow: the server takes %d/s", s.limits.PostRate)
	}
	return text
}

// show draws a text in place of what was there.
func (p *progress) show(text string) {
	fmt.Fprintf(p.out, "\r%s%s", text, strings.Repeat(" ", max(0, p.width-len(text))))
	p.width = len(text)
}

// end takes the line away.
func (p *progress) end() {
	if p.out == nil {
		return
	}
	p.ticker.Stop()
	if p.width > 0 {
		p.show("")
		fmt.Fprint(p.out, "\r")
	}
}
