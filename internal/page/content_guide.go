package page

import (
	"html/template"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Guide is a section of the documentation.
type Guide struct {
	Frame
	Sections []GuideSection
	Title    string
	// Parts are what a long page begins with a list of.
	Parts []GuidePart
	Body  template.HTML
	// Home tells that no section was asked for: the first one is shown.
	Home bool
	// Query is what is looked for, Results where it was found, the best first.
	Query   string
	Results []GuideResult
	// Choices are the developer's applications, Application the one that is filled in.
	Choices     []oauth.Application
	Application *oauth.Application
	// Chosen is the client_id that the address names, empty for none: a search keeps it.
	Chosen string
}

// GuideSection is an entry of the documentation's contents.
type GuideSection struct {
	Address, Title string
	Current        bool
}

// GuidePart is a heading of a page.
type GuidePart struct{ Anchor, Title string }

// GuideResult is a place in the documentation where something was found: a part of the
// section Slug, or its beginning where Anchor is empty. Address leads there.
type GuideResult struct {
	Slug, Anchor, Address string
	Section, Title        string
	Excerpt               template.HTML
}

func (Guide) template() string { return "guide" }
