package page

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"text/template"

	"github.com/latchkey/latchkey/internal/oauth"
)

// snippets are the code that an application begins with, a file a language.
//
//go:embed snippets/*.txt
var snippets embed.FS

// Endpoints are the URLs that developers need.
type Endpoints struct{ Issuer, Authorize, Token, Revoke, Me string }

// Flow is what the code of an application has to know.
type Flow struct {
	Endpoints
	ClientID string
	// RedirectURI is empty for an application that only acts for itself.
	RedirectURI string
	// Scope is what it asks for, itself or of people.
	Scope  oauth.Scope
	Public bool
}

// Scopes lists the scope tokens.
func (f Flow) Scopes() []string { return f.Scope.Tokens() }

// AsksMe reports whether the tokens can ask the API's first resource.
func (f Flow) AsksMe() bool { return f.Scope.Covers(oauth.ProfileScope) }

// Request is the authorization request without what is new each time.
func (f Flow) Request() string {
	return oauth.AddToRedirectURI(f.Authorize,
		oauth.Parameter{Name: "response_type", Value: "code"},
		oauth.Parameter{Name: "client_id", Value: f.ClientID},
		oauth.Parameter{Name: "redirect_uri", Value: f.RedirectURI},
		oauth.Parameter{Name: "scope", Value: string(f.Scope)})
}

// Snippet is a piece of code in one language.
type Snippet struct{ ID, Language, Code string }

// parseSnippets reads the code. Everything that is filled in is quoted as its language
// wants it.
func parseSnippets() (*template.Template, error) {
	parsed, err := template.New("snippets").Funcs(template.FuncMap{
		// What is filled in is ASCII without controls, which is written alike in Go,
		// JavaScript and Python.
		"quote": func(s any) string { return strconv.QuoteToASCII(fmt.Sprint(s)) },
		"sh":    func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
		"php": func(s any) string {
			return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(fmt.Sprint(s)) + "'"
		},
	}).ParseFS(snippets, "snippets/*.txt")
	if err != nil {
		return nil, fmt.Errorf("parse the snippets: %w", err)
	}
	return parsed, nil
}

// Snippets is the code for an application, in each language that can be chosen.
func (p *Pages) Snippets(f Flow) ([]Snippet, error) {
	all := []Snippet{{ID: "curl", Language: "curl"}}
	if f.RedirectURI != "" {
		all = append(all, Snippet{ID: "javascript", Language: "JavaScript"}, Snippet{ID: "go", Language: "Go"},
			Snippet{ID: "php", Language: "PHP"}, Snippet{ID: "python", Language: "Python"})
	}
	for i := range all {
		var code strings.Builder
		if err := p.snippets.ExecuteTemplate(&code, all[i].ID+".txt", f); err != nil {
			return nil, fmt.Errorf("write the snippet in %s: %w", all[i].Language, err)
		}
		all[i].Code = strings.TrimSpace(code.String()) + "\n"
	}
	return all, nil
}
