package application

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Details are what the owner of an application decides, at any time.
type Details struct {
	Name string
	// Site, Privacy and Terms may be empty.
	Site, Privacy, Terms string
	RedirectURIs         []string
	// Scope is what the application may ask for; empty stands for the default.
	Scope oauth.Scope
	// OptionalScope is what of Scope an account may leave out when it approves: all of
	// it, if the developer wants.
	OptionalScope oauth.Scope
}

// DetailsOf are the details of an application, as far as its scopes are configured.
func (a *Applications) DetailsOf(n oauth.Application) Details {
	scope := n.Scope.Within(a.catalogue.All())
	return Details{
		Name: n.Name, Site: n.Site, Privacy: n.Privacy, Terms: n.Terms,
		RedirectURIs: n.RedirectURIs, Scope: scope, OptionalScope: n.OptionalScope.Within(scope),
	}
}

// applied is an application with these details.
func (d Details) applied(n oauth.Application) oauth.Application {
	n.Name, n.Site, n.Privacy, n.Terms = d.Name, d.Site, d.Privacy, d.Terms
	n.RedirectURIs, n.Scope, n.OptionalScope = d.RedirectURIs, d.Scope, d.OptionalScope
	return n
}

// detail is one of the details.
type detail struct {
	// field is the name of its input.
	field string
	text  string
	// take makes it what it is among others.
	take func(Details)
}

func (d *Details) each() []detail {
	sorted := func(s oauth.Scope) string { return strings.Join(slices.Sorted(slices.Values(s.Tokens())), " ") }
	return []detail{
		{"name", d.Name, func(o Details) { d.Name = o.Name }},
		{"site", d.Site, func(o Details) { d.Site = o.Site }},
		{"privacy", d.Privacy, func(o Details) { d.Privacy = o.Privacy }},
		{"terms", d.Terms, func(o Details) { d.Terms = o.Terms }},
		{"redirect_uris", strings.Join(d.RedirectURIs, " "), func(o Details) { d.RedirectURIs = o.RedirectURIs }},
		{"scope", sorted(d.Scope), func(o Details) { d.Scope = o.Scope }},
		{"optional_scope", sorted(d.OptionalScope), func(o Details) { d.OptionalScope = o.OptionalScope }},
	}
}

// Seen are short digests of the details, one for each, so that a form can tell what it
// showed.
func (d Details) Seen() string {
	var all []string
	for _, one := range d.each() {
		sum := sha256.Sum256([]byte(one.text))
		all = append(all, hex.EncodeToString(sum[:6]))
	}
	return strings.Join(all, ".")
}

// Onto is the present details with what d changed of those that were seen: what somebody
// else changed meanwhile stays. The error is a *Problem, of all that both changed. What is no Seen
// stands for the present ones.
func (d Details) Onto(present Details, seen string) (merged Details, err error) {
	was, wanted, is := strings.Split(seen, "."), strings.Split(d.Seen(), "."), strings.Split(present.Seen(), ".")
	if len(was) != len(is) {
		return d, nil
	}
	merged = present
	var both []*Problem
	for i, one := range merged.each() {
		if wanted[i] == was[i] {
			continue
		}
		if is[i] != was[i] && is[i] != wanted[i] {
			both = append(both, &Problem{Field: one.field, Message: oauth.Say("This was changed since you opened the page, and is now: %s. Save again to have what you entered instead.", cmp.Or(one.text, "–"))})
		}
		one.take(d)
	}
	// A scope that went meanwhile cannot be left out.
	merged.OptionalScope = merged.OptionalScope.Within(merged.Scope)
	if wrong := oauth.Together(both...); wrong != nil {
		return merged, wrong
	}
	return merged, nil
}
