package page

import (
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	textlanguage "golang.org/x/text/language"

	"github.com/latchkey/latchkey/internal/oauth"
)

// catalogues has a folder for each language but English, in which the code and the
// templates are written: each English text and what it is in that language, in files
// by the part of the pages.
//
//go:embed catalogue/*/*.json
var catalogues embed.FS

// Language is one in which the pages can be read.
type Language struct {
	// Tag is its BCP 47 name, Name what its speakers call it.
	Tag, Name string
	texts     map[string]string
}

// readLanguages reads the catalogues. English comes first: it is what a person gets
// whose languages are all unknown.
func readLanguages() ([]*Language, error) {
	languages := []*Language{{Tag: "en", Name: "English"}, {Tag: "de", Name: "Deutsch"}}
	for _, l := range languages[1:] {
		files, err := fs.Glob(catalogues, "catalogue/"+l.Tag+"/*.json")
		if err != nil {
			return nil, fmt.Errorf("find the catalogue of %s: %w", l.Name, err)
		}
		for _, name := range files {
			raw, err := catalogues.ReadFile(name)
			if err == nil {
				err = json.Unmarshal(raw, &l.texts)
			}
			if err != nil {
				return nil, fmt.Errorf("read the catalogue %s: %w", name, err)
			}
		}
	}
	return languages, nil
}

func matcherOf(languages []*Language) textlanguage.Matcher {
	tags := make([]textlanguage.Tag, len(languages))
	for i, l := range languages {
		tags[i] = textlanguage.Make(l.Tag)
	}
	return textlanguage.NewMatcher(tags)
}

// languageCookie holds the language that a person chose.
const languageCookie = "latchkey_language"

// LanguageOf is the language in which a request is answered: the one that the person
// chose, or the best of what the browser asks for (RFC 9110 §12.5.4).
func (p *Pages) LanguageOf(r *http.Request) *Language {
	if chosen, err := r.Cookie(languageCookie); err == nil {
		for _, l := range p.languages {
			if l.Tag == chosen.Value {
				return l
			}
		}
	}
	accepted, _, err := textlanguage.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return p.languages[0]
	}
	_, index, _ := p.matcher.Match(accepted...)
	return p.languages[index]
}

// SwitchLanguage remembers the language that a person chose and goes back to the page.
func (p *Pages) SwitchLanguage(w http.ResponseWriter, r *http.Request) {
	for _, l := range p.languages {
		if l.Tag == r.PostFormValue("language") {
			http.SetCookie(w, &http.Cookie{
				Name: languageCookie, Value: l.Tag, Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
				HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode,
			})
		}
	}
	Redirect(w, LocalPath(r.PostFormValue("continue"), "/"))
}

// Redirect sends a browser to another page, whatever it asked for here. Unlike http.Redirect it
// leaves the address as it is.
func Redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// LocalPath keeps a path on this server and nothing else, so that no link or form
// leads away; otherwise it is instead.
func LocalPath(to, instead string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsFunc(to, func(r rune) bool { return r < ' ' || r == '\\' }) {
		return instead
	}
	return to
}

// Text is a sentence in the language, as HTML: what is filled in is escaped unless it
// is HTML already.
func (l *Language) Text(text any, args ...any) template.HTML {
	s, ok := text.(oauth.Sentence)
	if !ok {
		s = oauth.Sentence{Text: fmt.Sprint(text), Args: args}
	}
	pattern := html.EscapeString(l.translated(s.Text))
	if len(s.Args) == 0 {
		return template.HTML(pattern)
	}
	filled := make([]any, len(s.Args))
	for i, a := range s.Args {
		switch a := a.(type) {
		case int, int64, uint32, float64, template.HTML:
			filled[i] = a
		case oauth.Sentence:
			filled[i] = l.Text(a)
		default:
			filled[i] = html.EscapeString(fmt.Sprint(a))
		}
	}
	return template.HTML(fmt.Sprintf(pattern, filled...))
}

// Plain is a sentence in the language as text, for where HTML cannot stand.
func (l *Language) Plain(text any, args ...any) string {
	return html.UnescapeString(string(l.Text(text, args...)))
}

func (l *Language) translated(text string) string {
	if translated, ok := l.texts[text]; ok {
		return translated
	}
	return text
}

// count is one of two sentences, for a number that is one or not; the number fills it.
func (l *Language) count(n any, one, other string) template.HTML {
	if fmt.Sprint(n) == "1" {
		return l.Text(one, n)
	}
	return l.Text(other, n)
}

// day writes a date, as in 2 January 2006 or 2. Januar 2006.
func (l *Language) day(t time.Time) string {
	t = t.UTC()
	return l.Plain("%d %s %d", t.Day(), l.Plain(t.Month().String()), t.Year())
}

// moment writes a date and a time.
func (l *Language) moment(t time.Time) string {
	return l.Plain("%s, %s UTC", l.day(t), t.UTC().Format("15:04"))
}
