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
	d := Details{
		Name: n.Name, Site: n.Site, Privacy: n.Privacy, Terms: n.Terms,
		RedirectURIs: n.RedirectURIs, Scope: n.Scope.Within(a.catalogue.All()),
	}
	d.OptionalScope = n.OptionalScope.Within(d.Scope)
	return d
}

// detail is one of the details, by the name of its input.
type detail struct {
	field string
	text  func(Details) string
	set   func(to *Details, of Details)
}

func eachDetail() []detail {
	text := func(field string, of func(*Details) *string) detail {
		return detail{field, func(d Details) string { return *of(&d) }, func(to *Details, d Details) { *of(to) = *of(&d) }}
	}
	scope := func(field string, of func(*Details) *oauth.Scope) detail {
		sorted := func(d Details) string { return strings.Join(slices.Sorted(slices.Values(of(&d).Tokens())), " ") }
		return detail{field, sorted, func(to *Details, d Details) { *of(to) = *of(&d) }}
	}
	return []detail{
		text("name", func(d *Details) *string { return &d.Name }),
		text("site", func(d *Details) *string { return &d.Site }),
		text("privacy", func(d *Details) *string { return &d.Privacy }),
		text("terms", func(d *Details) *string { return &d.Terms }),
		{"redirect_uris", func(d Details) string { return strings.Join(d.RedirectURIs, " ") }, func(to *Details, d Details) { to.RedirectURIs = d.RedirectURIs }},
		scope("scope", func(d *Details) *oauth.Scope { return &d.Scope }),
		scope("optional_scope", func(d *Details) *oauth.Scope { return &d.OptionalScope }),
	}
}

// Seen are short digests of the details, one for each, so that a form can tell what it
// showed.
func (d Details) Seen() string {
	var all []string
	for _, of := range eachDetail() {
		sum := sha256.Sum256([]byte(of.text(d)))
		all = append(all, hex.EncodeToString(sum[:6]))
	}
	return strings.Join(all, ".")
}

// Onto is the present details with what d changed of those that were seen: what somebody
// else changed meanwhile stays. The error is a *Problem where both changed the same. What is
// no Seen stands for the present ones.
func (d Details) Onto(present Details, seen string) (Details, error) {
	was, wanted, is := strings.Split(seen, "."), strings.Split(d.Seen(), "."), strings.Split(present.Seen(), ".")
	if len(was) != len(is) {
		return d, nil
	}
	var problem error
	for i, of := range eachDetail() {
		if wanted[i] == was[i] {
			continue
		}
		if is[i] != was[i] && is[i] != wanted[i] {
			problem = &Problem{of.field, oauth.Say("This was changed since you opened the page, and is now: %s. Save again to have what you entered instead.", cmp.Or(of.text(present), "–"))}
		}
		of.set(&present, d)
	}
	return present, problem
}
