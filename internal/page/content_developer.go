package page

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Applications lists what a developer has registered.
type Applications struct {
	Frame
	Applications []oauth.Application
	// Offers are those that the account may take over.
	Offers []oauth.Application
	// Search is what is looked for; Searchable, where there is enough to look through.
	Search     string
	Searchable bool
	// Next is the address of the page that follows, empty for none.
	Next string
}

// Choice is a scope that may be chosen for an application.
type Choice struct {
	oauth.Permission
	Chosen bool
	// Optional: people may leave it out when they approve.
	Optional bool
	// Locked: an administrator has to allow it first.
	Locked bool
}

// ApplicationForm is what a developer types about an application.
type ApplicationForm struct {
	Name, Site, Privacy, Terms, RedirectURIs string
	Public                                   bool
	Choices                                  []Choice
	Problems                                 map[string]oauth.Sentence
	// Seen tells of an application that is there what of it the form showed.
	Seen string
}

// NewApplication registers an application.
type NewApplication struct {
	Frame
	Form ApplicationForm
}

// Application is the page on which a developer begins to write code for an application.
type Application struct {
	Frame
	Tabs        ApplicationTabs
	Application oauth.Application
	// Secret is shown this once, empty otherwise.
	Secret string
	// Previous is the secret before the present one as long as it works, nil otherwise.
	Previous *PreviousSecret
	Endpoints
	// Request is an authorization request that works, empty without a redirect URL.
	// Challenged tells that the application must use PKCE, and the request has an example
	// of it.
	Request    string
	Challenged bool
	Snippets   []Snippet
	Review     Review
}

func (a Application) frame() Frame {
	a.Once = a.Secret != ""
	return a.Frame
}

// PreviousSecret is one that was replaced and still works.
type PreviousSecret struct {
	// CreatedAt and UsedAt are zero where they are not known, or where it never was.
	CreatedAt, UsedAt, EndsAt time.Time
}

// ApplicationSettings edits one application.
type ApplicationSettings struct {
	Frame
	Tabs        ApplicationTabs
	Application oauth.Application
	// Owner tells whether the one who looks owns the application, not with others only.
	Owner  bool
	Form   ApplicationForm
	Review Review
}

func (Applications) template() string        { return "applications" }
func (NewApplication) template() string      { return "new_application" }
func (Application) template() string         { return "application" }
func (ApplicationSettings) template() string { return "application_settings" }
