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
	// more than them. Of the others, Optional may be left out; Plain and Sensitive may not.
	Plain, Sensitive, Optional, Known []Asked
	// Approved tells that the account has answered for all of it before.
	Approved bool
	// Changed tells that the account approved the application when it was different.
	Changed bool
	// Lasting is for how long: month, day, or empty for no limit.
	Lasting string
	// Problem is what is wrong with an answer.
	Problem oauth.Sentence
}

// Asked is a scope that an application asks for.
type Asked struct {
	oauth.Permission
	// Optional: the account may leave it out. Chosen: it does not.
	Optional, Chosen bool
}

// Grown reports whether the request asks for more than the account approved before.
func (c Consent) Grown() bool { return len(c.Known) > 0 }

// Lines reports whether the application has anything to read about itself.
func (c Consent) Lines() bool {
	return c.Application.Site+c.Application.Privacy+c.Application.Terms != ""
}

func (Consent) template() string { return "consent" }
