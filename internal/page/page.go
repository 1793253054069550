// Package page is what people see: the embedded templates, the stylesheet and
// the one script, and how they become an answer with its security headers. It
// decides nothing; what a page says is handed in.
package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed assets
var assets embed.FS

// Pages renders. It is safe for concurrent use.
type Pages struct {
	byName map[string]*template.Template
	log    *slog.Logger
}

// New parses the templates.
func New(log *slog.Logger) (*Pages, error) {
	names, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("find the templates: %w", err)
	}
	shared, err := template.New("frame").Funcs(functions()).ParseFS(templates, "templates/frame.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse the templates: %w", err)
	}
	p := &Pages{byName: map[string]*template.Template{}, log: log}
	for _, name := range names {
		own, err := shared.Clone()
		if err == nil {
			own, err = own.ParseFS(templates, name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse the template %s: %w", name, err)
		}
		p.byName[strings.TrimSuffix(path.Base(name), ".html")] = own
	}
	return p, nil
}

// Frame is what every page has around its content.
type Frame struct {
	Title string
	// Account is who is signed in, nil for nobody.
	Account *oauth.Account
	// Section is the page of the settings that is marked in the navigation.
	Section string
	// Notice says what was just done.
	Notice string
	// Callback is the redirect URI of the authorization request that the page
	// belongs to: where a chain of redirects that a form starts may lead.
	Callback string
}

func (f Frame) frame() Frame { return f }

// Content is one of the pages of this package.
type Content interface {
	frame() Frame
	template() string
}

// Write answers with a page.
func (p *Pages) Write(w http.ResponseWriter, status int, c Content) {
	var body bytes.Buffer
	if err := p.byName[c.template()].ExecuteTemplate(&body, "frame.html", c); err != nil {
		p.log.Error("a page could not be rendered", "page", c.template(), "cause", err)
		http.Error(w, "The page could not be shown. Try again later.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy(c.frame().Callback))
	w.WriteHeader(status)
	// The browser is gone if this fails, and nobody is left to tell.
	_, _ = w.Write(body.Bytes())
}

// policy is the Content-Security-Policy of a page. Chromium checks every hop of
// the chain of redirects that a form starts, and callbacks redirect onward: the
// pages of an authorization request allow https and the callback's own place.
func policy(callback string) string {
	const common = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	if callback == "" {
		return common
	}
	return common + " https:" + callbackSource(callback)
}

func callbackSource(callback string) string {
	u, err := url.Parse(callback)
	switch {
	case err != nil || u.Scheme == "https":
		return ""
	case u.Scheme == "http" && !strings.HasPrefix(u.Host, "["):
		return " http://" + u.Host
	}
	// A host source cannot name an IPv6 address.
	return " " + u.Scheme + ":"
}

// Secure sets the headers that every answer to a browser has.
func Secure(h http.Header) {
	h.Set("Content-Security-Policy", policy(""))
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// With no-referrer browsers would send "Origin: null" from our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

// Assets serves the stylesheet and the script below /assets/.
func Assets() http.Handler {
	files := http.FileServerFS(assets)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		files.ServeHTTP(w, r)
	})
}

func functions() template.FuncMap {
	return template.FuncMap{
		"field": func(name, label, kind, value string, problems map[string]string) Field {
			return Field{Name: name, Label: label, Kind: kind, Value: value, Problem: problems[name]}
		},
		"lines": func(s []string) string { return strings.Join(s, "\n") },
		"day":   func(t time.Time) string { return t.UTC().Format("2 January 2006") },
		"moment": func(t time.Time) string {
			return t.UTC().Format("2 January 2006, 15:04 UTC")
		},
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"initial": func(s string) string {
			for _, r := range s {
				return strings.ToUpper(string(r))
			}
			return "?"
		},
	}
}

// Field is an input with its label and what is wrong with its value.
type Field struct{ Name, Label, Kind, Value, Problem, Hint, Autocomplete string }

// Hinted is the field with a sentence of help below its label.
func (f Field) Hinted(hint string) Field { f.Hint = hint; return f }

// Completed is the field with its autocomplete token (HTML, section 4.10.18.7).
func (f Field) Completed(token string) Field { f.Autocomplete = token; return f }
