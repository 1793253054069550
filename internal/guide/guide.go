// Package guide is the documentation inside the product: what developers of applications
// read below /docs, in their language, with the addresses, limits and scopes of this
// installation and an application of their own filled in. What the sections say is in
// text, a folder for each language; how they look is in internal/page.
package guide

import (
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey/latchkey/internal/application"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

// Facts are what is true of this installation.
type Facts struct {
	// Endpoints are the URLs that everybody calls; Introspect, Check and Metadata those
	// for APIs and libraries.
	page.Endpoints
	Introspect, Check, Metadata string
	// AccessLifetime, RefreshIdle and ReplayWindow are how long tokens live, and how long
	// a public application may repeat a refresh.
	AccessLifetime, RefreshIdle, ReplayWindow time.Duration
	// RequirePKCE of confidential applications too; Review: applications are drafts until
	// an administrator has verified them.
	RequirePKCE, Review bool
}

// Guide serves the documentation.
type Guide struct {
	Facts        Facts
	Catalogue    func() oauth.Catalogue
	Applications *application.Applications
	Door         *signin.Door
	Pages        *page.Pages
	Log          *slog.Logger
}

// slugs are the sections in their order, as their addresses name them.
var slugs = []string{"start", "authorize", "tokens", "api", "revoke", "redirect-urls", "scopes", "errors", "webhooks", "security", "discovery"}

// Routes adds the pages.
func (g *Guide) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /docs", g.show)
	mux.HandleFunc("GET /docs/{section}", g.show)
}

// reader is what a section is filled in with.
type reader struct {
	Facts
	Scopes  []oauth.Permission
	Default oauth.Scope
	// Asked is a scope that requests can be shown with.
	Asked string
	// ClientID and RedirectURI are those of Application, or stand for those that a
	// developer will have.
	ClientID, RedirectURI string
	Application           *oauth.Application
	// Lifetime is the life of an access token in seconds, Idle that of an unused refresh
	// token in days, Replay the window of public applications in seconds.
	Lifetime, Idle, Replay string
}

// Has reports whether a scope is configured: what needs another one is not written about.
func (a reader) Has(name string) bool {
	return slices.ContainsFunc(a.Scopes, func(p oauth.Permission) bool { return p.Name == name })
}

func (g *Guide) show(w http.ResponseWriter, r *http.Request) {
	person, err := g.Door.Person(r)
	if err != nil {
		g.Door.Fail(w, r, err)
		return
	}
	content := page.Guide{Frame: page.Frame{Section: "docs"}, Query: r.URL.Query().Get("q")}
	about := g.reader()
	if person != nil {
		content.Frame.Account = &person.Account
		if content.Choices, err = g.Applications.Of(r.Context(), person.Account.ID); err != nil {
			g.Door.Fail(w, r, err)
			return
		}
		about.choose(content.Choices, r.URL.Query().Get("application"))
		content.Application = about.Application
	}
	sections, err := read(g.Pages.LanguageOf(r), about)
	if err != nil {
		g.Door.Fail(w, r, err)
		return
	}
	slug := r.PathValue("section")
	content.Home = slug == ""
	i := slices.IndexFunc(sections, func(s section) bool { return s.slug == slug || content.Home })
	if i < 0 {
		g.Pages.Write(w, r, http.StatusNotFound, page.Problem{
			Frame: page.Frame{Title: oauth.Say("There is no such page")}, Person: oauth.Say("Check the address."), BackTo: "/docs", BackText: oauth.Say("Documentation"),
		})
		return
	}
	for _, s := range sections {
		content.Sections = append(content.Sections, page.GuideSection{Slug: s.slug, Title: s.title, Current: s.slug == slug})
	}
	content.Frame.Title = oauth.Say("Documentation")
	if !content.Home {
		content.Frame.Title = oauth.Say("%s, documentation", sections[i].title)
	}
	content.Title, content.Body = sections[i].title, sections[i].body
	if content.Query != "" {
		content.Results = search(sections, content.Query)
	}
	g.Pages.Write(w, r, http.StatusOK, content)
}

func (g *Guide) reader() reader {
	catalogue := g.Catalogue()
	a := reader{
		Facts: g.Facts, Scopes: catalogue.Permissions, Default: catalogue.Default, Asked: string(catalogue.Default),
		ClientID: "YOUR_CLIENT_ID", RedirectURI: "https://your-application.example/callback",
		Lifetime: seconds(g.Facts.AccessLifetime), Replay: seconds(g.Facts.ReplayWindow),
		Idle: strconv.FormatFloat(g.Facts.RefreshIdle.Hours()/24, 'f', -1, 64),
	}
	if a.Asked == "" && len(a.Scopes) > 0 {
		a.Asked = a.Scopes[0].Name
	}
	return a
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// choose fills in the application of this client_id, or else the newest.
func (a *reader) choose(all []oauth.Application, clientID string) {
	if len(all) == 0 {
		return
	}
	chosen := all[len(all)-1]
	for _, one := range all {
		if one.ClientID == clientID {
			chosen = one
		}
	}
	a.Application, a.ClientID = &chosen, chosen.ClientID
	if len(chosen.RedirectURIs) > 0 {
		a.RedirectURI = chosen.RedirectURIs[0]
	}
	if within := oauth.Scope(a.Asked).Within(chosen.Scope); within != "" {
		a.Asked = string(within)
	} else {
		a.Asked = string(chosen.Scope)
	}
}
