package endpoint

import (
	"net/http"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Trial answers a token or a revocation request as Token and Revoke do, for somebody who
// tries an application by hand: instead of credentials there is the trial. The pages call
// it; no URL leads here.
func (e *Endpoints) Trial(t grant.Trial) http.Handler {
	return e.serve(rules{method: http.MethodPost, open: true}, func(w http.ResponseWriter, r *http.Request) error {
		p, _, err := readParameters(w, r)
		if err != nil {
			return err
		}
		if r.URL.Path == e.paths.Revoke {
			if err := t.RevokeToken(r.Context(), p.Get("token"), throttle.Client(r.RemoteAddr)); err != nil {
				return err
			}
			writeJSON(w, http.StatusOK, struct{}{})
			return nil
		}
		var tokens grant.Tokens
		switch p.Get("grant_type") {
		case "authorization_code":
			tokens, err = t.Redeem(r.Context(), codeRequest(r, p))
		case "refresh_token":
			tokens, err = t.Refresh(r.Context(), refreshRequest(r, p))
		default:
			err = oauth.NewError(oauth.UnsupportedGrantType, "a trial exchanges codes and refreshes")
		}
		if err != nil {
			return err
		}
		writeTokens(w, tokens)
		return nil
	})
}
