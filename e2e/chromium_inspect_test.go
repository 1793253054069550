package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// maxPage is what a page may weigh in bytes, with its styles and scripts, uncompressed.
// Pictures that people uploaded do not count.
const maxPage = 60 << 10

// inspector looks at every kind of page that any test loads: with axe-core for what keeps
// people out, with HTML-validate for what is no HTML, and on the scales.
type inspector struct {
	axe string

	mu    sync.Mutex
	seen  map[string]bool
	pages []source
}

// source is a page as the server sent it.
type source struct {
	Name string `json:"name"`
	HTML string `json:"html"`
}

// newInspector reads axe-core, and validates what it has seen when the test ends.
func newInspector(t *testing.T) *inspector {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("inspectors", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not there: run scripts/install-test-packages: %v", err)
	}
	i := &inspector{axe: string(axe), seen: map[string]bool{}}
	t.Cleanup(func() {
		if found := validate(t, i.pages...); found != "" {
			t.Errorf("no valid HTML:\n%s", found)
		}
		t.Logf("%d kinds of pages were inspected", len(i.pages))
	})
	return i
}

// first reports whether a page of this kind was not there before.
func (i *inspector) first(kind string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	known := i.seen[kind]
	i.seen[kind] = true
	return !known
}

func (i *inspector) keep(s source) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pages = append(i.pages, s)
}

// validate holds all pages against the HTML standard at once: to start Node takes longer
// than to validate.
func validate(t *testing.T, pages ...source) string {
	t.Helper()
	var lines, found, faults bytes.Buffer
	for _, page := range pages {
		line, err := json.Marshal(page)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	node := exec.Command("node", "validate.mjs")
	node.Dir, node.Stdin, node.Stdout, node.Stderr = "inspectors", &lines, &found, &faults
	if err := node.Run(); err != nil {
		t.Fatalf("HTML-validate does not run: %v\n%s", err, &faults)
	}
	return found.String()
}

// pageKind tells kinds of pages apart by what they are made of, whatever stands there.
const pageKind = `location.pathname.replace(/[\w-]{36,}/g, "*") + " " + [...new Set([...document.querySelectorAll("body *")].map(e => e.tagName + "." + e.className))].join(" ")`

// weight sums up what a page consists of.
const weight = `performance.getEntries().filter(e => e.decodedBodySize && !e.name.includes("/pictures/")).reduce((sum, e) => sum + e.decodedBodySize, 0)`

// runAxe lists what keeps people out, of what WCAG 2.2 asks for on levels A and AA, and of
// the best practices. It says only of these where they are: to describe what is right takes longer.
const runAxe = `axe.run({resultTypes: ["violations"], %s}).then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html.slice(0, 200) + " " + n.failureSummary).join("; ")))`

// inspect complains of a kind of page that was not there before.
func (b *tab) inspect(t *testing.T) []string {
	t.Helper()
	// The pages of other sites in these tests are called Test.
	if b.scriptless || obtain(t, b, chromedp.Evaluate[bool](`document.title === "Test" || location.protocol === "chrome-error:"`)) ||
		!b.inspector.first(obtain(t, b, chromedp.Evaluate[string](pageKind))) {
		return nil
	}
	b.inspector.keep(source{b.at(t), b.sent(t)})
	return b.examine(t)
}

// colours are the rules of axe-core that a colour scheme decides. What is for fingers (WCAG 2.2,
// 2.5.8) it looks at only when it is told to.
const (
	colours = `runOnly: ["color-contrast", "link-in-text-block"]`
	fingers = `rules: {"target-size": {enabled: true}}`
)

// examine weighs the page, runs axe-core on it in both windows and both colour schemes, and
// looks whether it fits a large window, and the smallest.
func (b *tab) examine(t *testing.T) []string {
	t.Helper()
	var complaints []string
	if heavy := obtain(t, b, chromedp.Evaluate[int](weight)); heavy > maxPage {
		complaints = append(complaints, fmt.Sprintf("weighs %d bytes, more than %d", heavy, maxPage))
	}
	scrolled := obtain(t, b, chromedp.Evaluate[float64]("scrollY"))
	obtain(t, b, chromedp.Evaluate[chromedp.Void](b.inspector.axe+";0"))
	for _, view := range []struct {
		window        window
		scheme, rules string
	}{{phone, "light", fingers}, {phone, "dark", colours}, {desk, "light", colours}, {desk, "dark", fingers}} {
		b.look(t, view.window, view.scheme)
		for _, violation := range obtain(t, b, chromedp.Evaluate[[]string](fmt.Sprintf(runAxe, view.rules), chromedp.EvalAwaitPromise)) {
			complaints = append(complaints, fmt.Sprintf("axe, %s, %s: %s", view.window.name, view.scheme, violation))
		}
	}
	for _, w := range []window{desk, strip} {
		b.look(t, w, "light")
		if wide := obtain(t, b, chromedp.Evaluate[int64]("document.scrollingElement.scrollWidth")); wide > w.width {
			complaints = append(complaints, fmt.Sprintf("is %d pixels wide in a window of %d", wide, w.width))
		}
	}
	b.settle(t)
	obtain(t, b, chromedp.Evaluate[chromedp.Void](fmt.Sprintf("scrollTo(0, %g);0", scrolled)))
	return complaints
}

// printsAll demands that paper, on which nobody scrolls, shows all of the code.
func (b *tab) printsAll(t *testing.T) {
	t.Helper()
	b.emulate(t, emulation.SetEmulatedMediaParams{Media: "print"})
	if cut := obtain(t, b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("pre")]
		.filter(e => e.checkVisibility() && (e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight)).map(e => e.innerText)`)); len(cut) > 0 {
		t.Errorf("%s: on paper these are cut off: %q", b.at(t), cut)
	}
	b.settle(t)
}

// prefer sets the colour scheme that the person prefers.
func (b *tab) prefer(t *testing.T, scheme string) {
	t.Helper()
	b.emulate(t, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

func (b *tab) emulate(t *testing.T, media emulation.SetEmulatedMediaParams) {
	t.Helper()
	b.do(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return err
	}))
}

// sent is the page that was loaded last, as the server sent it.
func (b *tab) sent(t *testing.T) string {
	t.Helper()
	id := b.watch.lastDocument()
	answer, err := chromedp.Call(b.ctx, network.GetResponseBody, network.GetResponseBodyParams{RequestID: id})
	if err != nil {
		t.Fatalf("the source of %s: %v", b.at(t), err)
	}
	return string(answer.Body)
}
