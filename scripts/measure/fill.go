package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// fill adds entries to a log, half of them to the room that is measured, and waits until
// all can be found.
func fill(ctx context.Context, dir string, n int) error {
	store, err := roomlog.OpenSQLite(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	rnd := rand.New(rand.NewPCG(uint64(n), 0))
	batch := make([]roomlog.Record, 0, 5_000)
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch = batch[:0]
		for range min(n, cap(batch)) {
			var text strings.Builder
			for text.Len() < 90 {
				fmt.Fprintf(&text, "w%d ", int(rnd.ExpFloat64()*2_000)) // few words are frequent
			}
			room := "bench-0"
			if rnd.IntN(2) == 0 {
				room = fmt.Sprint("room-", rnd.IntN(100))
			}
			batch = append(batch, roomlog.Record{Entry: protocol.Entry{ID: protocol.NewID(), Room: room, User: protocol.UserID{1}, Nick: "somebody", Guest: true, Text: text.String()}})
		}
		n -= len(batch)
		if err := store.Append(batch); err != nil {
			return err
		}
	}
	query, err := roomlog.ParseQuery("w1", time.UTC)
	if err != nil {
		return err
	}
	query.Limit, query.Bytes = 1, 1<<16
	_, _, err = store.Search(ctx, query) // which first lets the index catch up
	return err
}
