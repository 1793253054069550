package application

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestWhatOthersChangedMeanwhileStays(t *testing.T) {
	shown := Details{Name: "Tide", Site: "https://tide.example", RedirectURIs: []string{"https://tide.example/a"}, Scope: "profile events", OptionalScope: "events"}
	for name, c := range map[string]struct {
		theirs, mine, want func(*Details)
		// problems name the fields that both changed.
		problems []string
		// stale is what is no Seen.
		stale string
	}{
		"where only others changed something": {theirs: func(d *Details) { d.Name, d.Scope, d.OptionalScope = "Ebb", "profile", "" }, want: func(d *Details) { d.Name, d.Scope, d.OptionalScope = "Ebb", "profile", "" }},
		"where each changed something else":   {theirs: func(d *Details) { d.Scope += " community" }, mine: func(d *Details) { d.Site = "" }, want: func(d *Details) { d.Scope += " community"; d.Site = "" }},
		"where both changed the same alike":   {theirs: func(d *Details) { d.Terms = "https://t.example" }, mine: func(d *Details) { d.Terms = "https://t.example" }, want: func(d *Details) { d.Terms = "https://t.example" }},
		"but where both changed the same": {theirs: func(d *Details) { d.RedirectURIs = nil }, mine: func(d *Details) {
			d.RedirectURIs = append(d.RedirectURIs, "https://b.example")
			d.Privacy = "https://p.example"
		}, want: func(d *Details) {
			d.RedirectURIs = append(d.RedirectURIs, "https://b.example")
			d.Privacy = "https://p.example"
		}, problems: []string{"redirect_uris"}},
		"and each is told where they are several": {theirs: func(d *Details) { d.Name, d.Scope, d.Terms = "Ebb", "profile", "https://t.example" }, mine: func(d *Details) {
			d.Name, d.Scope, d.Site = "Flow", "events", ""
		}, want: func(d *Details) {
			d.Name, d.Scope, d.Site, d.Terms = "Flow", "events", "", "https://t.example"
		}, problems: []string{"name", "scope"}},
		"and what went meanwhile is not optional": {theirs: func(d *Details) { d.Scope = "events" }, mine: func(d *Details) { d.OptionalScope = "profile events" }, want: func(d *Details) { d.Scope = "events" }},
		"and what both made optional is told": {theirs: func(d *Details) { d.OptionalScope = "" }, mine: func(d *Details) { d.OptionalScope = "profile" }, want: func(d *Details) {
			d.OptionalScope = "profile"
		}, problems: []string{"optional_scope"}},
		"and another order of scopes is no change": {theirs: func(d *Details) { d.Name = "Ebb" }, mine: func(d *Details) { d.Scope = "events profile" }, want: func(d *Details) { d.Name = "Ebb" }},
		"unless the form does not tell":            {theirs: func(d *Details) { d.Name = "Ebb" }, mine: func(d *Details) { d.Site = "" }, want: func(d *Details) { d.Site = "" }, stale: "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			present, mine, want := shown, shown, shown
			for of, change := range map[*Details]func(*Details){&present: c.theirs, &mine: c.mine, &want: c.want} {
				of.RedirectURIs = slices.Clone(of.RedirectURIs)
				if change != nil {
					change(of)
				}
			}
			seen := shown.Seen()
			if c.stale != "" {
				seen = c.stale
			}
			got, err := mine.Onto(present, seen)
			if got.Seen() != want.Seen() {
				t.Errorf("the details are %+v, want %+v", got, want)
			}
			if told := fields(err); !slices.Equal(told, c.problems) {
				t.Errorf("problems of %q are told, want %q: %v", told, c.problems, err)
			}
		})
	}
}

// fields are those that an error is about.
func fields(err error) (all []string) {
	var wrong *Problem
	if errors.As(err, &wrong) {
		for _, p := range wrong.All() {
			all = append(all, p.Field)
		}
	}
	return all
}

func TestScopesThatADeveloperChooses(t *testing.T) {
	a := New(nil, nil, nil, oauth.NewScopes(oauth.Catalogue{Default: "profile", Permissions: []oauth.Permission{
		{Name: "profile"}, {Name: "events"}, {Name: "community", NeedsApproval: true},
	}}))
	for _, c := range []struct {
		scope, optional, has oauth.Scope
		administrator        bool
		wrong                string
	}{
		{"profile events", "events", "", false, ""},
		{"", "", "", false, ""},
		{"", "", "profile", false, "scope"},
		{"gone", "", "gone", false, "scope"},
		{"gone", "", "", true, "scope"},
		{"profile community", "", "profile", false, "scope"},
		{"profile community", "", "profile community", false, ""},
		{"profile community", "", "profile", true, ""},
		{"profile", "events", "", true, "optional_scope"},
	} {
		var told []string
		if wrong := a.Wrong(Details{Name: "Tide", Scope: c.scope, OptionalScope: c.optional}, false, c.has, c.administrator); wrong != nil {
			told = fields(wrong)
		}
		if got := strings.Join(told, " "); got != c.wrong {
			t.Errorf("%q of one with %q (administrator: %v): wrong is %q, want %q", c.scope, c.has, c.administrator, got, c.wrong)
		}
	}
	// What is configured no more is not shown, and does not stand in the way.
	d := a.DetailsOf(oauth.Application{Scope: "gone profile events", OptionalScope: "gone events"})
	if d.Scope != "profile events" || d.OptionalScope != "events" {
		t.Errorf("the form has %q, of which %q are optional", d.Scope, d.OptionalScope)
	}
}
