package store

import (
	"sync"

	"github.com/latchkey/latchkey/internal/oauth"
)

// texts are kept in one piece of memory for each shard, the oldest of which make way for new
// ones. As strings, a hundred thousand of them would cost the garbage collector more than all
// else that lives. It is safe for concurrent use.
type texts struct {
	shards [cacheShards]textShard
	// limit is how many bytes a shard keeps.
	limit int
}

type textShard struct {
	mu    sync.Mutex
	bytes []byte
	// written counts what was ever written, with what was left free at the end of bytes. What
	// was written at some count lies at its remainder by the limit.
	written uint64
}

func newTexts(limit int) *texts { return &texts{limit: max(1, limit/cacheShards)} }

func (t *texts) shard(id oauth.ID) *textShard { return &t.shards[id[15]%cacheShards] }

// put keeps a text, and returns where get finds it; false for one that is too long.
func (t *texts) put(id oauth.ID, text string) (at uint64, ok bool) {
	if len(text) > t.limit {
		return 0, false
	}
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	place := int(s.written % uint64(t.limit))
	if place+len(text) > t.limit {
		s.written += uint64(t.limit - place)
		place = 0
	}
	if end := place + len(text); end > len(s.bytes) {
		if end > cap(s.bytes) {
			s.bytes = append(make([]byte, 0, min(end+end/2, t.limit)), s.bytes...)
		}
		s.bytes = s.bytes[:end]
	}
	copy(s.bytes[place:], text)
	at = s.written
	s.written += uint64(len(text))
	return at, true
}

// get returns a text that put has kept; false where it has made way.
func (t *texts) get(id oauth.ID, at uint64, length int) (string, bool) {
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written-at > uint64(t.limit) {
		return "", false
	}
	place := int(at % uint64(t.limit))
	return string(s.bytes[place : place+length]), true
}
