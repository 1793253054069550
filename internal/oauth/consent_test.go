package oauth_test

import (
	"testing"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

func covers(c oauth.Consent, identity oauth.Identity, scope oauth.Scope) bool {
	return c.Covers(identity, oauth.Authorization{Scope: scope}, start)
}

func TestAConsentCountsForWhatWasShown(t *testing.T) {
	a := oauth.Application{Name: "App", OwnerName: "Ada", Site: "https://a.example", RedirectURIs: []string{"https://a.example/cb"}}
	identity := a.Identity()
	c := oauth.Consent{}.Renew(identity, oauth.Authorization{Scope: "profile"}, "", start)
	c = c.Renew(identity, oauth.Authorization{Scope: "community"}, "", start.Add(time.Hour))
	if !covers(c, identity, "community profile") || covers(c, identity, "admin") || !c.CreatedAt.Equal(start) {
		t.Errorf("the consent is %+v", c)
	}
	for name, change := range map[string]func(*oauth.Application){
		"name": func(a *oauth.Application) { a.Name = "Bank" }, "owner": func(a *oauth.Application) { a.OwnerID[0] = 1 },
		"owner's name": func(a *oauth.Application) { a.OwnerName = "Eve" }, "site": func(a *oauth.Application) { a.Site = "" },
		"redirect URIs": func(a *oauth.Application) { a.RedirectURIs = append(a.RedirectURIs, "https://b.example/") },
	} {
		changed := a
		change(&changed)
		if covers(c, changed.Identity(), "profile") {
			t.Errorf("the consent survives a change of the %s", name)
		}
	}
	if renewed := c.Renew(oauth.Identity{1}, oauth.Authorization{Scope: "profile"}, "", start); renewed.Scope != "profile" {
		t.Errorf("approvals of another identity are kept: %q", renewed.Scope)
	}
}

const day = 24 * time.Hour

// TestAConsentEndsWithItsApproval renews a consent and looks at when it ends; zero is never.
func TestAConsentEndsWithItsApproval(t *testing.T) {
	until := func(d time.Duration) time.Time {
		if d == 0 {
			return time.Time{}
		}
		return start.Add(d)
	}
	type approval struct {
		scope oauth.Scope
		ends  time.Duration
	}
	for _, c := range []struct {
		name          string
		before, after approval
		passed        time.Duration
		want          approval
	}{
		{"a limit is kept", approval{}, approval{"profile", day}, 0, approval{"profile", day}},
		{"a limit is taken away", approval{"profile", day}, approval{"profile", 0}, 0, approval{"profile", 0}},
		{"a limit is set", approval{"profile", 0}, approval{"profile", day}, 0, approval{"profile", day}},
		{"more does not prolong what was approved for a time", approval{"profile", day}, approval{"events", 0}, 0, approval{"profile events", day}},
		{"more for a time bounds all", approval{"profile", 0}, approval{"events", day}, 0, approval{"profile events", day}},
		{"all of it for longer", approval{"profile", day}, approval{"profile events", 30 * day}, 0, approval{"profile events", 30 * day}},
		{"what is over is forgotten", approval{"profile", day}, approval{"events", 0}, day, approval{"events", 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var consent oauth.Consent
			for i, a := range []approval{c.before, c.after} {
				if a.scope != "" {
					consent = consent.Renew(oauth.Identity{}, oauth.Authorization{Scope: a.scope, EndsAt: until(a.ends)}, "", until(time.Duration(i)*c.passed+1))
				}
			}
			if consent.Scope != c.want.scope || !consent.EndsAt.Equal(until(c.want.ends)) {
				t.Errorf("it covers %q until %v", consent.Scope, consent.EndsAt)
			}
		})
	}
}

func TestAConsentCoversNothingThatOutlivesIt(t *testing.T) {
	c := oauth.Consent{Scope: "profile", EndsAt: start.Add(day)}
	for _, row := range []struct {
		name  string
		ends  time.Time
		now   time.Time
		wants bool
	}{
		{"as long", start.Add(day), start, true},
		{"shorter", start.Add(time.Hour), start, true},
		{"longer", start.Add(day + 1), start, false},
		{"without a limit", time.Time{}, start, false},
		{"after its end", start.Add(day), start.Add(day), false},
	} {
		if got := c.Covers(oauth.Identity{}, oauth.Authorization{Scope: "profile", EndsAt: row.ends}, row.now); got != row.wants {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}

func TestAConsentRemembersWhatWasDeclined(t *testing.T) {
	type answer struct{ approved, declined oauth.Scope }
	for _, c := range []struct {
		name            string
		answers         []answer
		asked, optional oauth.Scope
		approved        oauth.Scope
		settled         bool
	}{
		{"nothing was asked yet", nil, "profile", "", "", false},
		{"all was approved", []answer{{"profile events", ""}}, "events profile", "events", "events profile", true},
		{"one was declined", []answer{{"profile", "events"}}, "profile events", "events", "profile", true},
		{"one was neither", []answer{{"profile", "events"}}, "profile events photos", "events photos", "profile", false},
		{"what was declined is required now", []answer{{"profile", "events"}}, "profile events", "", "profile", false},
		{"all of it was declined", []answer{{"profile", "events"}}, "events", "events", "", false},
		{"approved later", []answer{{"profile", "events"}, {"profile events", ""}}, "profile events", "events", "profile events", true},
		{"declined later", []answer{{"profile events", ""}, {"profile", "events"}}, "profile events", "events", "profile", true},
		{"declined one after the other", []answer{{"profile", "events"}, {"profile", "photos"}}, "profile events photos", "events photos", "profile", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var consent oauth.Consent
			for _, a := range c.answers {
				consent = consent.Renew(oauth.Identity{1}, oauth.Authorization{Scope: a.approved}, a.declined, start)
			}
			if approved, settled := consent.Settles(c.asked, c.optional); settled != c.settled || approved != c.approved {
				t.Errorf("settled is %v with %q", settled, approved)
			}
			other := consent.Renew(oauth.Identity{2}, oauth.Authorization{Scope: "profile"}, "", start)
			if other.Declined != "" {
				t.Errorf("of another identity %q is declined", other.Declined)
			}
		})
	}
}
