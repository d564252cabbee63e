package tui

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
)

// tape is a recording of the wire that keeps the newest rows.
type tape struct {
	mu    sync.Mutex
	keeps int
	rows  [2][]WireRow // all of them
	asked int
}

func (s *tape) add(stream bool, rows ...WireRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[index(stream)] = append(s.rows[index(stream)], rows...)
}

func index(stream bool) int {
	if stream {
		return 1
	}
	return 0
}

func (s *tape) Rows(stream bool, after uint64, most int) ([]WireRow, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	all := s.rows[index(stream)]
	from := max(int(after), len(all)-s.keeps, len(all)-most)
	return append([]WireRow(nil), all[from:]...), uint64(len(all))
}

func (s *tape) Totals() (udp, tcp []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []string{fmt.Sprintf("%d came, 1 lost", len(s.rows[0]))}, []string{fmt.Sprintf("%d frames in 9 reads, 2 segments sent again", len(s.rows[1]))}
}

// newTape has the beginning of a talk on it.
func newTape() *tape {
	s := &tape{keeps: 1000}
	at := func(ms int) time.Time { return time.Unix(1_799_999_990, int64(ms)*1_000_000).UTC() }
	s.add(false,
		WireRow{At: at(0), Sent: true, Head: "query · 256 bytes · 10.77.0.255:25252", Detail: []string{`name "Hack Night"`, "token 4f1d…, seq 0"}},
		WireRow{At: at(2), Head: "answer · 178 bytes · 10.77.0.1:25252", Notes: []string{"round trip 1.2 ms"}, Detail: []string{"name \"Hack\x1b[31m Night\"", "port 25252, people 3"}},
		WireRow{At: at(940), Head: "beacon · 141 bytes · 10.77.0.1:25252", Notes: []string{"2 before it were lost"}, Detail: []string{"seq 9, ttl 35"}, Loud: true},
		WireRow{At: at(2100), Head: "beacon · 141 bytes · 10.77.0.1:25252", Detail: []string{"seq 10, ttl 35"}})
	s.add(true,
		WireRow{At: at(31), Sent: true, Head: "hello · 61 bytes", Detail: []string{"v 1", "nick \"ann\""}},
		WireRow{At: at(33), Head: "welcome · 164 bytes", Notes: []string{"1 frame over 2 reads"}, Detail: []string{"server \"Hack Night\""}},
		WireRow{At: at(702), Head: "entry · 98 bytes", Notes: []string{"3 frames in one read", "2 segments were sent again"}, Detail: []string{"text \"你好 [red]\""}, Loud: true})
	return s
}

func TestGoldenWire(t *testing.T) {
	for _, size := range []struct{ w, h int }{{120, 40}, {80, 24}, {40, 20}, {40, 12}, {20, 6}} {
		for _, state := range []string{"wire", "wire-fields"} {
			t.Run(fmt.Sprintf("%s-%dx%d", state, size.w, size.h), func(t *testing.T) {
				g := newGrid(t, size.w, size.h)
				u, _ := quiet()
				u.cfg.Wire = newTape()
				u.apply(evening())
				g.draw(u)
				u.key(tcell.NewEventKey(tcell.KeyF2, 0, 0))
				if state == "wire-fields" {
					u.key(tcell.NewEventKey(tcell.KeyEnter, 0, 0))
					u.key(tcell.NewEventKey(tcell.KeyTab, 0, 0))
				}
				g.HideCursor()
				g.draw(u)
				g.compare(t)
			})
		}
	}
}

// watchWire shows the tape on a terminal of its own.
func watchWire(t *testing.T, s *tape, w, h int) (*shot, chan error) {
	t.Helper()
	screen := newShot(w, h)
	done := make(chan error, 1)
	go func() { done <- Wire(t.Context(), WireConfig{Screen: screen, Source: s, Title: "the wire"}) }()
	return screen, done
}

func leaveWire(t *testing.T, s *shot, done chan error) {
	t.Helper()
	s.press(tcell.KeyEscape, 0)
	if err := <-done; !errors.Is(err, ErrLeft) {
		t.Errorf("Wire = %v", err)
	}
}

func many(s *tape, stream bool, from, n int) {
	for i := range n {
		s.add(stream, WireRow{At: time.Unix(1_800_000_000, 0), Head: fmt.Sprintf("row %04d.", from+i), Detail: []string{fmt.Sprintf("field %04d.", from+i)}})
	}
}

// What comes is shown at the bottom; who reads further up is not moved away, and
// who goes back to the end follows again.
func TestWireScrolls(t *testing.T) {
	tape := &tape{keeps: 1000}
	many(tape, false, 0, 100)
	many(tape, true, 5000, 3)
	s, done := watchWire(t, tape, 80, 24)
	s.see(t, "row 0099.")
	s.see(t, "row 5002.")
	s.press(tcell.KeyUp, 0)
	s.gone(t, "row 0099.")
	s.see(t, "1 newer")
	many(tape, false, 100, 50)
	many(tape, true, 5003, 1)
	screen := s.see(t, "51 newer")
	if !strings.Contains(screen, "row 0098.") || strings.Contains(screen, "row 0099.") {
		t.Errorf("it did not stand still:\n%s", screen)
	}
	s.see(t, "row 5003.") // the other side goes on
	s.press(tcell.KeyHome, 0)
	s.see(t, "row 0000.")
	s.press(tcell.KeyDown, 0) // one on, at once
	s.gone(t, "row 0000.")
	s.see(t, "row 0001.")
	s.press(tcell.KeyPgDn, 0)
	s.gone(t, "row 0001.")
	s.press(tcell.KeyEnd, 0)
	s.see(t, "row 0149.")
	s.gone(t, "newer")
	s.press(tcell.KeyPgUp, 0)
	s.gone(t, "row 0149.")
	s.press(tcell.KeyPgDn, 0)
	s.see(t, "row 0149.")
	s.gone(t, "newer")

	s.keys("d")
	s.see(t, "field 0149.")
	s.see(t, "field 5003.")
	s.keys("p")
	s.see(t, "PAUSED")
	many(tape, false, 150, 5)
	s.keys("d")
	if screen = s.gone(t, "field 0149."); !strings.Contains(screen, "row 0149.") || strings.Contains(screen, "row 0150.") {
		t.Errorf("it is not paused:\n%s", screen)
	}
	s.keys(" ")
	s.see(t, "row 0154.")
	leaveWire(t, s, done)
}

// More comes while it is paused than anybody keeps: it goes on with the newest,
// and where one stood is not a place any more.
func TestWireKeepsNoMore(t *testing.T) {
	tape := &tape{keeps: 1000}
	many(tape, false, 0, 10)
	v := newWireView(tape, "", time.UTC)
	g := newGrid(t, 80, 24)
	draw := func() string {
		g.Clear()
		v.draw(painter{s: g, th: terminalTheme, w: 80, h: 24})
		var out strings.Builder
		for y := range 24 {
			for x := range 80 {
				s, _, _ := g.Get(x, y)
				out.WriteString(s)
			}
			out.WriteByte('\n')
		}
		return out.String()
	}
	draw()
	v.wheel(-5)
	if screen := draw(); !strings.Contains(screen, "row 0009.") || v.udp.stands != 0 {
		t.Errorf("where everything fits there is nothing to scroll:\n%s", screen)
	}
	many(tape, false, 10, 90)
	draw()
	v.wheel(-50)
	draw()
	many(tape, false, 100, 5000)
	screen := draw()
	if len(v.udp.rows) != maxWireRows || v.udp.lost != 4000 || !strings.Contains(screen, "row 4100.") || !strings.Contains(screen, "newer") {
		t.Errorf("%d rows, %d lost:\n%s", len(v.udp.rows), v.udp.lost, screen)
	}
	v.key(tcell.NewEventKey(tcell.KeyEnd, 0, 0))
	if screen = draw(); !strings.Contains(screen, "row 5099.") {
		t.Errorf("the end:\n%s", screen)
	}
}

// A view that is closed asks for nothing.
func TestWireClosedCostsNothing(t *testing.T) {
	g := newGrid(t, 100, 30)
	u, _ := quiet()
	tape := newTape()
	u.cfg.Wire = tape
	u.apply(evening())
	f2 := tcell.NewEventKey(tcell.KeyF2, 0, 0)
	g.draw(u)
	if tape.asked != 0 {
		t.Errorf("asked %d times before it was opened", tape.asked)
	}
	u.key(f2)
	g.draw(u)
	u.key(f2)
	asked := tape.asked
	g.draw(u)
	u.tick()
	g.draw(u)
	if asked != 2 || tape.asked != asked || u.over != nil {
		t.Errorf("asked %d times while it was open, %d afterwards", asked, tape.asked-asked)
	}
	u.cfg.Wire = nil
	u.key(f2)
	if u.over != nil || !strings.Contains(u.flashed, "recorded") {
		t.Errorf("%T, %q", u.over, u.flashed)
	}
}

// Each theme says by signs what it says by colours, and nothing is drawn outside.
func TestWireAtAnySize(t *testing.T) {
	g := newGrid(t, 1, 1)
	v := newWireView(newTape(), "a title", time.UTC)
	many(v.source.(*tape), true, 0, 40)
	for _, key := range []tcell.Key{tcell.KeyF3, tcell.KeyEnter, tcell.KeyUp, tcell.KeyHome, tcell.KeyTab, tcell.KeyPgUp} {
		v.key(tcell.NewEventKey(key, 0, 0))
		for w := 0; w < 130; w += 7 {
			for h := range 30 {
				g.resize(w, h)
				g.Clear()
				v.draw(painter{s: g, th: terminalTheme, w: w, h: h})
			}
		}
	}
}
