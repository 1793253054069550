// Package guide is the documentation inside the product: what developers of applications
// read below /docs, in their language, with the addresses, limits and scopes of this
// installation and an application of their own filled in. What the sections say is in
// text, a folder for each language; how they look is in internal/page.
package guide

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"sync"
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
	// PerApplication is how many active authorizations an account may have for one
	// application.
	PerApplication int
}

// Guide serves the documentation.
type Guide struct {
	Facts        Facts
	Catalogue    func() oauth.Catalogue
	Applications *application.Applications
	Door         *signin.Door
	Pages        *page.Pages

	// texts are parsed when they are first needed.
	texts func() (map[string]*template.Template, error)
}

// slugs are the sections in their order, as their addresses name them.
var slugs = []string{"start", "authorize", "tokens", "api", "revoke", "redirect-urls", "scopes", "errors", "webhooks", "security", "discovery"}

// Routes adds the pages.
func (g *Guide) Routes(mux *http.ServeMux) {
	g.texts = sync.OnceValues(parse)
	mux.HandleFunc("GET /docs", g.show)
	mux.HandleFunc("GET /docs/{section}", g.show)
}

func (g *Guide) show(w http.ResponseWriter, r *http.Request) {
	content := page.Guide{Frame: page.Frame{Title: oauth.Say("Documentation"), Section: "docs"}, Query: r.URL.Query().Get("q")}
	about, err := g.fill(r, &content)
	var sections []section
	if err == nil {
		sections, err = g.read(g.Pages.LanguageOf(r), about)
	}
	if err != nil {
		g.Door.Fail(w, r, err)
		return
	}
	slug := r.PathValue("section")
	home := slug == ""
	i := slices.IndexFunc(sections, func(s section) bool { return s.slug == slug || home })
	if i < 0 {
		missing := page.NoSuchPage()
		missing.Account, missing.BackTo, missing.BackText = content.Account, "/docs", oauth.Say("Documentation")
		g.Pages.Write(w, r, http.StatusNotFound, missing)
		return
	}
	for _, s := range sections {
		content.Sections = append(content.Sections, page.GuideSection{Address: about.address(s.slug, ""), Title: s.title, Current: s.slug == slug})
	}
	if !home {
		content.Frame.Title = oauth.Say("%s, documentation", sections[i].title)
	}
	content.Title, content.Body = sections[i].title, sections[i].body
	if parts := headings.FindAllStringSubmatch(string(sections[i].body), -1); len(parts) > longPage {
		for _, part := range parts {
			if part[1] == "h2" {
				content.Parts = append(content.Parts, page.GuidePart{Anchor: part[2], Title: plain(part[3])})
			}
		}
	}
	if content.Query != "" {
		content.Frame.Title = oauth.Say("Search: %s", content.Query)
		content.Results = about.search(sections, content.Query)
	}
	g.Pages.Write(w, r, http.StatusOK, content)
}

// longPage is how many headings a page may have before it begins with a list of them.
const longPage = 12

// offered is how many applications can be chosen from; any other that the person manages
// can be named in the address.
const offered = 50

// fill finds out who reads, and which application the examples are about: the one that
// the address names, or the newest.
func (g *Guide) fill(r *http.Request, content *page.Guide) (reader, error) {
	about := g.reader()
	person, err := g.Door.Person(r)
	if err != nil || person == nil {
		return about, err
	}
	content.Account = &person.Account
	own, err := g.Applications.PageOf(r.Context(), person.Account.ID, application.Page{Limit: offered})
	if err != nil {
		return about, err
	}
	shared, err := g.Applications.InRole(r.Context(), person.Account.ID, oauth.RoleCoOwner)
	if err != nil {
		return about, err
	}
	slices.Reverse(shared)
	content.Choices = append(own, shared[:min(len(shared), offered)]...)
	if named := r.URL.Query().Get("application"); named != "" {
		chosen, err := g.Applications.ManagedBy(r.Context(), person.Account.ID, named)
		switch {
		case err == nil:
			about.fillIn(chosen)
			about.Chosen = chosen.ClientID
		case !errors.Is(err, application.ErrNotFound):
			return about, err
		}
	}
	if about.Application == nil && len(content.Choices) > 0 {
		about.fillIn(content.Choices[0])
	}
	content.Application, content.Chosen = about.Application, about.Chosen
	return about, nil
}
