package guide

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"regexp"
	"strings"

	"github.com/latchkey/latchkey/internal/page"
)

// text has a template for each section in a folder for each language. A section begins
// with its title in an h1, which the page takes, and its parts with an h2 that has an id.
//
//go:embed text/*/*.html
var text embed.FS

// section is one of the documentation, filled in.
type section struct {
	slug, title string
	body        template.HTML
}

// copied are the examples that can be copied: they have an id.
var copied = regexp.MustCompile(`(?s)<pre><code id="([^"]+)">.*?</code></pre>`)

// parse reads the texts of each language.
func parse() (map[string]*template.Template, error) {
	folders, err := fs.ReadDir(text, "text")
	if err != nil {
		return nil, fmt.Errorf("find the documentation: %w", err)
	}
	texts := map[string]*template.Template{}
	for _, f := range folders {
		texts[f.Name()], err = template.New("").Funcs(template.FuncMap{"query": url.QueryEscape, "shell": shell}).ParseFS(text, "text/"+f.Name()+"/*.html")
		if err != nil {
			return nil, fmt.Errorf("parse the documentation: %w", err)
		}
	}
	return texts, nil
}

// read fills the sections in, in a language or else in English.
func (g *Guide) read(in *page.Language, about reader) ([]section, error) {
	texts, err := g.texts()
	if err != nil {
		return nil, err
	}
	language := in.Tag
	if texts[language] == nil {
		language = "en"
	}
	button := `<div class="example">$0<button type="button" class="quiet" data-copy="$1" data-copied="` + string(in.Text("Copied")) + `" hidden>` + string(in.Text("Copy")) + `</button></div>`
	var all []section
	for _, slug := range slugs {
		var filled bytes.Buffer
		if err := texts[language].ExecuteTemplate(&filled, slug+".html", about); err != nil {
			return nil, fmt.Errorf("fill in the documentation: %w", err)
		}
		heading, body, ok := strings.Cut(filled.String(), "</h1>")
		if !ok {
			return nil, fmt.Errorf("the documentation's section %s in %s has no title", slug, language)
		}
		body = copied.ReplaceAllString(body, button)
		body = linked.ReplaceAllStringFunc(body, func(link string) string {
			found := linked.FindStringSubmatch(link)
			return `href="` + about.address(found[1], found[2]) + `"`
		})
		all = append(all, section{slug: slug, title: strings.TrimPrefix(strings.TrimSpace(heading), "<h1>"), body: template.HTML(body)})
	}
	return all, nil
}

// linked are the links from one section to another.
var linked = regexp.MustCompile(`href="/docs/([a-z-]+)(?:#([^"]+))?"`)

// address is where a part of a section is read about the same application.
func (a reader) address(slug, anchor string) string {
	to := "/docs/" + slug
	if a.Chosen != "" {
		to += "?application=" + a.Chosen
	}
	if anchor != "" {
		to += "#" + anchor
	}
	return to
}
