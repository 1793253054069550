package page

import "github.com/latchkey/latchkey/internal/oauth"

// TrialStep is how far somebody has come who tries an application by hand. Those from
// StepExchange on are the last part of the addresses that take them.
type TrialStep string

// The steps.
const (
	StepAsk      TrialStep = "ask"
	StepAnswer   TrialStep = "answer"
	StepExchange TrialStep = "exchange"
	StepCall     TrialStep = "call"
	StepRefresh  TrialStep = "refresh"
	StepRevoke   TrialStep = "revoke"
)

// HTTPExchange is a request and what was answered, as text; Answer is empty where the
// answer is another page.
type HTTPExchange struct{ Request, Answer string }

// Trial runs the flow of an application step by step.
type Trial struct {
	Frame
	Tabs ApplicationTabs
	Step TrialStep
	// Problem is why it does not go on.
	Problem oauth.Sentence
	// Exchange is the step's own; Next is the request that follows, where it was not sent yet.
	Exchange HTTPExchange
	Next     string
	// Suspended applications cannot be tried. Authorize is the address of the request, and
	// Choices are what it can ask for.
	Suspended bool
	Authorize string
	Choices   []Choice
	// Public applications have no secret to send.
	Public bool
	// State and Code are what came back, AccessToken and RefreshToken what was given last.
	State, Code               string
	AccessToken, RefreshToken string
}

// Steps are all, with their names, in order.
func (t Trial) Steps() []Tab {
	return []Tab{
		{Name: string(StepAsk), Label: oauth.Say("Ask")},
		{Name: string(StepAnswer), Label: oauth.Say("Answer")},
		{Name: string(StepExchange), Label: oauth.Say("Exchange")},
		{Name: string(StepCall), Label: oauth.Say("Call the API")},
		{Name: string(StepRefresh), Label: oauth.Say("Refresh")},
		{Name: string(StepRevoke), Label: oauth.Say("Revoke")},
	}
}

func (Trial) template() string { return "try" }
