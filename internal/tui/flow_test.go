package tui

import (
	"fmt"
	"strings"
	"testing"

	"lanchat/internal/client"

	"github.com/gdamore/tcell/v2"
)

func TestChangingAndDeletingWhatWasSaid(t *testing.T) {
	h := newHouse(t, false)
	ann, bob := h.enter("ann", 80, 24), h.enter("bob", 80, 24)
	ann.enter("pizza at 7")
	bob.see("~ann  pizza at 7")
	bob.enter("fine")
	ann.see("~bob  fine")
	ann.press(tcell.KeyUp, 0)
	ann.see("✎ changing: pizza at 7")
	ann.press(tcell.KeyBackspace, 0)
	ann.enter("8")
	bob.see("~ann  pizza at 8")
	bob.gone("pizza at 7")
	screen := ann.see("~ann  pizza at 8")
	if strings.Index(screen, "pizza") > strings.Index(screen, "fine") {
		t.Errorf("the message has moved:\n%s", screen)
	}
	ann.gone("changing")

	ann.press(tcell.KeyUp, 0)
	ann.see("changing: pizza at 8")
	ann.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.press(tcell.KeyEnter, 0)
	ann.see("Press Enter again to delete this message")
	ann.press(tcell.KeyEnter, 0)
	bob.gone("pizza at")
}

func TestReplying(t *testing.T) {
	h := newHouse(t, false)
	ann, bob := h.enter("ann", 80, 24), h.enter("bob", 80, 24)
	ann.enter("who brings pizza?")
	bob.see("~ann  who brings pizza?")
	bob.press(tcell.KeyCtrlX, tcell.ModCtrl)
	bob.see("▌")
	bob.keys("r")
	bob.see("↪ ~ann: who brings pizza?  (Esc: not a reply)")
	bob.enter("me")
	ann.see("~bob  ↪ ")
	ann.see(" me\n")
	bob.gone("not a reply")
}

func TestALongPasteAsks(t *testing.T) {
	h := newHouse(t, false)
	ann, bob := h.enter("ann", 80, 40), h.enter("bob", 80, 40)
	var lines []string
	for i := range 25 {
		lines = append(lines, fmt.Sprintf("pasted %d.", i+1))
	}
	ann.pasteRaw(strings.Join(lines, "\r"))
	ann.see("Paste 25 lines into #lobby?")
	ann.keys("e")
	ann.see("#lobby> pasted ")
	ann.press(tcell.KeyCtrlZ, tcell.ModCtrl)
	ann.gone("pasted")
	ann.pasteRaw(strings.Join(lines, "\r"))
	ann.see("Paste 25 lines into #lobby?")
	ann.press(tcell.KeyEnter, 0)
	screen := bob.see("pasted 25.")
	for _, line := range lines {
		if strings.Count(screen, line) != 1 {
			t.Errorf("%q is there %d times", line, strings.Count(screen, line))
		}
	}
	if n := strings.Count(screen, "~ann"); n != 1 {
		t.Errorf("it came as %d messages", n)
	}
}

// A draft is there again in another room, in another run, and after a terminal
// that has gone away.
func TestDraftsSurvive(t *testing.T) {
	h := newHouse(t, true)
	dir := t.TempDir()
	enter := func() *user { return h.enterWith(client.Config{Nick: "ann", Journals: dir}, 80, 24) }
	ann := enter()
	ann.enter("/join kitchen")
	ann.see("2 #kitchen") // joined, so that there is a next room
	ann.keys("salt")
	ann.see("#kitchen> salt")
	ann.press(tcell.KeyUp, tcell.ModAlt)
	ann.see("#lobby>")
	ann.keys("half a line")
	ann.see("#lobby> half a line")
	ann.press(tcell.KeyDown, tcell.ModAlt)
	ann.see("#kitchen> salt")
	ann.press(tcell.KeyUp, tcell.ModAlt)
	ann.see("#lobby> half a line")
	ann.Fini()
	if err := <-ann.left; err == nil {
		t.Error("Run = nil")
	}
	<-ann.ended
	ann = enter()
	ann.see("#lobby> half a line")
	ann.press(tcell.KeyEnter, 0)
	ann.gone("#lobby> half a line")
	ann.enter("/join kitchen")
	ann.see("#kitchen> salt")
	ann.press(tcell.KeyCtrlQ, tcell.ModCtrl)
	if err := <-ann.left; err != nil {
		t.Error(err)
	}
	<-ann.ended
	ann = enter()
	ann.see("#lobby>")
	ann.enter("/join kitchen")
	ann.see("#kitchen> salt")
	if strings.Contains(ann.text(), "half a line") {
		t.Error("what was sent is a draft still")
	}
}

func TestRefusedMessagesAreSentAgain(t *testing.T) {
	h := newHouse(t, false)
	ann := h.enter("ann", 80, 24)
	ann.enter("\u2800") // blank to the server, which refuses it
	ann.see("not sent:")
	ann.press(tcell.KeyCtrlT, tcell.ModCtrl)
	ann.see("Sent again: 1 message")
	if screen := ann.see("not sent:"); strings.Count(screen, "✗") != 1 {
		t.Errorf("it is there more than once:\n%s", screen)
	}
	ann.press(tcell.KeyUp, 0)
	ann.gone("not sent:")
}
