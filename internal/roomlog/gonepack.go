package roomlog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
)

// A chunk's ids stand in it in the order in which their entries were said, each as the
// difference to the one before:
//
//	uvarint  difference of seq within the room, zigzag, above two flags: another room, another removal
//	uvarint  the room, where it is another one
//	varint   the difference of removed, where there is one
//	varint   the difference of the id's milliseconds
//	varint   the difference of at
//	5 bytes  the key's hash
//	3 bytes  sum
const (
	packRoom = 1 << iota
	packRemoved

	packBits = 2
	packSums = 8 // bytes
)

var errGone = errors.New("what is remembered of removed entries is damaged")

func packGone(ids []goneID) (data []byte) {
	ids = slices.Clone(ids)
	slices.SortStableFunc(ids, func(a, b goneID) int { return cmp.Compare(a.at, b.at) })
	heads := map[int64]uint64{} // by room
	var last goneID
	for i := range ids {
		one := &ids[i]
		step := int64(one.seq - heads[one.room])
		head := uint64(step<<1) ^ uint64(step>>63)
		head <<= packBits
		if one.room != last.room {
			head |= packRoom
		}
		if one.removed != last.removed {
			head |= packRemoved
		}
		data = binary.AppendUvarint(data, head)
		if head&packRoom != 0 {
			data = binary.AppendUvarint(data, uint64(one.room))
		}
		if head&packRemoved != 0 {
			data = binary.AppendVarint(data, one.removed-last.removed)
		}
		data = binary.AppendVarint(data, one.key.ms()-last.key.ms())
		data = binary.AppendVarint(data, one.at-last.at)
		data = append(data, one.key[6:]...)
		data = append(data, byte(one.sum>>16), byte(one.sum>>8), byte(one.sum))
		heads[one.room], last = one.seq, *one
	}
	return data
}

func unpackGone(data []byte) (ids []goneID, err error) {
	heads := map[int64]uint64{}
	var last goneID
	for len(data) > 0 {
		one := last
		head, ok := uint64(0), true
		number := func(read func([]byte) (int64, int)) (v int64) {
			v, n := read(data)
			if n <= 0 {
				ok, data = false, nil
				return 0
			}
			data = data[n:]
			return v
		}
		unsigned := func(b []byte) (int64, int) { v, n := binary.Uvarint(b); return int64(v), n }
		head = uint64(number(unsigned))
		if head&packRoom != 0 {
			one.room = number(unsigned)
		}
		if head&packRemoved != 0 {
			one.removed += number(binary.Varint)
		}
		one.key.setMS(last.key.ms() + number(binary.Varint))
		one.at += number(binary.Varint)
		if !ok || len(data) < packSums {
			return nil, errGone
		}
		head >>= packBits
		one.seq = heads[one.room] + uint64(int64(head>>1)^-int64(head&1))
		copy(one.key[6:], data)
		one.sum = uint32(data[5])<<16 | uint32(data[6])<<8 | uint32(data[7])
		data = data[packSums:]
		heads[one.room], last = one.seq, one
		ids = append(ids, one)
	}
	return ids, nil
}
