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
