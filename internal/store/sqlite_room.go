package store

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Rows that are added in order fill their pages to the end. One that grows later makes
// SQLite spread its page over the neighbours: three or more pages are written instead of
// one. So a row of the code grant is added with room for what its life will bring, a blob
// of zeros that gets shorter as the row gets longer.

// lessRoom takes the next parameter, what a row grows by, off its room.
const lessRoom = `room = zeroblob(max(length(room) - ?, 0))`

// roomOf is how much room a row is added with.
func roomOf(a *oauth.Authorization) int {
	if a.GrantType != oauth.GrantAuthorizationCode {
		return 0
	}
	long := oauth.Authorization{Status: oauth.StatusRevoked, Generation: 128, KeyID: oauth.KeyID{1}, RevokedReason: oauth.ReasonDisconnected}
	for _, t := range growingTimes(&long) {
		*t = a.CreatedAt
	}
	for _, h := range growingHashes(&long) {
		h[0] = 1
	}
	long.Access.Scope, long.PreviousAccess.Scope = a.Scope, a.Scope
	return max(grown(&long)-grown(a), 0)
}

// grown is how many bytes of a row are in columns that get longer
// (https://www.sqlite.org/fileformat2.html#record_format).
func grown(a *oauth.Authorization) (bytes int) {
	for _, t := range growingTimes(a) {
		if !t.IsZero() {
			bytes += 6
		}
	}
	for _, h := range growingHashes(a) {
		if *h != (oauth.Hash{}) {
			bytes += len(h)
		}
	}
	if a.KeyID != (oauth.KeyID{}) {
		bytes += len(a.KeyID)
	}
	for _, text := range []string{string(a.Access.Scope), string(a.PreviousAccess.Scope), string(a.RevokedReason)} {
		if bytes += len(text); len(text) >= 58 {
			bytes++ // its length takes two bytes
		}
	}
	for _, n := range []uint32{uint32(a.Status), a.Generation} {
		if n > 1 {
			bytes++
		}
		if n > 127 {
			bytes++
		}
	}
	return bytes
}

func growingTimes(a *oauth.Authorization) [7]*time.Time {
	return [...]*time.Time{
		&a.RotatedAt, &a.ReplayedAt, &a.Access.IssuedAt, &a.Access.ExpiresAt,
		&a.PreviousAccess.IssuedAt, &a.PreviousAccess.ExpiresAt, &a.RevokedAt,
	}
}

func growingHashes(a *oauth.Authorization) [4]*oauth.Hash {
	return [...]*oauth.Hash{&a.Access.Hash, &a.RefreshHash, &a.PreviousAccess.Hash, &a.PreviousRefreshHash}
}
