package wiredemo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"lanchat/discovery"
	"lanchat/protocol"
)

// play is one run. Two goroutines receive, one sends; what they share is behind mu.
type play struct {
	cfg Config
	rig *rig

	mu   sync.Mutex
	sent []time.Time // by message, from 0
	sum  Summary

	// Of the goroutine that receives datagrams.
	highest int
	seen    []bool

	// Of the one that receives the stream.
	last    time.Time // when the last message came
	behind  int       // for which message those that came last have waited
	resent  int       // segments, until the last message
	frame   protocol.Frame
	inOrder bool
}

func newPlay(cfg Config, r *rig) *play {
	p := &play{cfg: cfg, rig: r, seen: make([]bool, cfg.Count+1), inOrder: true}
	p.sum.Loss, p.sum.Relay, p.sum.Clean = cfg.Loss, r.relay != nil, r.clean
	return p
}

func (p *play) run(ctx context.Context) (*Summary, error) {
	var receivers sync.WaitGroup
	receivers.Go(p.receiveDatagrams)
	streamed := make(chan error, 1)
	go func() { streamed <- p.receiveStream() }()

	failed := p.send(ctx)
	_ = p.rig.udpIn.SetReadDeadline(time.Now().Add(udpGrace))
	receivers.Wait()

	_ = p.rig.tcpOut.CloseWrite()
	stop := context.AfterFunc(ctx, func() { _ = p.rig.tcpIn.SetReadDeadline(time.Now().Add(stopGrace)) })
	if ctx.Err() == nil {
		_ = p.rig.tcpIn.SetReadDeadline(time.Now().Add(tcpGrace))
	}
	err := <-streamed
	stop()
	if failed == nil {
		failed = err
	}
	p.count()
	if p.cfg.drained != nil {
		p.cfg.drained(p.rig)
	}
	return &p.sum, failed
}

// send sends each message both ways, the datagram first.
func (p *play) send(ctx context.Context) error {
	conn := protocol.NewConn(p.rig.tcpOut)
	beacon := discovery.Beacon{Port: uint16(p.rig.tcpIn.LocalAddr().(*net.TCPAddr).Port), TTL: 1}
	_, _ = rand.Read(beacon.Instance[:])
	_, _ = rand.Read(beacon.Key[:])
	entry := protocol.Entry{Room: protocol.DefaultRoom, Nick: "demo", Bot: true}
	_, _ = rand.Read(entry.User[:])
	tick := time.NewTicker(p.cfg.Every)
	defer tick.Stop()
	for i := range p.cfg.Count {
		text := fmt.Sprintf("message %d of %d", i+1, p.cfg.Count)
		beacon.Seq, beacon.Name = uint32(i+1), text
		packet, err := discovery.Append(nil, &beacon)
		if err != nil {
			return err
		}
		now := time.Now()
		entry.Seq, entry.ID, entry.At, entry.Text = uint64(i+1), protocol.NewID(), now.UnixNano(), text
		p.mu.Lock()
		p.sent = append(p.sent, now)
		p.cfg.Tell(Event{At: now, Seq: i + 1, Kind: Sent, Text: text, Bytes: len(packet)})
		p.mu.Unlock()
		if _, err := p.rig.udpOut.Write(packet); err != nil {
			return fmt.Errorf("sending a datagram: %w", err)
		}
		p.mu.Lock()
		p.sum.UDP.Sent++
		p.mu.Unlock()
		if err := conn.Write(&entry); err != nil {
			return fmt.Errorf("writing to the stream: %w", err)
		}
		p.mu.Lock()
		p.sum.TCP.Sent++
		p.mu.Unlock()
		if i+1 == p.cfg.Count {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// receiveDatagrams tells what came, and by the numbers what did not, until the
// socket's deadline.
func (p *play) receiveDatagrams() {
	from := p.rig.from()
	buf := make([]byte, discovery.MaxPacket+1)
	for {
		n, source, err := p.rig.udpIn.ReadFromUDPAddrPort(buf)
		if err != nil {
			break
		}
		packet, err := discovery.Parse(buf[:n])
		b, ok := packet.(*discovery.Beacon)
		if err != nil || !ok || netip.AddrPortFrom(source.Addr().Unmap(), source.Port()) != from || b.Seq == 0 || int(b.Seq) > p.cfg.Count {
			continue
		}
		p.datagram(int(b.Seq), n, b.Name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing(len(p.sent) + 1)
}

func (p *play) datagram(seq, bytes int, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := Event{At: time.Now(), Seq: seq, Kind: Came, Text: text, Bytes: bytes}
	e.Delay = e.At.Sub(p.sent[seq-1])
	switch {
	case p.seen[seq]:
		e.Kind = Doubled
		p.sum.UDP.Doubled++
	case seq < p.highest:
		e.Kind = Late
		p.sum.UDP.Late++
		p.sum.UDP.Lost--
		p.sum.UDP.Arrived++
	default:
		p.missing(seq)
		p.highest = seq
		p.sum.UDP.Arrived++
	}
	p.seen[seq] = true
	p.cfg.Tell(e)
}

// missing tells of all that should have come before the number next.
func (p *play) missing(next int) {
	for seq := p.highest + 1; seq < next; seq++ {
		p.sum.UDP.Lost++
		p.cfg.Tell(Event{At: time.Now(), Seq: seq, Kind: Lost, Text: fmt.Sprintf("message %d of %d", seq, p.cfg.Count)})
	}
	p.highest = max(p.highest, next-1)
}

// receiveStream tells what came until the sender has closed, or the socket's
// deadline.
func (p *play) receiveStream() error {
	conn := protocol.NewConn(p.rig.tcpIn)
	conn.Watch(func(f protocol.Frame) { p.frame = f })
	for {
		m, err := conn.Read()
		if err != nil {
			if _, isNet := errors.AsType[net.Error](err); isNet && !errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("reading the stream: %w", err)
			}
			return nil // its end; or the deadline, and the counts say what is missing
		}
		if entry, ok := m.(*protocol.Entry); ok {
			p.message(entry)
		}
	}
}

func (p *play) message(entry *protocol.Entry) {
	resent := retransmitted(p.rig.tcpOut)
	p.mu.Lock()
	defer p.mu.Unlock()
	seq := int(entry.Seq)
	p.sum.TCP.Arrived++
	if seq != p.sum.TCP.Arrived {
		p.inOrder = false
	}
	if seq < 1 || seq > len(p.sent) {
		return
	}
	frame, err := protocol.AppendFrame(nil, entry)
	if err != nil {
		return
	}
	e := Event{At: time.Now(), Stream: true, Seq: seq, Kind: Came, Text: entry.Text, Bytes: len(frame),
		Reads: [2]uint64{p.frame.First, p.frame.Last}, More: p.frame.More}
	sent := p.sent[seq-1]
	e.Delay = e.At.Sub(sent)
	if resent != Unknown {
		e.Retransmitted, p.resent = resent-p.resent, resent
	}
	switch {
	case p.last.IsZero() || sent.After(p.last):
		p.behind = seq
	default:
		e.Behind = p.behind
	}
	p.last = e.At
	p.sum.TCP.Longest = max(p.sum.TCP.Longest, e.Delay)
	p.cfg.Tell(e)
}

// count takes what the kernel has counted.
func (p *play) count() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum.TCP.InOrder = p.inOrder
	p.sum.TCP.Retransmitted = retransmitted(p.rig.tcpOut)
	p.sum.UDP.Dropped, p.sum.TCP.Dropped = p.rig.thrownAway()
}
