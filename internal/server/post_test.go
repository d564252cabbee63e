package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// A note is an entry like others, marked as an unverified bot's, and is told to
// whoever follows the room.
func TestPost(t *testing.T) {
	s, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("build", 0)
	id := protocol.NewID().String()
	noted, err := s.Post(t.Context(), Note{Room: "build", User: [16]byte{7}, Nick: "ci", Text: "green\x1b", ID: id})
	if err != nil || noted.Seq != 1 || noted.ID != id || noted.Nick != "ci" {
		t.Fatalf("%+v, %v", noted, err)
	}
	if e := ann.hears("green␛"); !e.Bot || !e.Guest || e.Nick != "ci" || e.User != (protocol.UserID{7}) {
		t.Errorf("%+v", e)
	}
	if again, err := s.Post(t.Context(), Note{Room: "build", User: [16]byte{7}, Nick: "ci", Text: "green\x1b", ID: id}); err != nil || again.Seq != 1 {
		t.Errorf("again: %+v, %v", again, err)
	}
	// ann is here, so nobody else is called that.
	if noted, err := s.Post(t.Context(), Note{Room: "build", Nick: "Ann", Text: "x"}); err != nil || noted.Nick != "Ann-2" {
		t.Errorf("%+v, %v", noted, err)
	}
}

// What a webhook posts counts as what the room's bots say.
func TestPostIsABots(t *testing.T) {
	s, addr := start(t, func(c *Config) { c.Limits.BotBurst = 2 })
	ann := connect(t, addr, "ann")
	ann.join("build", 0)
	post := func(id string) error {
		_, err := s.Post(t.Context(), Note{Room: "build", Nick: "ci", Text: "x", ID: id})
		return err
	}
	known := protocol.NewID().String()
	if err := errors.Join(post(known), post("")); err != nil {
		t.Fatal(err)
	}
	if r, ok := errors.AsType[*Refusal](post("")); !ok || r.Code != string(protocol.CodeLimit) || r.RetryAfter <= 0 {
		t.Errorf("a third one: %+v", r)
	}
	if err := post(known); err != nil {
		t.Errorf("the first one again: %v", err)
	}
	ann.say("build", "hello")
	if err := post(""); err != nil {
		t.Errorf("behind a person's word: %v", err)
	}
}

func TestPostRefuses(t *testing.T) {
	var log roomlog.Log
	s, _ := start(t, func(c *Config) { log, c.Limits.AllRooms = c.Log, 1 })
	dm := protocol.DirectRoom(protocol.UserID{1}, protocol.UserID{2})
	for code, n := range map[protocol.Code]Note{
		protocol.CodeNotFound: {Room: dm, Nick: "ci", Text: "x"},
		protocol.CodeBadRoom:  {Room: "No Room", Nick: "ci", Text: "x"},
		protocol.CodeBadNick:  {Room: "build", Nick: "guest-1", Text: "x"},
		protocol.CodeBadText:  {Room: "build", Nick: "ci", Text: " \n"},
		protocol.CodeTooLong:  {Room: "build", Nick: "ci", Text: strings.Repeat("x", DefaultLimits.Text+1)},
		protocol.CodeBadID:    {Room: "build", Nick: "ci", Text: "x", ID: "x"},
	} {
		_, err := s.Post(t.Context(), n)
		if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != string(code) || r.RetryAfter != 0 {
			t.Errorf("%+v: %v, want %s", n, err, code)
		}
	}
	if _, err := s.Post(t.Context(), Note{Room: "one", Nick: "ci", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Post(t.Context(), Note{Room: "two", Nick: "ci", Text: "x"})
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != string(protocol.CodeLimit) {
		t.Errorf("one room too many: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Post(over, Note{Room: "one", Nick: "ci", Text: "x"}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = s.Post(t.Context(), Note{Room: "one", Nick: "ci", Text: "x"})
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != string(protocol.CodeShuttingDown) || r.RetryAfter < time.Second {
		t.Errorf("without a log: %v", err)
	}
}
