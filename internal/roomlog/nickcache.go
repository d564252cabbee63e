package roomlog

import (
	"sync"

	"lanchat/protocol"
)

// nickCache remembers what the file said of keys of nicks, that there is nothing about
// them included: everybody who comes has some asked for, and where a name is popular
// many. What it has holds until somebody binds the key. Any number of goroutines may use
// it.
type nickCache struct {
	mu    sync.Mutex
	keys  map[string]nickBinding
	binds uint64 // how many there were
}

// nickBinding is whose a key is; the zero one: nobody's.
type nickBinding struct {
	user protocol.UserID
	used int64 // last, Unix seconds
}

// nickCacheMost is how many keys are remembered; above it all are forgotten.
const nickCacheMost = 4_096

// get returns what is known of a key. Where that is nothing, as is what put has to be
// told with the file's answer.
func (c *nickCache) get(key string) (b nickBinding, known bool, as uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, known = c.keys[key]
	return b, known, c.binds
}

// put remembers the file's answer, unless somebody bound something since get: it may
// have been that key.
func (c *nickCache) put(key string, b nickBinding, as uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if as != c.binds {
		return
	}
	if c.keys == nil || len(c.keys) >= nickCacheMost {
		c.keys = map[string]nickBinding{}
	}
	c.keys[key] = b
}

// forget is to be called behind what may have bound keys, or may have ended bindings of
// others.
func (c *nickCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.binds++
	clear(c.keys)
}
