package account

import (
	"net/netip"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
	"github.com/latchkey/latchkey/internal/throttle"
)

// guesses counts passwords that let nobody in, for an email address, whether there is an account or not:
// strictly those of one network, and loosely all of them, so that a stranger keeps nobody out.
type guesses struct {
	fromNetwork, fromAll *throttle.Throttle
}

func newGuesses(exempt throttle.Exempt, now func() time.Time) guesses {
	return guesses{
		fromNetwork: throttle.New(10, 30*time.Second, exempt, now),
		fromAll:     throttle.New(100, 3*time.Second, exempt, now),
	}
}

// here is the key of an email address and a network, which has no space.
func here(email string, from netip.Addr) string {
	return throttle.Network(from) + " " + store.EmailKey(email)
}

// take counts a password that is about to be looked at.
func (g guesses) take(email string, from netip.Addr) *Problem {
	if tooMany := take(g.fromNetwork, here(email, from), from); tooMany != nil {
		return tooMany
	}
	tooMany := take(g.fromAll, store.EmailKey(email), from)
	if tooMany != nil {
		// It is not looked at.
		g.fromNetwork.Return(here(email, from), from)
	}
	return tooMany
}

// giveBack takes back one that was right.
func (g guesses) giveBack(email string, from netip.Addr) {
	g.fromNetwork.Return(here(email, from), from)
	g.fromAll.Return(store.EmailKey(email), from)
}

// take counts an attempt, and is the problem of a client that has none left.
func take(t *throttle.Throttle, key string, from netip.Addr) *Problem {
	if wait, ok := t.Take(key, from); !ok {
		return oauth.TooManyAttempts("", wait)
	}
	return nil
}
