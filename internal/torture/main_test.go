package torture

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"lanchat/internal/tied"
)

var flags struct {
	seconds, kills, posts int
	seed                  uint64
	long                  bool
}

func TestMain(m *testing.M) {
	flag.IntVar(&flags.seconds, "seconds", 10, "how long the clients go on")
	flag.IntVar(&flags.kills, "kills", 5, "go on until the server was killed so often")
	flag.IntVar(&flags.posts, "posts", 0, "say at most so many lines; 0: 1,000 for each second or kill")
	flag.Uint64Var(&flags.seed, "seed", 0, "take the decisions that come from this; 0: new ones")
	flag.BoolVar(&flags.long, "long", false, "10,000 lines through chat send, and two minutes of a suspended chat tail")
	flag.Parse()
	if flags.seed == 0 {
		flags.seed = rand.Uint64N(1_000_000) + 1
	}
	if flags.posts == 0 {
		flags.posts = 1000 * max(flags.seconds, flags.kills)
	}
	code := m.Run()
	tied.RemovePrograms()
	os.Exit(code)
}

// rest is what a run needs behind its last kill: to catch up, and to be judged.
const rest = 45 * time.Second

func TestTorture(t *testing.T) {
	t.Parallel()
	length := time.Duration(flags.seconds) * time.Second
	if limit, ok := t.Deadline(); ok && time.Until(limit) < length+rest {
		length = max(time.Until(limit)-rest, time.Second)
		t.Logf("shortened to %v: go test ends it at -timeout", length.Round(time.Second))
	}
	least := min(3000, flags.posts/2)
	r := torture(t, newProcess(t), plan{seed: flags.seed, length: length, kills: flags.kills, posts: flags.posts, acks: least, skips: 1,
		every: 1300 * time.Millisecond, pause: 200 * time.Millisecond, peers: 9, users: 4})
	t.Log(r)
	r.fail(t)
	if r.kills < flags.kills {
		t.Errorf("%d kills, want %d", r.kills, flags.kills)
	}
	if r.acks < least {
		t.Errorf("%d acknowledgements, want at least %d: the run was too easy", r.acks, least)
	}
	if r.skips == 0 || r.again == 0 {
		t.Errorf("%d gaps announced, %d lines sent again: the run has not tried that", r.skips, r.again)
	}
}

// fail fails a test whose run has found something.
func (r *report) fail(t testing.TB) {
	t.Helper()
	for _, what := range r.told {
		t.Error(what)
	}
	if len(r.count) > 0 {
		t.Errorf("once more: go test ./internal/torture -seed %d", r.seed)
	}
}

func (r *report) String() string {
	return fmt.Sprintf("seed %d, %v: %d kills, %d connections, %d lines said, %d sent again, %d acknowledged, %d entries in %d rooms; "+
		"%d told, %d gaps announced, %d pages; lost %d, doubled %d, reordered %d, changed %d, untold %d, other %d",
		r.seed, r.took.Round(time.Second), r.kills, r.ups, r.said, r.again, r.acks, r.entries, len(rooms),
		r.toldEntries, r.skips, r.pages, r.count[lost], r.count[doubled], r.count[reordered], r.count[changed], r.count[gap], r.count[other])
}
