package page

import "github.com/latchkey/latchkey/internal/oauth"

// People are the accounts that have to do with an application.
type People struct {
	Frame
	Tabs        ApplicationTabs
	Application oauth.Application
	// Owner tells whether the one who looks owns the application, not with others only.
	Owner             bool
	CoOwners, Testers []oauth.Member
	// Heir is to whom the application is offered, nil for nobody.
	Heir *oauth.Member
	// Typed and Problems are by the role that somebody was to get.
	Typed    map[string]string
	Problems map[string]oauth.Sentence
}

func (People) template() string { return "people" }
