package main

import (
	"fmt"
	"sync"
	"time"

	"lanchat/internal/tui"
	"lanchat/internal/wiredemo"
)

// demoTape is the demo as the screen's two columns.
type demoTape struct {
	loss int

	mu      sync.Mutex
	columns [2]struct {
		rows []tui.WireRow // the newest
		last uint64
	}
	sent, arrived, lost, streamed, again int
	longest                              time.Duration
	end                                  []string // the totals of both columns when it is over
}

const demoRows = 1000

func (t *demoTape) title() string {
	return fmt.Sprintf("The same messages both ways; %d %% of what arrives is thrown away", t.loss)
}

func (t *demoTape) tell(e wiredemo.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := tui.WireRow{At: e.At, Head: fmt.Sprintf("%s · %.1f ms", e.Text, milliseconds(e.Delay)), Notes: notes(e), Loud: e.Kind != wiredemo.Came || e.Retransmitted > 0}
	row.Detail = []string{fmt.Sprintf("beacon of %d bytes, seq %d", e.Bytes, e.Seq)}
	column := &t.columns[0]
	switch {
	case e.Kind == wiredemo.Sent:
		t.sent++
		return
	case e.Stream:
		column = &t.columns[1]
		t.streamed++
		t.again += e.Retransmitted
		t.longest = max(t.longest, e.Delay)
		row.Detail = []string{fmt.Sprintf("entry of %d bytes, seq %d", e.Bytes, e.Seq)}
		if first, last := e.Reads[0], e.Reads[1]; last > first {
			row.Detail = append(row.Detail, fmt.Sprintf("over the reads %d to %d", first, last))
		} else if last > 0 {
			row.Detail = append(row.Detail, fmt.Sprintf("by read %d, %d more frames behind it", last, e.More))
		}
	case e.Kind == wiredemo.Lost:
		t.lost++
		row.Head = e.Text + " · LOST"
		row.Detail = []string{"seen by the gap in seq: nobody tells"}
	case e.Kind == wiredemo.Came:
		t.arrived++
	default:
		row.Head += " · " + words[e.Kind]
		if e.Kind == wiredemo.Late {
			t.lost--
			t.arrived++
		}
	}
	if len(column.rows) == demoRows {
		column.rows = append(make([]tui.WireRow, 0, demoRows), column.rows[demoRows/10:]...)
	}
	column.rows = append(column.rows, row)
	column.last++
}

func (t *demoTape) over(sum *wiredemo.Summary, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = []string{"", ""}
	if sum != nil {
		t.end[0], t.end[1] = sums(sum)
	}
	if err != nil {
		t.end[1] += " FAILED: " + err.Error()
	}
}

func (t *demoTape) Rows(stream bool, after uint64, most int) ([]tui.WireRow, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.columns[0]
	if stream {
		c = &t.columns[1]
	}
	n := min(int(c.last-after), len(c.rows), most)
	return append([]tui.WireRow(nil), c.rows[len(c.rows)-n:]...), c.last
}

func (t *demoTape) Totals() (udp, tcp []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end != nil {
		return t.end[:1], t.end[1:]
	}
	return []string{fmt.Sprintf("%d sent, %d arrived, %d lost (%d %%)", t.sent, t.arrived, t.lost, percent(t.lost, t.arrived+t.lost))},
		[]string{fmt.Sprintf("%d sent, %d arrived, %d segments sent again, longest %.1f ms", t.sent, t.streamed, t.again, milliseconds(t.longest))}
}
