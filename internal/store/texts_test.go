package store

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/latchkey/latchkey/internal/oauth"
)

// TestTextsAreWhatWasPutOrGone compares with a map: what is found is what was put there, and the
// last ones that fit into a shard are found.
func TestTextsAreWhatWasPutOrGone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 50
		kept := newTexts(limit * cacheShards)
		type put struct {
			at   uint64
			text string
		}
		all := map[byte][]put{}
		for range rapid.IntRange(1, 200).Draw(t, "puts") {
			last := byte(rapid.IntRange(0, 1).Draw(t, "shard"))
			text := strings.Repeat(string(rune('a'+rapid.IntRange(0, 25).Draw(t, "letter"))), rapid.IntRange(0, limit+1).Draw(t, "length"))
			at, ok := kept.put(oauth.ID{15: last}, text)
			if ok != (len(text) <= limit) {
				t.Fatalf("%d bytes are kept: %t", len(text), ok)
			}
			if ok {
				all[last] = append(all[last], put{at, text})
			}
		}
		for last, puts := range all {
			// Less than half of the room is never wasted at its end.
			room := limit / 2
			for i := len(puts) - 1; i >= 0; i-- {
				p := puts[i]
				text, ok := kept.get(oauth.ID{15: last}, p.at, len(p.text))
				if room -= len(p.text); room >= 0 && !ok {
					t.Fatalf("the last texts are gone")
				}
				if ok && text != p.text {
					t.Fatalf("%q became %q", p.text, text)
				}
			}
		}
	})
}
