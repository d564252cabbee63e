package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"lanchat/protocol"
)

// raw is a native client that leaves messages encoded. Where many clients read
// much, decoding everything would be most of what a test does.
type raw struct {
	net.Conn
	in   *bufio.Reader
	body []byte // of the last frame
}

func newRaw(nc net.Conn) *raw { return &raw{Conn: nc, in: bufio.NewReaderSize(nc, 32<<10)} }

// dialRaw connects and joins the lobby behind a cursor.
func dialRaw(addr, nick string, after uint64) (*raw, error) {
	nc, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	r := newRaw(nc)
	err = errors.Join(nc.SetReadDeadline(time.Now().Add(time.Minute)),
		r.send(&protocol.Hello{Version: protocol.Version, Nick: nick}, &protocol.Join{Ref: 1, Room: "lobby", After: after}))
	for name := ""; err == nil && name != "joined"; {
		name, err = r.next()
		if name == "error" {
			err = errors.New(string(r.body))
		}
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return r, nil
}

func (r *raw) send(ms ...protocol.Message) error {
	_, err := r.Write(frames(ms...))
	return err
}

// frames encodes messages.
func frames(ms ...protocol.Message) []byte {
	var out []byte
	for _, m := range ms {
		out = appendFrame(out, m)
	}
	return out
}

// next reads one frame into body and returns its message's name. It allocates
// nothing for the names that a busy room's reader meets.
func (r *raw) next() (string, error) {
	head, err := r.in.Peek(4)
	if err != nil {
		return "", err
	}
	n := int(binary.BigEndian.Uint32(head))
	r.in.Discard(4)
	if cap(r.body) < n {
		r.body = make([]byte, n)
	}
	r.body = r.body[:n]
	if _, err := io.ReadFull(r.in, r.body); err != nil {
		return "", err
	}
	name := r.body[2 : 2+r.body[1]&0x1f] // behind the array's header and the string's
	switch string(name) {
	case "entry":
		return "entry", nil
	case "ack":
		return "ack", nil
	}
	return string(name), nil
}

// message decodes the last frame.
func (r *raw) message() protocol.Message {
	m, err := protocol.Decode(r.body)
	if err != nil {
		panic(err)
	}
	return m
}

// seq finds the number of the entry that was read last.
func (r *raw) seq() uint64 {
	at := bytes.Index(r.body, []byte("\xa3seq"))
	b := r.body[at+4:]
	switch b[0] {
	case 0xcc:
		return uint64(b[1])
	case 0xcd:
		return uint64(binary.BigEndian.Uint16(b[1:]))
	case 0xce:
		return uint64(binary.BigEndian.Uint32(b[1:]))
	}
	return uint64(b[0])
}

// breakOff ends the connection as a cable that is pulled does, as far as one
// host can tell: without a farewell, and with what is on its way lost.
func (r *raw) breakOff() {
	r.Conn.(*net.TCPConn).SetLinger(0)
	r.Close()
}

func TestRawReadsWhatWasSent(t *testing.T) {
	_, addr := start(t)
	r, err := dialRaw(addr, "ann", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	bob := connect(t, addr, "bob")
	bob.join("lobby", 0)
	for want := uint64(1); want <= 300; want++ {
		bob.say("lobby", "x")
		for name := ""; name != "entry"; {
			if name, err = r.next(); err != nil {
				t.Fatal(err)
			}
		}
		if e := r.message().(*protocol.Entry); e.Seq != want || r.seq() != want {
			t.Fatalf("seq() = %d for entry %d, want %d", r.seq(), e.Seq, want)
		}
	}
}
