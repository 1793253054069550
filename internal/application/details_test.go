package application

import (
	"errors"
	"slices"
	"testing"
)

func TestWhatOthersChangedMeanwhileStays(t *testing.T) {
	shown := Details{Name: "Tide", Site: "https://tide.example", RedirectURIs: []string{"https://tide.example/a"}, Scope: "profile events", OptionalScope: "events"}
	for name, c := range map[string]struct {
		theirs, mine, want func(*Details)
		// problem names the field that both changed.
		problem string
		// stale is what is no Seen.
		stale string
	}{
		"where only others changed something": {theirs: func(d *Details) { d.Name = "Ebb"; d.Scope = "profile" }, want: func(d *Details) { d.Name = "Ebb"; d.Scope = "profile" }},
		"where each changed something else":   {theirs: func(d *Details) { d.Scope += " community" }, mine: func(d *Details) { d.Site = "" }, want: func(d *Details) { d.Scope += " community"; d.Site = "" }},
		"where both changed the same alike":   {theirs: func(d *Details) { d.Terms = "https://t.example" }, mine: func(d *Details) { d.Terms = "https://t.example" }, want: func(d *Details) { d.Terms = "https://t.example" }},
		"but where both changed the same": {theirs: func(d *Details) { d.RedirectURIs = nil }, mine: func(d *Details) {
			d.RedirectURIs = append(d.RedirectURIs, "https://b.example")
			d.Privacy = "https://p.example"
		}, want: func(d *Details) {
			d.RedirectURIs = append(d.RedirectURIs, "https://b.example")
			d.Privacy = "https://p.example"
		}, problem: "redirect_uris"},
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
			var problem *Problem
			if errors.As(err, &problem) != (c.problem != "") || problem != nil && problem.Field != c.problem {
				t.Errorf("the problem is %v, want one with %q", err, c.problem)
			}
		})
	}
}
