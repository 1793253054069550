package grant

import (
	"context"

	"github.com/latchkey/latchkey/internal/oauth"
)

// ReviewRequired reports whether an application is a draft until an administrator has
// verified it.
func (g *Grants) ReviewRequired() bool { return g.config.Review }

// Draft reports whether an application is one that only its owner, co-owners and named
// test accounts may authorize.
func (g *Grants) Draft(a oauth.Application) bool { return g.config.Review && !a.Verified() }

// MayAuthorize reports whether an account may approve an application at all.
func (g *Grants) MayAuthorize(ctx context.Context, account oauth.ID, a oauth.Application) (bool, error) {
	if !g.Draft(a) || a.OwnerID == account {
		return true, nil
	}
	may, err := g.store.MayTest(ctx, a.ID, account)
	return may, failure(err)
}
