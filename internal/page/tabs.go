package page

import "github.com/latchkey/latchkey/internal/oauth"

// ApplicationTabs is the heading of the pages about one application of a developer.
type ApplicationTabs struct {
	ClientID, Name string
	// Current is the Name of the tab that is open.
	Current string
	Badges  []Badge
	Tabs    []Tab
}

// Badge is a word beside a name.
type Badge struct {
	Text    oauth.Sentence
	Warning bool
}

// Tab is one of the pages about an application; Path comes behind the application's own.
type Tab struct {
	Name, Path string
	Label      oauth.Sentence
}

// TabsOf is the heading for an application, with one tab open: overview, settings, try, usage,
// errors, webhook or people.
func TabsOf(a oauth.Application, current string) ApplicationTabs {
	t := ApplicationTabs{ClientID: a.ClientID, Name: a.Name, Current: current, Tabs: []Tab{
		{"overview", "", oauth.Say("Overview")},
		{"settings", "/settings", oauth.Say("Settings")},
		{"try", "/try", oauth.Say("Try it")},
		{"usage", "/usage", oauth.Say("Usage")},
		{"errors", "/errors", oauth.Say("Errors")},
		{"webhook", "/webhook", oauth.Say("Webhook")},
		{"people", "/people", oauth.Say("People")},
	}}
	if a.Verified() {
		t.Badges = append(t.Badges, Badge{Text: oauth.Say("verified")})
	}
	if a.Public {
		t.Badges = append(t.Badges, Badge{Text: oauth.Say("public")})
	}
	if a.Suspended() {
		t.Badges = append(t.Badges, Badge{Text: oauth.Say("suspended"), Warning: true})
	}
	return t
}
