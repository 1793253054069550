package page

import "github.com/latchkey/latchkey/internal/oauth"

// Asker is the application of an authorization request, as a person is shown it before
// signing in.
type Asker struct {
	Name string
	// Logo names a picture, and is empty for none.
	Logo string
	// Host is where the browser will go in the end.
	Host string
}

// Consent asks an account for its approval.
type Consent struct {
	Frame
	// Action is the authorization request that is asked about.
	Action string
	// Ticket binds what is posted to what was shown.
	Ticket      string
	Application oauth.Application
	// Host is where the browser will go.
	Host string
	// Known are the scopes that the account approved before, where the request asks for
	// more than them; Plain and Sensitive are all others.
	Plain, Sensitive, Known []oauth.Permission
	// Approved tells that the account approved all of it before.
	Approved bool
	// Changed tells that the account approved the application when it was different.
	Changed bool
}

// Grown reports whether the request asks for more than the account approved before.
func (c Consent) Grown() bool { return len(c.Known) > 0 }

// Lines reports whether the application has anything to read about itself.
func (c Consent) Lines() bool {
	return c.Application.Site+c.Application.Privacy+c.Application.Terms != ""
}

func (Consent) template() string { return "consent" }
