package tui

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
)

func TestTalkAndRooms(t *testing.T) {
	h := newHouse(t, false)
	ann, bob := h.enter("ann", 80, 24), h.enter("bob", 120, 30)
	ann.see("2 people")
	ann.enter("hello bob")
	bob.see("~ann» hello bob")
	bob.enter("hi ann, hi")
	ann.see("~bob» hi ann, hi")
	ann.see("NOT ENCRYPTED")
	bob.see("~bob (you)")

	// Another room: unread counts, a mention, and the drafts stay where they are.
	ann.enter("/join kitchen")
	ann.see("Nothing has been said in #kitchen yet.")
	ann.see("#kitchen>")
	bob.enter("are you there?")
	bob.enter("ann!")
	ann.see("»2")
	ann.keys("half a line")
	ann.press(tcell.KeyUp, tcell.ModAlt)
	ann.see("~bob» ann!")
	ann.gone("half a line")
	ann.gone("»2")
	ann.InjectKey(tcell.KeyRune, '2', tcell.ModAlt)
	ann.see("#kitchen> half a line")

	bob.enter("/me waves")
	bob.see("-*  ~bob waves")
	bob.enter("/topic pizza at 8")
	bob.see("~bob has set the topic: pizza at 8")
	bob.enter("//not a command")
	bob.see("~bob  /not a command")
	bob.enter("/nonsense")
	bob.see("There is no command /nonsense")
	bob.see("#lobby> /nonsense")
	bob.press(tcell.KeyCtrlU, tcell.ModCtrl)
	bob.enter("/nick ann")
	bob.see("The server says:")
	bob.enter("/nick robert")
	bob.see("You are now robert.")
	bob.see("~robert (you)")
	bob.enter("/who")
	bob.see("2 here: ~ann, ~robert")
	bob.enter("/rooms")
	bob.see("#kitchen, 1 here, 0 entries")
	bob.enter("/msg ann psst")
	bob.see("Guests have no direct talks")

	ann.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.enter("/leave")
	ann.gone("#kitchen")
	ann.see("pizza at 8")
	ann.enter("/quit")
	if err := <-ann.left; err != nil {
		t.Error(err)
	}
	bob.see("1 person")
	bob.press(tcell.KeyCtrlC, 0)
	bob.see("Ctrl-C again leaves")
	bob.press(tcell.KeyCtrlC, 0)
	if err := <-bob.left; err != nil {
		t.Error(err)
	}
}

func TestDirectTalkAndKeys(t *testing.T) {
	h := newHouse(t, true)
	ann, bob := h.enter("ann", 80, 24), h.enter("bob", 80, 24)
	ann.see("encrypted")
	ann.see("You meet this server for the first time.")
	ann.see("2 people")
	ann.enter("/msg BOB just you")
	ann.see("@bob>")
	ann.see("ann  just you")
	bob.see("»1")
	bob.press(tcell.KeyDown, tcell.ModAlt)
	bob.see("ann» just you")
	bob.enter("yes?")
	ann.see("bob» yes?")
	ann.enter("/msg nobody hi")
	ann.see("There is nobody called nobody here")
}

func TestReconnect(t *testing.T) {
	h := newHouse(t, true)
	ann, bob := h.enter("ann", 100, 24), h.enter("bob", 100, 24)
	ann.enter("before")
	bob.see("ann  before")
	h.stop()
	ann.see("OFFLINE")
	ann.enter("in between")
	ann.see("ann… in between")
	ann.see("1 waiting to be sent")
	ann.enter("/quit")
	ann.see("Leaving when 1 message is sent.")
	ann.press(tcell.KeyEscape, 0)
	ann.gone("Leaving when")
	h.start()
	ann.see("ann  in between")
	ann.see("online")
	bob.see("ann  in between")
	bob.enter("after")
	screen := ann.see("bob  after")
	if strings.Count(screen, "in between") != 1 || strings.Count(screen, "before") != 1 {
		t.Errorf("doubled or lost:\n%s", screen)
	}
	h.stop()
	ann.see("OFFLINE")
	ann.enter("never")
	ann.see("ann… never")
	ann.press(tcell.KeyCtrlQ, 0)
	ann.see("Again: leave without")
	ann.press(tcell.KeyCtrlQ, 0)
	if err := <-ann.left; err != nil {
		t.Error(err)
	}
}

func TestPasteKeepsItsLines(t *testing.T) {
	h := newHouse(t, false)
	ann, bob := h.enter("ann", 80, 24), h.enter("bob", 80, 24)
	for _, eol := range []string{"\r", "\n", "\r\n"} {
		lines := []string{"first " + map[string]string{"\r": "cr", "\n": "lf", "\r\n": "crlf"}[eol], "2\tx", "3", "", "5", "6", "7", "last"}
		ann.pasteRaw(strings.Join(lines, eol) + eol)
		ann.see("last")
		ann.press(tcell.KeyEnter, 0)
		screen := bob.see(lines[0])
		got := strings.Split(screen, "\n")
		for i, row := range got {
			if !strings.Contains(row, lines[0]) {
				continue
			}
			for j, want := range lines {
				_, text, _ := strings.Cut(got[i+j], "│")
				text = strings.TrimSpace(text)
				if j > 0 && text != strings.ReplaceAll(want, "\t", "    ") {
					t.Errorf("%q: line %d is %q", eol, j, text)
				}
			}
		}
	}
	ann.keys("one")
	ann.InjectKey(tcell.KeyRune, 'm', tcell.ModAlt|tcell.ModCtrl) // as terminals send Alt+Enter
	ann.enter("two")
	bob.see("~ann  one\n")
	bob.see("two")
}

func TestHostileTextIsShownAsItIs(t *testing.T) {
	h := newHouse(t, false)
	ann, eve := h.enter("ann", 80, 30), h.enter("eve", 80, 30)
	// A client cleans what it sends; eve's engine is used without the interface.
	for _, text := range []string{
		"[red]red[-] [:::http://x]link[:::-] $<2000>", "a\x1b[2J\x1b]0;title\x07b", "one\r21:00 ann  forged",
		"left\u202eright\u2066", "zero\u200bwidth", "[\"region\"]x[\"\"]", "bad\xff", "\u0301mark", strings.Repeat("e\u0301\u0302\u0303\u0304\u0305\u0306", 3),
	} {
		eve.say(text)
	}
	ann.see("[red]red[-] [:::http://x]link[:::-] $<2000>")
	ann.see("a␛[2J␛]0;title␇b")
	ann.see("leftright")
	ann.see("zerowidth")
	screen := ann.see(`["region"]x[""]`)
	for row := range strings.SplitSeq(screen, "\n") {
		_, talk, _ := strings.Cut(row, "│")
		if strings.HasPrefix(talk, "21:00") {
			t.Errorf("forged: %q", row)
		}
		if strings.ContainsAny(row, "\x1b\x07\r\t\u202e\u200b") {
			t.Errorf("control characters: %q", row)
		}
	}
	eve.enter("/topic [red]x[-]$<9999>\x1b")
	ann.see("[red]x[-]$<9999>")
	eve.enter("/nick [red]eve[-]")
	eve.see("You are now [red]eve[-].")
	eve.enter("still here")
	ann.see("~[red]eve[-]  still here")
}

func TestTypingAndCompletion(t *testing.T) {
	h := newHouse(t, false)
	ann, bob := h.enter("ann", 80, 24), h.enter("bobby", 80, 24)
	ann.see("2 people")
	bob.keys("hm")
	ann.see("bobby is writing…")
	bob.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.keys("bo")
	ann.press(tcell.KeyTab, 0)
	ann.see("#lobby> bobby:")
	ann.enter("sure")
	bob.see("~ann» bobby: sure")
	ann.press(tcell.KeyCtrlP, tcell.ModCtrl)
	ann.see("#lobby> bobby: sure")
	ann.press(tcell.KeyCtrlN, tcell.ModCtrl)
	ann.gone("#lobby> bobby: sure")
	ann.keys("/jo")
	ann.press(tcell.KeyTab, 0)
	ann.see("#lobby> /join")
	ann.press(tcell.KeyF1, 0)
	ann.see("typing finds")
	ann.press(tcell.KeyEscape, 0)
	ann.gone("typing finds")
	ann.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.enter("/msg guest hi")
	ann.see("Guests have no direct talks")
}

func TestARefusedMessageCanBeTakenBack(t *testing.T) {
	h := newHouse(t, false)
	ann := h.enter("ann", 80, 24)
	ann.enter(strings.Repeat("x", 100) + "\u001b")
	ann.see("xxx")
	// More than the limit stays in the input.
	ann.pasteRaw(strings.Repeat("y", 17<<10))
	ann.press(tcell.KeyEnter, 0)
	ann.see("Too long: 17408 bytes")
	ann.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.gone("yyy")
	// The server refuses what is only blank to it.
	ann.enter("\u2800")
	ann.see("✗")
	ann.see("not sent:")
	ann.press(tcell.KeyEscape, 0)
	ann.press(tcell.KeyUp, 0)
	ann.gone("not sent:")
}

func TestScrollingBackLoadsOlderAndStays(t *testing.T) {
	h := newHouse(t, false)
	eve := h.enter("eve", 80, 24)
	const total = 1300
	for i := range total {
		eve.say(fmt.Sprintf("line %d.", i))
	}
	eve.see("line 1299.")
	ann := h.enter("ann", 80, 24)
	ann.see("line 1299.")
	ann.press(tcell.KeyPgUp, 0)
	before := ann.see("▼ Esc: to the end")
	first := firstTalkRow(before)
	eve.say("news")
	after := ann.see("▼ 1 new")
	if firstTalkRow(after) != first {
		t.Errorf("the list moved from %q to %q", first, firstTalkRow(after))
	}
	for !strings.Contains(ann.text(), "line 0.") {
		shows := ann.count()
		ann.press(tcell.KeyHome, 0)
		ann.shot.until(t, "a draw", func(string) bool { return ann.shows > shows })
	}
	ann.see("line 1.")
	ann.resize(70, 40)
	ann.see("line 30.")
	ann.see("line 0.")
	ann.press(tcell.KeyEnd, 0)
	ann.see("news")
	ann.gone("▼")
}

func firstTalkRow(screen string) string {
	rows := strings.Split(screen, "\n")
	return rows[1]
}

func TestTheTerminalGoesAway(t *testing.T) {
	h := newHouse(t, false)
	ann := h.enter("ann", 80, 24)
	ann.Fini()
	select {
	case err := <-ann.left:
		if err == nil || !strings.Contains(err.Error(), "terminal is gone") {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run did not return")
	}
	bob := h.enter("bob", 80, 24)
	bob.post(tcell.NewEventError(io.ErrUnexpectedEOF))
	if err := <-bob.left; err == nil {
		t.Error("Run = nil")
	}
}
