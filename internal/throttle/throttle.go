// Package throttle slows down those who guess: it counts attempts by key, in
// memory, and tells how long to wait. What counts as an attempt is decided by
// the callers.
package throttle

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Exempt are the client addresses that no throttle counts.
type Exempt []netip.Prefix

func (e Exempt) contains(from netip.Addr) bool {
	return slices.ContainsFunc(e, func(p netip.Prefix) bool { return p.Contains(from) })
}

// Client is the address in the RemoteAddr of a request. The server has put the
// real one there when a trusted proxy stands before it. The link of a link-local one is
// left out: no network contains an address that has it.
func Client(remoteAddr string) netip.Addr {
	a, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap().WithZone("")
}

// Network is the key of a client: one address for IPv4, and for IPv6 one
// network, of which a single person has 2^64 addresses.
func Network(from netip.Addr) string {
	if from.Is6() {
		if network, err := from.Prefix(64); err == nil {
			return network.String()
		}
	}
	return from.String()
}

// Throttle allows some attempts a key at once, and one more each time a while has
// passed. It is safe for concurrent use.
type Throttle struct {
	burst  int
	every  time.Duration
	exempt Exempt
	now    func() time.Time

	mu    sync.Mutex
	keys  map[digest]time.Time // when the last of a key's attempts is forgotten
	swept time.Time
}

// digest stands for a key, which may be as long as a stranger likes, and part of
// something longer that it would keep in memory.
type digest [sha256.Size]byte

func digestOf(key string) digest { return sha256.Sum256([]byte(key)) }

// maxKeys bounds the memory. Keys whose attempts are forgotten are dropped each time
// that every has passed; where there are so many that are not, a new key is not
// counted rather than another forgotten.
const maxKeys = 100_000

// New makes a throttle that allows burst attempts at once, and one more each time that every
// has passed. Clients that are exempt are not counted.
func New(burst int, every time.Duration, exempt Exempt, now func() time.Time) *Throttle {
	return &Throttle{burst: burst, every: every, exempt: exempt, now: now, keys: map[digest]time.Time{}}
}

// Take counts an attempt from a client. When the key has none left it counts
// nothing and returns how long to wait.
func (t *Throttle) Take(key string, from netip.Addr) (wait time.Duration, ok bool) {
	if t.exempt.contains(from) {
		return 0, true
	}
	d := digestOf(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	t.sweep(now)
	forgotten, known := t.keys[d]
	if !known && len(t.keys) >= maxKeys {
		return 0, true
	}
	if forgotten.Before(now) {
		forgotten = now
	}
	if forgotten = forgotten.Add(t.every); forgotten.Sub(now) > time.Duration(t.burst)*t.every {
		return forgotten.Sub(now) - time.Duration(t.burst)*t.every, false
	}
	t.keys[d] = forgotten
	return 0, true
}

// Return takes an attempt of a client back: it was no guess.
func (t *Throttle) Return(key string, from netip.Addr) {
	if t.exempt.contains(from) {
		return
	}
	d := digestOf(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if forgotten, known := t.keys[d]; known {
		t.keys[d] = forgotten.Add(-t.every)
	}
}

// sweep drops the keys whose attempts are forgotten. Where the clock was set back none is
// locked for longer than one that has no attempt left.
func (t *Throttle) sweep(now time.Time) {
	if since := now.Sub(t.swept); since >= 0 && since < t.every {
		return
	}
	t.swept = now
	latest := now.Add(time.Duration(t.burst) * t.every)
	for d, forgotten := range t.keys {
		if !forgotten.After(now) {
			delete(t.keys, d)
		} else if forgotten.After(latest) {
			t.keys[d] = latest
		}
	}
}
