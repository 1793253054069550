package page

import "github.com/latchkey/latchkey/internal/oauth"

// Usage shows what an application did.
type Usage struct {
	Frame
	Tabs ApplicationTabs
	// Days is how many are shown.
	Days  int
	Total oauth.Usage
	// Accounts is about for how many accounts it was.
	Accounts int64
	Plots    []Plot
}

func (Usage) template() string { return "usage" }

// Errors shows the requests of an application that were refused.
type Errors struct {
	Frame
	Tabs     ApplicationTabs
	Refusals []oauth.Refusal
	// Codes are those that there are; Code is the one that is shown alone.
	Codes []string
	Code  string
	// Older is the id from which the next page goes on, empty on the last.
	Older string
}

func (Errors) template() string { return "errors" }
