package main

import (
	"sync/atomic"

	"lanchat/internal/client"
	"lanchat/internal/tui"
	"lanchat/internal/wiretap"
	"lanchat/protocol"
)

// recorder is what a chat with a screen keeps of the wire, for F2: of the datagrams
// the newest from the start on, since there are few and they found the room; of the
// frames from the first F2 on, since each would cost as much as reading it again.
type recorder struct {
	tap    *wiretap.Tap
	frames atomic.Bool
}

// record begins to keep what goes over the wire.
func (a *app) record() {
	if a.plain() || a.recorder != nil {
		return
	}
	a.recorder = &recorder{tap: wiretap.New()}
	a.o.tap = a.recorder.tap
}

// stream is a client.Config.Watch.
func (r *recorder) stream(link *client.Dialed) func(protocol.Frame) {
	tell := r.tap.Stream(link)
	return func(f protocol.Frame) {
		if r.frames.Load() {
			tell(f)
		}
	}
}

// source is what the screen shows at F2; nil: nothing is kept.
func (r *recorder) source() tui.WireSource {
	if r == nil {
		return nil
	}
	return chatSource{wireSource{r.tap}, r}
}

// chatSource is asked only while F2's view is open.
type chatSource struct {
	wireSource
	recorder *recorder
}

func (s chatSource) Rows(stream bool, after uint64, most int) ([]tui.WireRow, uint64) {
	s.recorder.frames.Store(true)
	return s.wireSource.Rows(stream, after, most)
}

func (s chatSource) Totals() (udp, tcp []string) {
	udp, tcp = s.wireSource.Totals()
	return udp, append(tcp, "since F2 was pressed first")
}
