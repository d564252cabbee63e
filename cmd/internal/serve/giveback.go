package serve

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	massOf   = 1_000            // connections
	calmFor  = 10 * time.Second // in which fewer than
	calmMost = 10               // came
)

// giveBack gives memory back to the system when a mass of people has come: what their
// handshakes left behind and the stacks that had grown for them is a third of all that
// the server has then. While nobody says anything the runtime would keep it for minutes,
// and a server for thousands may run on the smallest machine in the house. It takes
// tens of milliseconds of a processor, once a mass, and holds nobody up.
func giveBack(ctx context.Context, accepted func() uint64) {
	whenCalm(ctx, accepted, debug.FreeOSMemory)
}

// whenCalm calls free each time that a mass has come and hardly anybody still comes.
func whenCalm(ctx context.Context, accepted func() uint64, free func()) {
	tick := time.NewTicker(calmFor)
	defer tick.Stop()
	freed := accepted()
	for before := freed; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := accepted()
		if now-freed >= massOf && now-before < calmMost {
			free()
			freed = now
		}
		before = now
	}
}
