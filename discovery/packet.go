package discovery

import (
	"fmt"

	"lanchat/internal/wire"
)

const (
	// Magic begins every packet.
	Magic = "lcht"
	// Version is the one version that this package speaks.
	Version = 1
	// MaxPacket is the longest packet, in bytes, and the length of every query.
	// It fits any link without fragments.
	MaxPacket = 256

	headerSize = len(Magic) + 1
	// padOverhead is the key "pad" and the head of its value, which is always of
	// the two-byte form: a query without its padding is shorter than 122 bytes.
	padOverhead = 4 + 2
)

// Append appends p as it stands in a datagram. A query is padded to MaxPacket.
// It fails, with dst unchanged, when p is one that Parse would refuse.
func Append(dst []byte, p Packet) ([]byte, error) {
	if q, ok := p.(*Query); ok {
		padded := *q
		padded.Pad = nil
		bare, err := encode(&padded)
		if err != nil {
			return dst, err
		}
		padded.Pad = make([]byte, MaxPacket-len(bare)-padOverhead)
		p = &padded
	}
	b, err := encode(p)
	return append(dst, b...), err
}

func encode(p Packet) ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, MaxPacket), Magic...)
	b = append(b, Version)
	b = wire.Append(b, p.Type(), p)
	if len(b) > MaxPacket {
		return nil, malformed("%d bytes, at most %d", len(b), MaxPacket)
	}
	return b, nil
}

// Parse reads one datagram, which must be there in full: receive into a buffer
// of more than MaxPacket bytes, or a longer datagram, cut short, passes for a
// whole one. The packet shares no memory with b. The error is ErrMalformed,
// ErrVersion or ErrUnknownType, with the details around it.
func Parse(b []byte) (Packet, error) {
	switch {
	case len(b) > MaxPacket:
		return nil, malformed("more than %d bytes", MaxPacket)
	case len(b) < headerSize:
		return nil, malformed("%d bytes", len(b))
	case string(b[:len(Magic)]) != Magic:
		return nil, malformed("not of this protocol")
	case b[len(Magic)] != Version:
		return nil, fmt.Errorf("%w: %d", ErrVersion, b[len(Magic)])
	}
	name, fields, err := wire.Split(b[headerSize:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var p Packet
	switch name {
	case "query":
		p = &Query{}
	case "answer":
		p = &Answer{}
	case "beacon":
		p = &Beacon{}
	case "goodbye":
		p = &Goodbye{}
	default:
		if err := wire.Check(fields); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		return nil, fmt.Errorf("%w: %q", ErrUnknownType, name)
	}
	if err := wire.Decode(fields, p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}
