package wiredemo

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// played is what a run told.
type played struct {
	*Summary
	datagrams, messages []Event
}

func run(t *testing.T, cfg Config) played {
	t.Helper()
	var p played
	cfg.Tell = func(e Event) {
		if e.Kind == Sent {
			return
		}
		if e.Stream {
			p.messages = append(p.messages, e)
		} else {
			p.datagrams = append(p.datagrams, e)
		}
	}
	var err error
	if p.Summary, err = Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return p
}

// whole holds what was told against what was counted: each datagram came or did
// not, each message of the stream came in order.
func (p played) whole(t *testing.T, count int) {
	t.Helper()
	kinds := map[Kind]int{}
	var seqs []int
	for _, e := range p.datagrams {
		kinds[e.Kind]++
		seqs = append(seqs, e.Seq)
	}
	slices.Sort(seqs)
	if len(slices.Compact(seqs)) != count || p.UDP.Sent != count {
		t.Errorf("of %d datagrams %d are told, and %d were sent", count, len(slices.Compact(seqs)), p.UDP.Sent)
	}
	if kinds[Came] != p.UDP.Arrived-p.UDP.Late || kinds[Lost] != p.UDP.Lost+p.UDP.Late || kinds[Doubled] != p.UDP.Doubled {
		t.Errorf("told: %v, counted: %+v", kinds, p.UDP)
	}
	if p.UDP.Lost != p.UDP.Dropped || p.UDP.Arrived != p.UDP.Sent-p.UDP.Dropped {
		t.Errorf("%d were thrown away: %+v", p.UDP.Dropped, p.UDP)
	}
	resent, longest := 0, time.Duration(0)
	for i, e := range p.messages {
		if e.Seq != i+1 || e.Kind != Came {
			t.Fatalf("message %d of the stream is %+v", i+1, e)
		}
		if e.Behind >= e.Seq {
			t.Errorf("%+v waited for a later one", e)
		}
		resent += e.Retransmitted
		longest = max(longest, e.Delay)
	}
	if len(p.messages) != count || p.TCP.Sent != count || p.TCP.Arrived != count || !p.TCP.InOrder || p.TCP.Longest != longest {
		t.Errorf("of %d messages %d came: %+v", count, len(p.messages), p.TCP)
	}
	if p.TCP.Retransmitted != Unknown && resent > p.TCP.Retransmitted {
		t.Errorf("%d segments are told to be sent again, of %d", resent, p.TCP.Retransmitted)
	}
}

// sane bounds a share by chance: with 1,000 tries 30 % is within six standard
// deviations, which fails once in a billion runs.
func sane(t *testing.T, dropped, sent int) {
	t.Helper()
	if share := float64(dropped) / float64(sent); share < 0.21 || share > 0.39 {
		t.Errorf("%d of %d were thrown away, where 30 %% were asked for", dropped, sent)
	}
}

// Where there is no socket filter the relay makes the loss, and what is told is
// what it did.
func TestRelay(t *testing.T) {
	p := run(t, Config{Loss: 30, Count: 1000, Every: time.Millisecond, relay: true})
	p.whole(t, 1000)
	sane(t, p.UDP.Dropped, 1000)
	if !p.Relay || p.Clean == nil {
		t.Errorf("%+v", p.Summary)
	}
}

func TestWithoutLoss(t *testing.T) {
	p := run(t, Config{Loss: 0, Count: 50, Every: time.Millisecond})
	p.whole(t, 50)
	if p.UDP.Arrived != 50 || p.TCP.Dropped > 0 {
		t.Errorf("%+v", p.Summary)
	}
}

// Whoever leaves early gets the numbers of what was played.
func TestLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	sum, err := Run(ctx, Config{Loss: 30, Count: MaxCount, Every: time.Millisecond, Tell: func(Event) {
		if told++; told == 20 {
			cancel()
		}
	}})
	if err != nil || sum.UDP.Sent < 5 || sum.UDP.Sent > MaxCount/2 || sum.UDP.Sent != sum.TCP.Sent || sum.UDP.Lost+sum.UDP.Arrived != sum.UDP.Sent {
		t.Errorf("%+v, %v", sum, err)
	}
}

func TestCheck(t *testing.T) {
	good := Config{Loss: 30, Count: 1, Every: time.Millisecond}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Config{
		{Loss: -1, Count: 1, Every: time.Second}, {Loss: MaxLoss + 1, Count: 1, Every: time.Second}, {Loss: 1, Every: time.Second},
		{Loss: 1, Count: MaxCount + 1, Every: time.Second}, {Loss: 1, Count: 1}, {Loss: 1, Count: 1, Every: time.Hour},
	} {
		if _, err := Run(t.Context(), bad); err == nil {
			t.Errorf("%+v is played", bad)
		}
	}
}
