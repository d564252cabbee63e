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

// What is in no hurry is committed together, and not with what is: a little after that,
// or when there is much of it, or after a tenth of a second; and a poster's entries keep
// their order.
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
		all := [][]string{{"0", "1", "2", "3", "4"}}
		are(all...)

		submit(0, false, "a")
		submit(1, false, "b")
		submit(0, true, "c") // whose a waits
		all = append(all, []string{"a", "b", "c"})
		are(all...)
		time.Sleep(time.Second) // nothing is left that would be committed
		are(all...)

		submit(2, false, "d")
		submit(0, true, "e")
		all = append(all, []string{"e"})
		are(all...)
		time.Sleep(laterAfter)
		all = append(all, []string{"d"})
		are(all...)

		submit(2, false, "g")
		for range laterMost / (10 * time.Millisecond) { // without end, and with no time for it in between
			submit(0, true, "h")
			all = append(all, []string{"h"})
			are(all...)
			time.Sleep(10 * time.Millisecond)
		}
		all = append(all, []string{"g"})
		are(all...)

		var many []string
		for i := range laterUpTo {
			submit(i%n, false, fmt.Sprint("many ", i))
			many = append(many, fmt.Sprint("many ", i))
		}
		all = append(all, many)
		are(all...)
		submit(3, false, "last")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		are(append(all, []string{"last"})...)
	})
}
