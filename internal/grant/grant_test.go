package grant

import (
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestNoAnswerSaysThatATokenNeverExpires(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	g := &Grants{now: func() time.Time { return now }}
	for left, want := range map[time.Duration]int64{
		2 * time.Hour: 7200, 1500 * time.Millisecond: 2, time.Millisecond: 1, 0: 1, -5 * time.Second: 1,
	} {
		expires := now.Add(left)
		a := oauth.Authorization{Access: oauth.AccessToken{IssuedAt: expires.Add(-2 * time.Hour), ExpiresAt: expires}}
		if got := g.answer(a, oauth.Token{}, "").ExpiresIn; got != want {
			t.Errorf("with %v left expires_in is %d; want %d", left, got, want)
		}
	}
}
