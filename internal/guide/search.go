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

// part is what stands below one heading of a section, as plain text.
type part struct {
	section    section
	id, title  string
	says       string
	lowerTitle []string
	// lowerWords are all, lowerProse those that stand in no example, which count more.
	lowerWords, lowerProse []string
	// weight is how much more a word in its title counts than one in the text.
	weight int
}

var (
	headings = regexp.MustCompile(`<(h2|h3|dt) id="([^"]+)">(.*?)</(?:h2|h3|dt)>`)
	examples = regexp.MustCompile(`(?s)<pre>.*?</pre>`)
	buttons  = regexp.MustCompile(`<button.*?</button>`)
	tags     = regexp.MustCompile(`<[^>]*>`)
)

func plain(markup string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(buttons.ReplaceAllString(markup, " "), " "))), " ")
}

// words are those of a text in lower case. A name such as redirect_uri also counts as the
// words of which it is made.
func words(s string) []string {
	var all []string
	for _, w := range fields(s) {
		all = append(all, w)
		if strings.Contains(w, "_") {
			all = append(all, strings.FieldsFunc(w, func(r rune) bool { return r == '_' })...)
		}
	}
	return all
}

func fields(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })
}

// weights are those of each kind of heading: the descriptions of errors are many, and repeat
// the words of what they are about.
var weights = map[string]int{"h1": 20, "h2": 20, "h3": 15, "dt": 4}

// parts cuts the sections at their headings.
func parts(sections []section) []part {
	var all []part
	add := func(s section, kind, id, title, markup string) {
		p := part{section: s, id: id, title: plain(title), says: plain(markup), weight: weights[kind]}
		p.lowerTitle, p.lowerWords, p.lowerProse = words(p.title), words(p.says), words(plain(examples.ReplaceAllString(markup, " ")))
		all = append(all, p)
	}
	for _, s := range sections {
		body := string(s.body)
		found := headings.FindAllStringSubmatchIndex(body, -1)
		end := len(body)
		if len(found) > 0 {
			end = found[0][0]
		}
		add(s, "h1", "", s.title, body[:end])
		for i, at := range found {
			end := len(body)
			if i+1 < len(found) {
				end = found[i+1][0]
			}
			add(s, body[at[2]:at[3]], body[at[4]:at[5]], body[at[6]:at[7]], body[at[1]:end])
		}
	}
	return all
}

const (
	maxResults = 12
	maxWords   = 8
	// whole is how much more a word counts that is looked for as a whole.
	whole = 2
)

// search finds the parts in which every word of the query begins a word, the best first.
func (a reader) search(sections []section, query string) []page.GuideResult {
	wanted := fields(query)
	wanted = wanted[:min(len(wanted), maxWords)]
	type hit struct {
		part
		score int
	}
	var hits []hit
	for _, p := range parts(sections) {
		score := 0
		for _, w := range wanted {
			n := p.weight*count(p.lowerTitle, w) + count(p.lowerWords, w) + count(p.lowerProse, w)
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
		results = append(results, page.GuideResult{Address: a.address(h.section.slug, h.id), Section: h.section.title, Title: h.title, Excerpt: excerpt(h.says, wanted)})
	}
	return results
}

// count weighs the words that begin with one that is looked for.
func count(all []string, prefix string) (n int) {
	for _, w := range all {
		switch {
		case w == prefix:
			n += whole
		case strings.HasPrefix(w, prefix):
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
