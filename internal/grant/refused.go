package grant

import "github.com/latchkey/latchkey/internal/oauth"

// Refused is a refusal with what it was about, for the developers of the application:
// programs are told the refusal alone.
type Refused struct {
	Application oauth.Application
	// Authorization is the one that a code or a token belongs to, zero where there is none;
	// of an access token it is what decides about those alone.
	Authorization oauth.Authorization
	// Presented is that code or token.
	Presented oauth.Token
	err       error
}

// Error is what the refusal says.
func (r *Refused) Error() string { return r.err.Error() }

// Unwrap is the refusal.
func (r *Refused) Unwrap() error { return r.err }
