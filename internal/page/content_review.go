package page

import "github.com/latchkey/latchkey/internal/oauth"

// Draft tells a person that an application was not reviewed yet.
type Draft struct {
	Frame
	// Action is the authorization request.
	Action      string
	Name, Owner string
	// Host is where the browser would go.
	Host string
}

// Review is how far the review of an application has come, for its developers.
type Review struct {
	ClientID string
	// Required: without a review the application is a draft.
	Required            bool
	Submitted, Verified bool
	// Note is what an administrator wrote last.
	Note string
	// Scopes are those that an administrator has to allow and did not.
	Scopes []ScopeStanding
}

// ReviewOf is how far the review of an application has come on a platform with these
// scopes.
func ReviewOf(a oauth.Application, required bool, catalogue oauth.Catalogue) Review {
	v := Review{ClientID: a.ClientID, Required: required, Submitted: a.Submitted(), Verified: a.Verified(), Note: a.ReviewNote}
	for _, p := range catalogue.Permissions {
		if p.NeedsApproval && !a.Scope.Has(p.Name) {
			v.Scopes = append(v.Scopes, ScopeStanding{Permission: p, State: a.StateOf(p.Name)})
		}
	}
	return v
}

// Unrequested reports whether there are scopes that can be asked for.
func (v Review) Unrequested() bool {
	for _, s := range v.Scopes {
		if !s.Requested() {
			return true
		}
	}
	return false
}

func (Draft) template() string { return "draft" }
