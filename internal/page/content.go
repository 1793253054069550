package page

import "github.com/latchkey/latchkey/internal/oauth"

// SignIn asks who the person is.
type SignIn struct {
	Frame
	// Action is where the form is posted.
	Action string
	// Application is the one that is waiting, nil for none.
	Application *Asker
	Email       string
	Problem     oauth.Sentence
	// SignUp is whether to offer an account; Continue is where the offer leads
	// back to, outside an authorization request.
	SignUp   bool
	Continue string
}

// SignUp asks for a new account.
type SignUp struct {
	Frame
	Action      string
	Application *Asker
	Name, Email string
	Problem     oauth.Sentence
	Problems    map[string]oauth.Sentence
	Continue    string
}

// Problem is a page about something that went wrong.
type Problem struct {
	Frame
	// Person says in plain words what to do.
	Person oauth.Sentence
	// Developer says what to mend, in English, as programs are told.
	Developer string
	// Code is the error code of the protocol, if there is one.
	Code string
	// BackTo is a link that helps, with its text.
	BackTo   string
	BackText oauth.Sentence
}

// Applications lists what a developer has registered.
type Applications struct {
	Frame
	Applications []oauth.Application
}

// Choice is a scope that may be chosen for an application.
type Choice struct {
	oauth.Permission
	Chosen bool
	// Locked: an administrator has to allow it first.
	Locked bool
}

// ApplicationForm is what a developer types about an application.
type ApplicationForm struct {
	Name, Site, RedirectURIs string
	Public                   bool
	Choices                  []Choice
	Problems                 map[string]oauth.Sentence
}

// NewApplication registers an application.
type NewApplication struct {
	Frame
	Form ApplicationForm
}

// Application shows and edits one application.
type Application struct {
	Frame
	Tabs        ApplicationTabs
	Form        ApplicationForm
	Application oauth.Application
	// Secret is shown this once, empty otherwise.
	Secret string
	// PreviousSecret tells that a replaced secret still works.
	PreviousSecret bool
	// Endpoints are what the developer's code needs.
	Issuer, Authorize, Token string
}

func (SignIn) template() string         { return "sign_in" }
func (SignUp) template() string         { return "sign_up" }
func (Problem) template() string        { return "problem" }
func (Applications) template() string   { return "applications" }
func (NewApplication) template() string { return "new_application" }
func (Application) template() string    { return "application" }
