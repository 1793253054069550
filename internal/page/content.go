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

// Problems puts the problem where it is mended: what is wrong is told of both fields, and the
// password has to be typed again.
func (s SignIn) Problems() map[string]oauth.Sentence {
	return map[string]oauth.Sentence{"password": s.Problem}
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

// NoSuchPage is what stands where there is no page, or none that the person may know of.
func NoSuchPage() Problem {
	return Problem{
		Frame: Frame{Title: oauth.Say("There is no such page")}, Person: oauth.Say("Check the address."), BackTo: "/", BackText: oauth.Say("Your settings"),
	}
}

func (SignIn) template() string  { return "sign_in" }
func (SignUp) template() string  { return "sign_up" }
func (Problem) template() string { return "problem" }
