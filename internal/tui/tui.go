// Package tui is the chat in a terminal: it draws a client.State and turns keys
// into what a client.Client does. It opens no socket, reads no file and no
// environment; everything it needs is handed to it.
//
// # Who runs
//
// [Run] has three goroutines, and returns when all have ended:
//
//   - The event loop, tview's, on the caller's goroutine. It owns the State and
//     everything drawn: all keys, all updates and all drawing happen here, so
//     nothing in this package has a lock.
//   - The pump. It takes events from the engine, gathers what comes within a
//     thirtieth of a second, and hands the batch to the event loop, which applies
//     it and draws once. A key is drawn at once.
//   - tview's poller, which reads the terminal. What it hears about the focus goes
//     to the pump.
//
// A fourth shows notifications, where Tell.Desktop is given. A terminal that takes
// no more bytes holds up the event loop, and with it the end, until it is closed.
//
// Only the pump calls into tview's queue, and only behind the pump is tview
// stopped (app.go): QueueUpdate would wait for ever in a handler or after Stop.
// When the event loop is busy the pump waits, the engine's inbox fills, and the
// server is held back by TCP; no event is dropped.
//
// # What is drawn
//
// Nothing that another person wrote passes through tview's widgets, because
// those read tags and escapes in it. Everything is put into cells by the painter
// (paint.go), grapheme by grapheme, cleaned by package safetext on the way out.
// Of tview the package uses the event loop. Colours are the terminal's own defaults
// and its first sixteen, unless the user's theme has others, and whatever a colour
// says, a sign or a word says too.
//
// # Bounds
//
// The wrapped lines of what was shown lately are cached, up to 20,000; a room of
// any length costs what is on the screen. An input holds at most 64 KiB, of
// which the server's limit for a message can be sent; 200 lines that were sent
// can be called back, and of each text that is being written 100 changes, or 1 MiB,
// can be undone.
package tui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// Engine is what the chat needs of a *client.Client. None of its methods may
// wait for the network.
type Engine interface {
	client.Engine
	// Events is where the engine's events come out. It is closed at the end.
	Events() <-chan client.Event
	// Keep keeps on disk what is kept on this side.
	Keep(ev client.Event)
	// Waiting counts the posts that are neither acknowledged nor refused.
	Waiting() int
}

// Config says what a chat shows.
type Config struct {
	Engine  Engine
	Screen  tcell.Screen // nil: the terminal
	Room    string       // the first room, which the engine joins; "": the default room
	Version string       // shown in the help
	// Settings are those of the config file; nil: the defaults.
	Settings *Settings
	Tell     Tell          // how the user is told of what is for them
	Default  client.Policy // and of which entries, in rooms that have no policy of their own
	Remarks  []string      // to be said at the start, in the talk
	Wire     WireSource    // what the wire view shows; nil: there is none
	// Now is the clock; nil: time.Now. Times are shown in its location.
	Now func() time.Time
}

// ErrLeft says that the user went away instead of choosing or answering.
var ErrLeft = errors.New("left")

// Run shows the chat until the user leaves or ctx ends, and leaves the terminal
// as it was, even when it panics. It returns nil, or the engine's reason when the
// user leaves after the engine has given up, or an error when the terminal cannot
// be used or is gone. It takes the engine's events; whoever runs the engine ends
// it afterwards.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Room == "" {
		cfg.Room = protocol.DefaultRoom
	}
	stage, err := newStage(cfg.Screen)
	if err != nil {
		return err
	}
	u := newChat(cfg)
	u.leave, u.focus = stage.leave, stage.screen.focus
	defer u.teller.start(cfg.Tell, stage.screen, u.now())()
	defer u.end()
	u.wear = func(th *theme) { u.theme, stage.theme = th, th }
	u.wear(u.theme)
	err = stage.run(ctx, u, u.pump)
	if err == nil && u.st.Link.Phase == client.Ended && u.st.Link.Err != nil {
		err = fmt.Errorf("the connection has ended: %w", u.st.Link.Err)
	}
	return err
}
