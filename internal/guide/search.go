package guide

import (
	"cmp"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/latchkey/latchkey/internal/page"
)

// part is what one h2 of a section says, as plain text.
type part struct {
	section    section
	id, title  string
	says       string
	lowerTitle []string
	lowerWords []string
}

var (
	headings = regexp.MustCompile(`<h2 id="([^"]+)">(.*?)</h2>`)
	tags     = regexp.MustCompile(`<[^>]*>`)
)

func plain(markup string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(markup, " "))), " ")
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
}

// parts cuts the sections at their headings.
func parts(sections []section) []part {
	var all []part
	add := func(s section, id, title, markup string) {
		p := part{section: s, id: id, title: plain(title), says: plain(markup)}
		p.lowerTitle, p.lowerWords = words(p.title), words(p.says)
		all = append(all, p)
	}
	for _, s := range sections {
		body := string(s.body)
		found := headings.FindAllStringSubmatchIndex(body, -1)
		end := len(body)
		if len(found) > 0 {
			end = found[0][0]
		}
		add(s, "", s.title, body[:end])
		for i, at := range found {
			end := len(body)
			if i+1 < len(found) {
				end = found[i+1][0]
			}
			add(s, body[at[2]:at[3]], body[at[4]:at[5]], body[at[1]:end])
		}
	}
	return all
}

const (
	maxResults = 12
	maxWords   = 8
	// inTitle is how much more a word in a title counts than one in the text.
	inTitle = 20
)

// search finds the parts in which every word of the query begins a word, the best first.
func search(sections []section, query string) []page.GuideResult {
	wanted := words(query)
	wanted = wanted[:min(len(wanted), maxWords)]
	type hit struct {
		part
		score int
	}
	var hits []hit
	for _, p := range parts(sections) {
		score := 0
		for _, w := range wanted {
			n := inTitle*count(p.lowerTitle, w) + count(p.lowerWords, w)
			if n == 0 {
				score = 0
				break
			}
			score += n
		}
		if score > 0 {
			hits = append(hits, hit{p, score})
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	var results []page.GuideResult
	for _, h := range hits[:min(len(hits), maxResults)] {
		address := "/docs/" + h.section.slug
		if h.id != "" {
			address += "#" + h.id
		}
		results = append(results, page.GuideResult{Address: address, Section: h.section.title, Title: h.title, Excerpt: excerpt(h.says, wanted)})
	}
	return results
}

func count(all []string, prefix string) (n int) {
	for _, w := range all {
		if strings.HasPrefix(w, prefix) {
			n++
		}
	}
	return n
}

// excerpt is what stands around the first word that was looked for, with all of them
// marked.
func excerpt(says string, wanted []string) template.HTML {
	const around = 12
	all := strings.Fields(says)
	matches := func(word string) bool {
		return slices.ContainsFunc(words(word), func(w string) bool {
			return slices.ContainsFunc(wanted, func(prefix string) bool { return strings.HasPrefix(w, prefix) })
		})
	}
	first := max(slices.IndexFunc(all, matches), 0)
	from, to := max(first-around, 0), min(first+2*around, len(all))
	var b strings.Builder
	if from > 0 {
		b.WriteString("… ")
	}
	for i, word := range all[from:to] {
		if i > 0 {
			b.WriteByte(' ')
		}
		if matches(word) {
			b.WriteString("<mark>" + html.EscapeString(word) + "</mark>")
		} else {
			b.WriteString(html.EscapeString(word))
		}
	}
	if to < len(all) {
		b.WriteString(" …")
	}
	return template.HTML(b.String())
}
