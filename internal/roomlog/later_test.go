package roomlog

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/protocol"
)

// What is in no hurry is committed together, with the next entry that is, or when there
// is much of it, or after a tenth of a second; and a poster's entries keep their order.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Local(NewMemory())
		var mu sync.Mutex
		var commits [][]string
		l.Follow(func(es []protocol.Entry) func() {
			mu.Lock()
			defer mu.Unlock()
			var texts []string
			for i := range es {
				texts = append(texts, es[i].Text)
			}
			commits = append(commits, texts)
			return nil
		})
		const n = 5
		var posters [n]*Poster
		for i := range posters {
			posters[i] = l.Poster(func(*protocol.Entry, error) {})
		}
		submit := func(by int, now bool, text string) {
			t.Helper()
			if err := posters[by].submit(entry("lobby", text), now); err != nil {
				t.Fatal(err)
			}
		}
		are := func(want ...[]string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.EqualFunc(commits, want, slices.Equal) {
				t.Fatalf("commits %q, want %q", commits, want)
			}
		}
		for i := range n {
			submit(i, false, fmt.Sprint(i))
			time.Sleep(10 * time.Millisecond)
		}
		are()
		time.Sleep(laterMost - n*10*time.Millisecond)
		first := []string{"0", "1", "2", "3", "4"}
		are(first)

		submit(0, false, "a")
		submit(0, true, "b")
		submit(1, true, "c")
		second := []string{"a", "b", "c"}
		are(first, second)
		time.Sleep(time.Second) // nothing is left that would make anything due
		are(first, second)

		submit(2, false, "d")
		time.Sleep(laterMost)
		are(first, second, []string{"d"})
		var many []string
		for i := range gatherUpTo {
			submit(i%n, false, fmt.Sprint("many ", i))
			many = append(many, fmt.Sprint("many ", i))
		}
		are(first, second, []string{"d"}, many)
		submit(3, false, "e")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		are(first, second, []string{"d"}, many, []string{"e"})
	})
}
