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

// GuideResult is a place in the documentation where something was found: a part of a section,
// or its beginning.
type GuideResult struct {
	Address, Section, Title string
	Excerpt                 template.HTML
}

func (Guide) template() string { return "guide" }
