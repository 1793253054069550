// Package page is what people see: the embedded templates, the stylesheet and
// the scripts, and how they become an answer with its security headers. It
// decides nothing; what a page says is handed in.
package page

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	snippetset "text/template"
	"time"

	textlanguage "golang.org/x/text/language"

	"github.com/latchkey/latchkey/internal/oauth"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed assets
var assets embed.FS

// styles are one stylesheet, in files by what they are for, in the order of their names.
//
//go:embed styles/*.css
var styles embed.FS

// Pages renders. It is safe for concurrent use.
type Pages struct {
	brand     Brand
	style     []byte
	snippets  *snippetset.Template
	secure    bool
	languages []*Language
	matcher   textlanguage.Matcher
	// byLanguage has the templates of each language.
	byLanguage map[*Language]*templateset
	log        *slog.Logger
	// name is the platform's, which may be set while the server runs.
	name atomic.Pointer[string]
}

// New makes the pages of a platform. Secure cookies are for an issuer that is https.
func New(brand Brand, secure bool, log *slog.Logger) (*Pages, error) {
	languages, err := readLanguages()
	if err != nil {
		return nil, err
	}
	style, err := joined(styles, "styles/*.css")
	if err != nil {
		return nil, err
	}
	snippets, err := parseSnippets()
	if err != nil {
		return nil, err
	}
	p := &Pages{
		brand: brand, style: style, snippets: snippets, secure: secure, languages: languages, matcher: matcherOf(languages), log: log,
		byLanguage: map[*Language]*templateset{},
	}
	for _, l := range languages {
		p.byLanguage[l] = &templateset{functions: p.functions(l), parsed: map[string]*template.Template{}}
	}
	p.Rename(brand.name())
	return p, nil
}

// Rename gives the platform the name that stands at the top of every page.
func (p *Pages) Rename(name string) { p.name.Store(&name) }

// joined reads the files of a pattern one after the other.
func joined(files fs.FS, pattern string) ([]byte, error) {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", pattern, err)
	}
	var all []byte
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(all, raw...)
	}
	return all, nil
}

// templateset parses the templates of a language when they are first needed: all of them
// take longer than the rest of the start, and most of an idle server's memory.
type templateset struct {
	functions template.FuncMap
	mu        sync.Mutex
	parsed    map[string]*template.Template
}

// find returns the template of a page, with the frame and the parts that pages share.
func (s *templateset) find(name string) (*template.Template, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.parsed[name]; ok {
		return known, nil
	}
	made, err := template.New("frame").Funcs(s.functions).
		ParseFS(templates, "templates/frame.html", "templates/parts*.html", "templates/plot.html", "templates/"+name+".html")
	if err != nil {
		return nil, fmt.Errorf("parse the template %s: %w", name, err)
	}
	s.parsed[name] = made
	return made, nil
}

// Frame is what every page has around its content.
type Frame struct {
	Title oauth.Sentence
	// Account is who is signed in, nil for nobody.
	Account *oauth.Account
	// Section is the page of the settings that is marked in the navigation. Those of
	// the administration begin with "admin-".
	Section string
	// Notice says what was just done.
	Notice oauth.Sentence
	// Self is where the page can be opened, empty where that is the address of the request.
	Self string
	// Callback is the redirect URI of the authorization request that the page
	// belongs to: where a chain of redirects that a form starts may lead.
	Callback string
	// Once: what the page shows is gone when it is loaded anew, as another language would do.
	Once bool
}

func (f Frame) frame() Frame { return f }

// Administers reports whether the page is one of the administration's.
func (f Frame) Administers() bool { return strings.HasPrefix(f.Section, "admin-") }

// Content is one of the pages of this package.
type Content interface {
	frame() Frame
	template() string
}

// view is what the frame's template sees.
type view struct {
	Frame
	Content   Content
	Language  *Language
	Languages []*Language
	// Here is where the person comes back to after choosing a language.
	Here string
	// Wrong: a form comes back that has to be mended, which the title says first.
	Wrong bool
}

// Write answers with a page.
func (p *Pages) Write(w http.ResponseWriter, r *http.Request, status int, c Content) {
	language := p.LanguageOf(r)
	var body bytes.Buffer
	made, err := p.byLanguage[language].find(c.template())
	if err == nil {
		err = made.ExecuteTemplate(&body, "frame.html", view{
			Frame: c.frame(), Content: c, Language: language, Languages: p.languages, Here: cmp.Or(c.frame().Self, r.URL.RequestURI()),
			Wrong: status == http.StatusUnprocessableEntity,
		})
	}
	if err != nil {
		p.log.Error("a page could not be rendered", "page", c.template(), "cause", err)
		http.Error(w, "The page could not be shown. Try again later.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", language.Tag)
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
	const common = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
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

func (p *Pages) functions(l *Language) template.FuncMap {
	return template.FuncMap{
		"t":       l.Text,
		"count":   l.count,
		"brand":   func() string { return *p.name.Load() },
		"branded": func() bool { return p.brand.Logo != nil },
		"strong":  func(s any) template.HTML { return element("strong", s) },
		// A name may be written from right to left, which must not turn what stands beside it.
		"bdi":  func(s any) template.HTML { return element("bdi", s) },
		"code": func(s any) template.HTML { return element("code", s) },
		// What programs are told is in English on the pages in every language.
		"english": func(s string) template.HTML {
			return template.HTML(`<span lang="en">` + html.EscapeString(s) + `</span>`)
		},
		"field": func(name string, label any, kind, value string, problems map[string]oauth.Sentence) Field {
			f := Field{Name: name, Label: label, Kind: kind, Value: value, Problem: problems[name]}
			if kind == "email" {
				// In an input of this type browsers refuse some addresses, and send others not as typed.
				f.Kind, f.Keyboard, f.Literal = "text", "email", true
			}
			return f
		},
		"member": func(clientID string, m oauth.Member) any {
			return struct {
				ClientID string
				oauth.Member
			}{clientID, m}
		},
		"httptext": func(id string, caption any, text string) httpText { return httpText{id, caption, text} },
		"lines":    func(s []string) string { return strings.Join(s, "\n") },
		"day":      l.day,
		"moment":   l.moment,
		"brief":    l.brief,
		"number":   l.number,
		// These are the same, marked up for machines.
		"dated":   func(t time.Time) template.HTML { return timeElement(t, l.day(t)) },
		"timed":   func(t time.Time) template.HTML { return timeElement(t, l.moment(t)) },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"initial": func(s string) string {
			for _, r := range s {
				return strings.ToUpper(string(r))
			}
			return "?"
		},
	}
}

// httpText is one side of an HTTP exchange, as the pages show it.
type httpText struct {
	ID      string
	Caption any
	Text    string
}

func timeElement(t time.Time, text string) template.HTML {
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + html.EscapeString(text) + `</time>`)
}

func element(name string, content any) template.HTML {
	return template.HTML("<" + name + ">" + html.EscapeString(fmt.Sprint(content)) + "</" + name + ">")
}

// Field is an input with its label and what is wrong with its value.
type Field struct {
	Name        string
	Label, Hint any
	Kind, Value string
	Problem     oauth.Sentence
	// Autocomplete is a token of HTML, section 4.10.18.7.
	Autocomplete string
	// Keyboard is the one that phones show (inputmode), empty for that of the Kind.
	Keyboard string
	// Literal is for what is no prose: phones neither capitalise nor correct it.
	Literal bool
}

// Hinted is the field with a sentence of help below its label.
func (f Field) Hinted(hint any) Field { f.Hint = hint; return f }

// Completed is the field with its autocomplete token (HTML, section 4.10.18.7).
func (f Field) Completed(token string) Field { f.Autocomplete = token; return f }

// Exact is the field for a name that programs know, or an address.
func (f Field) Exact() Field { f.Literal = true; return f }
