package hostile

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// frames are messages as they are sent.
func frames(ms ...protocol.Message) (out []byte) {
	for _, m := range ms {
		out, _ = protocol.AppendFrame(out, m)
	}
	return out
}

// body is a frame of a body that nobody would encode.
func body(s string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// entered is what a guest without TLS says at first, and where it goes.
func entered(nick string, rooms ...string) []byte {
	out := frames(&protocol.Hello{Version: protocol.Version, Nick: nick})
	for i, room := range rooms {
		out = append(out, frames(&protocol.Join{Ref: uint32(i + 1), Room: room})...)
	}
	return out
}

// clientHello is how a TLS client begins, recorded once: to send it costs nothing, and
// to answer it costs a signature.
var clientHello = sync.OnceValue(func() []byte {
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		defer near.Close()
		_ = tls.Client(near, identity.GuestTLS(nil)).Handshake() // nobody answers
	}()
	b := make([]byte, 4<<10)
	n, _ := far.Read(b)
	return b[:n]
})

// stall joins and never reads: over TLS, in frames, and on plain lines. One of two asks
// for history all the time, which would be answered with 60 KB each.
func stall(ctx context.Context, a *attacker) {
	ask := frames(&protocol.History{Ref: 9, Room: lobby, Limit: 500})
	for ctx.Err() == nil {
		w, err := a.connect(ctx)
		if err != nil {
			continue
		}
		_ = w.SetReadBuffer(4 << 10)
		var out io.Writer = w
		switch a.i % 3 {
		case 0:
			conn, _, err := protocol.Handshake(ctx, tls.Client(w, a.key), &protocol.Hello{Nick: fmt.Sprint("idler-", a.i)})
			if err != nil {
				w.Close()
				pause(ctx, 100*time.Millisecond)
				continue
			}
			out = conn.NetConn()
			_, _ = out.Write(frames(&protocol.Join{Ref: 1, Room: lobby}))
		case 1:
			_, err = w.Write(entered(fmt.Sprint("idler-", a.i), lobby, den(0)))
		default:
			_, err = io.WriteString(w, "hello, I only listen\n")
		}
		a.Frames.Add(2)
		asks := a.i%2 == 0 && a.i%3 != 2
		for err == nil && pause(ctx, 100*time.Millisecond) {
			if asks {
				_ = w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				if _, err = out.Write(ask); errors.Is(err, os.ErrDeadlineExceeded) {
					asks, err = false, nil // what was begun cannot be gone on with
					_ = w.SetWriteDeadline(time.Time{})
				}
				a.Frames.Add(1)
			} else {
				err = w.alive()
			}
		}
		if ctx.Err() == nil {
			a.Cut.Add(1)
		}
		w.Close()
	}
}

// dribble sends a byte a second.
func dribble(ctx context.Context, a *attacker) {
	hello := entered("slow", lobby)
	kinds := []struct{ first, rest string }{
		{"", string(clientHello())},
		{"", string(hello)},
		{"", strings.Repeat("no end to this line ", 1000)},
		{string(hello), "\x00\x00\xff\xff" + strings.Repeat("x", 1000)},
	}
	k := kinds[a.i%len(kinds)]
	for ctx.Err() == nil {
		w, err := a.connect(ctx)
		if err != nil {
			continue
		}
		_, err = io.WriteString(w, k.first)
		for i := 0; err == nil && i < len(k.rest) && pause(ctx, time.Second); i++ {
			if _, err = io.WriteString(w, k.rest[i:i+1]); err == nil {
				err = w.alive()
			}
			a.Frames.Add(1)
		}
		if ctx.Err() == nil {
			a.Cut.Add(1)
		}
		w.Close()
	}
}

// flood posts as fast as it can: some over TLS with a key, some in frames, some in
// lines. Half of them read what comes; the others stop when the server does not read
// them any more. Some come again over a new connection when they are told to be slow.
func flood(ctx context.Context, a *attacker) {
	rooms := []string{lobby, den(0)}
	spam := newBatch(rooms)
	for ctx.Err() == nil {
		w, err := a.connect(ctx)
		if err != nil {
			continue
		}
		var stream io.ReadWriter = w
		lines := a.i%4 == 3
		switch {
		case lines:
		case a.i%4 == 0:
			conn, _, e := protocol.Handshake(ctx, tls.Client(w, a.key), &protocol.Hello{Nick: fmt.Sprint("mallory-", a.i)})
			if e != nil {
				w.Close()
				pause(ctx, 50*time.Millisecond)
				continue
			}
			stream = conn.NetConn()
			_, err = stream.Write(frames(&protocol.Join{Ref: 1, Room: rooms[0]}, &protocol.Join{Ref: 2, Room: rooms[1]}))
		default:
			_, err = w.Write(entered(fmt.Sprint("mallory-", a.i), rooms...))
		}
		if a.i%2 == 0 || lines {
			go func() { _, _ = io.Copy(io.Discard, stream) }() // ends with the connection
		}
		returns := a.i%5 == 4
		for n := 0; err == nil && ctx.Err() == nil; n++ {
			out := []byte(spamLines)
			if !lines {
				out = spam.next(a.rng)
			}
			_, err = stream.Write(out)
			a.Frames.Add(batch)
			if returns && n*batch >= 500 {
				err = errAgain
			}
		}
		if ctx.Err() == nil && !errors.Is(err, errAgain) {
			a.Cut.Add(1)
		}
		w.reset()
		pause(ctx, 20*time.Millisecond)
	}
}

// batch is how many posts one write of a flooder has.
const batch = 50

var spamLines = strings.Repeat(advert+"\n", batch)

const advert = "buy my coins now, buy them all, they are so cheap"

// posts are frames that were encoded once: only their ids change.
type posts struct {
	out []byte
	ids []int // where each begins
}

func newBatch(rooms []string) *posts {
	p := &posts{}
	for i := range batch {
		id := protocol.NewID()
		frame := frames(&protocol.Post{ID: id, Room: rooms[i%len(rooms)], Text: advert})
		p.ids = append(p.ids, len(p.out)+bytes.Index(frame, id[:]))
		p.out = append(p.out, frame...)
	}
	return p
}

func (p *posts) next(rng *rand.Rand) []byte {
	for _, at := range p.ids {
		binary.BigEndian.PutUint64(p.out[at+8:], rng.Uint64()>>2|1<<63) // the last half, with the bits of its variant
	}
	return p.out
}

var errAgain = errors.New("over a new connection")

// bombs are sent by frames without TLS, or inside TLS.
var bombs = sync.OnceValue(func() []string {
	const array = "\xdd\x10\x00\x00\x00" // announces 2^28 elements
	hello := string(entered("eve", lobby))
	return []string{
		"\x00\xff\xff\xff",
		"\x00\x00\x00\x00",
		"\x00\x00\x0f\xff" + strings.Repeat("\x91", 0xfff),
		hello + "\xff\xff\xff\xff",
		hello + "\x00\x01\x00\x01",
		body(array),
		hello + body(array),
		hello + body("\x92\xa4ping\x82\xa1n\x01\xa1x"+array),
		hello + body("\x92\xa4ping\x81\xa1x\xdf\x10\x00\x00\x00"),
		hello + body("\x92\xa4ping\x81\xa1x"+strings.Repeat("\x91", 60_000)+"\x01"),
		hello + body("\x92\xa4ping\xde\xff\xff"+strings.Repeat("\xa1a\x01", 20_000)),
		hello + body("\x92\xa4post\x81\xa4text\xdb\x7f\xff\xff\xff"+strings.Repeat("x", 60_000)),
		hello + body("\x92\xd9\xff"+strings.Repeat("t", 255)+"\x80"),
		hello + strings.Repeat(body("\x92\xa7unknown\x80"), 2000),
		hello + strings.Repeat(string(frames(&protocol.Search{Ref: 1, Query: strings.Repeat("a* ", 300)})), 20),
		hello + strings.Repeat(string(frames(&protocol.Who{Ref: 1, Room: lobby}, &protocol.Rooms{Ref: 2}, &protocol.Typing{Room: lobby})), 200),
		hello + manyRooms(),
		"\x16\x03\x01\xff\xff" + strings.Repeat("\x01", 4000),
		"\x16\x03\x01\x00\x05\x01\x00\xff\xff\xff",
		string(clientHello()) + "\x17\x03\x03\x40\x00" + strings.Repeat("z", 0x4000),
		"GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 4000),
		strings.Repeat("\xff\xfb\x01", 4000) + "\n",
		strings.Repeat("\x1b]52;c;aGk=\x07\x1b[2J", 500) + "\n",
		strings.Repeat("/nick \u202e\u200b\n", 100),
	}
})

func manyRooms() (all string) {
	for i := range 120 {
		all += string(frames(&protocol.Join{Ref: 1, Room: fmt.Sprint("void-", i)}))
	}
	return all
}

// bomb sends bombs and random bytes, ten of them a second.
func bomb(ctx context.Context, a *attacker) {
	noise := make([]byte, 2<<10)
	for turn := a.i; pause(ctx, 100*time.Millisecond); turn++ {
		w, err := a.connect(ctx)
		if err != nil {
			continue
		}
		_ = w.SetDeadline(time.Now().Add(time.Second))
		var out io.ReadWriter = w
		if turn%10 == 0 { // the same within TLS: a handshake is what costs most here
			out = tls.Client(w, a.key)
		}
		if all := bombs(); turn%4 != 3 {
			_, _ = io.WriteString(out, all[turn%len(all)])
		} else {
			for i := range noise {
				noise[i] = byte(a.rng.Uint32())
			}
			noise[0] = []byte{0, 0x16, 'x', noise[0]}[turn/4%4]
			_, _ = out.Write(noise)
		}
		a.Frames.Add(1)
		_ = w.CloseWrite()
		if _, err := io.CopyN(io.Discard, out, 1<<20); !errors.Is(err, os.ErrDeadlineExceeded) {
			a.Cut.Add(1)
		}
		w.reset()
	}
}

// vanish connects fifty times a second and is gone.
func vanish(ctx context.Context, a *attacker) {
	hello := entered("ghost", lobby, den(1))
	says := [][]byte{nil, clientHello(), hello, hello[:7], clientHello()[:9], []byte("hi\n"), nil, hello}
	next := time.Now()
	for turn := a.i; ; turn++ {
		next = next.Add(20 * time.Millisecond)
		if !pause(ctx, time.Until(next)) {
			return
		}
		w, err := a.connect(ctx)
		if err != nil {
			continue
		}
		_, _ = w.Write(says[turn%len(says)])
		a.Frames.Add(1)
		if turn/len(says)%2 == 0 {
			w.reset()
		} else {
			w.Close()
		}
	}
}

// steal asks for a name that is somebody else's, and for such as look like it.
func steal(ctx context.Context, a *attacker) {
	n := a.victim
	wanted := []string{n, strings.ToUpper(n), strings.ToLower(n),
		strings.NewReplacer("P", "Р", "a", "а", "s", "ѕ", "c", "с", "e", "е").Replace(n), // Cyrillic
		strings.ReplaceAll(n, "l", "I"), strings.ReplaceAll(n, "l", "1"), strings.ReplaceAll(n, "0", "O"),
		strings.Map(wide, n), n + "\u200b", "\u202e" + n, " " + n + " ", strings.ReplaceAll(n, "a", "а")}
	for turn := 0; pause(ctx, 30*time.Millisecond); turn++ {
		nick := wanted[turn/3%len(wanted)]
		a.Frames.Add(1)
		switch turn % 3 {
		case 0:
			conn, welcome, err := a.hello(ctx, nick)
			if err != nil {
				continue
			}
			_ = conn.Write(&protocol.Join{Ref: 1, Room: lobby}, &protocol.Nick{Ref: 2, Nick: nick}, &protocol.Ping{N: 1})
			a.granted(welcome.Nick)
			a.asked(conn)
			conn.Close()
		case 1:
			w, err := a.connect(ctx)
			if err != nil {
				continue
			}
			conn, welcome, err := protocol.Handshake(ctx, w, &protocol.Hello{Nick: nick})
			if err != nil {
				w.Close()
				continue
			}
			_ = conn.Write(&protocol.Nick{Ref: 2, Nick: nick}, &protocol.Join{Ref: 1, Room: lobby}, &protocol.Ping{N: 1})
			a.granted(welcome.Nick)
			a.asked(conn)
			conn.Close()
		case 2: // heard by the healthy, should it be granted
			w, err := a.connect(ctx)
			if err != nil {
				continue
			}
			_, _ = fmt.Fprintf(w, "/nick %s\nit is me\n", nick)
			_ = w.CloseWrite()
			_ = w.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = io.CopyN(io.Discard, w, 64<<10)
			w.Close()
		}
	}
}

// asked reads what a request for the nick is answered with.
func (a *attacker) asked(conn *protocol.Conn) {
	_ = conn.NetConn().SetReadDeadline(time.Now().Add(time.Second))
	for {
		m, err := conn.Read()
		switch m := m.(type) {
		case *protocol.Nick:
			a.granted(m.Nick)
		case *protocol.Pong:
			return
		}
		if err != nil {
			return
		}
	}
}

// granted notes a nick that is the thief's now.
func (a *attacker) granted(nick string) {
	if !nicks.Same(nick, a.victim) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.Stolen) < 20 {
		a.Stolen = append(a.Stolen, nick)
	}
}

// wide is a letter of full width.
func wide(r rune) rune {
	if r > ' ' && r < 0x7f {
		return r + 0xfee0
	}
	return r
}
