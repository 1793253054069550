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

// read fills the sections in, in a language or else in English.
func read(in *page.Language, about reader) ([]section, error) {
	language := in.Tag
	if _, err := fs.Stat(text, "text/"+language); err != nil {
		language = "en"
	}
	button := `<div class="example">$0<button type="button" class="quiet" data-copy="$1" hidden>` + string(in.Text("Copy")) + `</button></div>`
	functions := template.FuncMap{"query": url.QueryEscape, "path": url.PathEscape}
	var all []section
	for _, slug := range slugs {
		t, err := template.New(slug+".html").Funcs(functions).ParseFS(text, "text/"+language+"/"+slug+".html")
		if err != nil {
			return nil, fmt.Errorf("parse the documentation: %w", err)
		}
		var filled bytes.Buffer
		if err := t.Execute(&filled, about); err != nil {
			return nil, fmt.Errorf("fill in the documentation: %w", err)
		}
		heading, body, ok := strings.Cut(filled.String(), "</h1>")
		if !ok {
			return nil, fmt.Errorf("the documentation's section %s in %s has no title", slug, language)
		}
		all = append(all, section{slug: slug, title: strings.TrimPrefix(strings.TrimSpace(heading), "<h1>"), body: template.HTML(copied.ReplaceAllString(body, button))})
	}
	return all, nil
}
