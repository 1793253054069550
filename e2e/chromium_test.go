package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/audits"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

func TestBrowser(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes this slow; the other tests ask for the same pages, many at once")
	}
	t.Parallel()
	c := startChromium(t)
	s := inhabited(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *chromium, *server)
	}{
		{"the watch notices what is wrong with a page", testWatch},
		{"a person signs up, registers an application, approves it and disconnects it", testJourney},
		{"the demo shows every call that works and every call that does not", testDemo},
		{"a person needs no scripts", testWithoutScripts},
		{"a developer needs no scripts", testDeveloperWithoutScripts},
		{"an administrator needs no scripts", testAdministratorWithoutScripts},
		{"a developer is told of a redirect URL while typing", testTyping},
		{"what comes while a button is pressed moves nothing", testPressing},
		{"what stands on the page of an application works as it is", testStart},
		{"an application is made and tried with the keyboard alone", testKeyboard},
		{"an application is tried without scripts", testTryWithoutScripts},
		{"an application is found among others", testSearch},
		{"an approval leads back to wherever the application is", testWaysBack},
		{"no other site frames a page or posts a form", testOtherSites},
		{"what is posted approves only what was shown", testStalePages},
		{"a person chooses with the keys alone", testChoosing},
		{"the keyboard alone is enough", testKeys},
		{"sessions elsewhere are ended", testSessions},
		{"an address signs in as it is written", testAddress},
		{"a person shows a picture", testPicture},
		{"a person sees what applications do, and ends it", testConnections},
		{"a developer sets up a webhook", testWebhookTab},
		{"somebody sets a new platform up", testSetUp},
		{"a draft is submitted, sent back and verified", testSubmission},
		{"an administrator looks after accounts and applications", testAdministrator},
		{"every page fits a phone whatever people type", testTour},
		{"the documentation is in order", testGuidePages},
		{"the pictures of the documentation are taken", testGallery},
	} {
		t.Run(part.name, func(t *testing.T) { t.Parallel(); part.test(t, c, s) })
	}
}

// chromium is one running headless browser, carried by a context of chromedp.
type chromium struct {
	ctx       context.Context
	inspector *inspector
}

// startChromium runs the system's browser on a new folder, which is removed when the test ends.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)),
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		// Pages are short-lived: to optimise scripts takes longer than to run them.
		chromedp.Flag("js-flags", "--no-turbofan --no-maglev"),
		// Elements tell the name and the role that Chromium reads to people.
		chromedp.Flag("enable-blink-features", "ComputedAccessibilityInfo"),
		// Whatever Chromium wants of its own accord, it finds no host but this machine.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, _ := chromedp.NewContext(allocator) // ended by chromedp.Cancel below
	t.Cleanup(func() {
		limit, done := context.WithTimeout(ctx, patience)
		defer done()
		if err := chromedp.Cancel(limit); err != nil {
			t.Errorf("Chromium does not end: %v", err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	return &chromium{ctx, newInspector(t)}
}

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("LATCHKEY_SKIP_BROWSER") == "1" {
		t.Skip("there is no Chromium, and LATCHKEY_SKIP_BROWSER=1")
	}
	t.Fatal("there is no Chromium: install it (on Debian: apt-get install chromium), or set LATCHKEY_SKIP_BROWSER=1")
	return ""
}

// tab is one tab that is watched.
type tab struct {
	ctx       context.Context
	watch     *watch
	inspector *inspector
	// window is a phone unless a test says otherwise, scheme whatever the browser prefers.
	window window
	scheme string
	// scriptless tabs cannot run axe-core.
	scriptless bool
}

// profile opens a tab that has cookies of its own and no business but with the origins given.
func (c *chromium) profile(t *testing.T, origins ...string) *tab {
	t.Helper()
	return openTab(t, c.ctx, newWatch(origins), c.inspector, chromedp.WithNewBrowserContext())
}

// beside opens another tab with the same cookies.
func (b *tab) beside(t *testing.T) *tab {
	t.Helper()
	return openTab(t, b.ctx, b.watch, b.inspector)
}

func openTab(t *testing.T, parent context.Context, w *watch, i *inspector, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(w.see))...)
	t.Cleanup(cancel)
	// The first action must have no time limit: the tab would end with it.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	b := &tab{ctx: ctx, watch: w, inspector: i, window: phone}
	_, err := chromedp.Call(ctx, audits.Enable, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	b.settle(t)
	t.Cleanup(func() { b.judge(t) })
	return b
}

// window is what a page is seen in.
type window struct {
	name          string
	width, height int64
	mobile        bool
}

var (
	phone = window{"phone", 360, 740, true}
	desk  = window{"desk", 1280, 800, false}
	// strip is a desk enlarged four times (WCAG 2.2, 1.4.10).
	strip = window{"strip", 320, 256, false}
)

// look shows the page in a window and a colour scheme, until the tab settles.
func (b *tab) look(t *testing.T, w window, scheme string) {
	t.Helper()
	var options []chromedp.EmulateViewportOption
	if w.mobile {
		options = append(options, chromedp.EmulateMobile)
	}
	b.do(t, chromedp.EmulateViewport(w.width, w.height, options...))
	b.prefer(t, scheme)
}

// settle goes back to the tab's own window and scheme.
func (b *tab) settle(t *testing.T) {
	t.Helper()
	b.look(t, b.window, b.scheme)
}

// do runs actions of chromedp, which wait for what they need.
func (b *tab) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	obtain(t, b, chromedp.Steps(actions...))
}

// obtain runs an action and returns its value.
func obtain[T any](t *testing.T, b *tab, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.scene())
	}
	return value
}

// scene is where the tab is and what stands there, for messages about failures.
func (b *tab) scene() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	return fmt.Sprintf("at %s the page reads:\n%s", at, text)
}

// load runs actions that lead to another page, waits for it, looks whether it is in order and
// returns its status.
func (b *tab) load(t *testing.T, actions ...chromedp.Action[chromedp.Void]) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, actions...)
	if err != nil || response == nil {
		t.Fatalf("no page was loaded: %v\n%s", err, b.scene())
	}
	b.measure(t)
	return response.Status
}

// measure demands a page in order: nothing to scroll sideways, one heading, no id twice, and what the
// inspector looks for.
func (b *tab) measure(t *testing.T) {
	t.Helper()
	for _, complaint := range append(b.complaints(t), b.inspect(t)...) {
		t.Errorf("%s: %s", b.at(t), complaint)
	}
}

func (b *tab) complaints(t *testing.T) []string {
	t.Helper()
	found := obtain(t, b, chromedp.Evaluate[struct {
		Wide, Headings int
		Ids            []string
	}](`({
		wide: Math.max(document.scrollingElement.scrollWidth, innerWidth),
		headings: document.querySelectorAll("h1").length,
		ids: [...document.querySelectorAll("[id]")].map(e => e.id).filter((id, i, all) => all.indexOf(id) < i),
	})`))
	var complaints []string
	if found.Wide > int(b.window.width) {
		complaints = append(complaints, fmt.Sprintf("is %d pixels wide on a %s that has %d", found.Wide, b.window.name, b.window.width))
	}
	if found.Headings != 1 {
		complaints = append(complaints, fmt.Sprintf("has %d main headings", found.Headings))
	}
	if len(found.Ids) > 0 {
		complaints = append(complaints, fmt.Sprintf("has the same id twice: %v", found.Ids))
	}
	return complaints
}

// withoutScripts switches scripts off in this tab.
func (b *tab) withoutScripts(t *testing.T) {
	t.Helper()
	b.scriptless = true
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		t.Fatal(err)
	}
}

// permit decides what pages may do. The smaller browser allows less by itself.
func (b *tab) permit(t *testing.T, setting cdpbrowser.PermissionSetting, permissions ...string) {
	t.Helper()
	for _, name := range permissions {
		_, err := chromedp.CallBrowser(b.ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{
			BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
			Permission:       &cdpbrowser.PermissionDescriptor{Name: name}, Setting: setting,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// open goes to an address.
func (b *tab) open(t *testing.T, address string) int64 {
	t.Helper()
	return b.load(t, chromedp.Navigate(address))
}

// press clicks the one button of this name, and waits for the page that it leads to.
func (b *tab) press(t *testing.T, name string) int64 {
	t.Helper()
	return b.load(t, click(button(name)))
}

// follow clicks the first link of this text.
func (b *tab) follow(t *testing.T, text string) int64 {
	t.Helper()
	return b.load(t, click(fmt.Sprintf(`(//a[normalize-space()=%q])[1]`, text)))
}

// fill types into fields, given as pairs of label and value, instead of what stands there.
func (b *tab) fill(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		field := fmt.Sprintf(`//*[@id=//label[normalize-space()=%q]/@for]`, pairs[i])
		selectAll := chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl))
		b.do(t, chromedp.WaitVisible(field), chromedp.Focus(field), selectAll, paste(pairs[i+1]))
	}
}

// paste enters a text at once where the focus is; typing takes long.
func paste(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// choose clicks a radio button or check box by the beginning of its label.
func (b *tab) choose(t *testing.T, label string) {
	t.Helper()
	b.do(t, click(fmt.Sprintf(`//label[starts-with(normalize-space(), %q)]`, label)))
}

// unfold opens a part of the page that is folded.
func (b *tab) unfold(t *testing.T, summary string) {
	t.Helper()
	b.do(t, click(fmt.Sprintf(`//summary[normalize-space()=%q]`, summary)))
}

// button is the XPath of a button by the name that people read or hear.
func button(name string) string {
	return fmt.Sprintf(`//button[@aria-label=%[1]q or not(@aria-label) and normalize-space()=%[1]q]`, name)
}

// click presses the mouse on the only visible element that the XPath finds.
func click(path string) chromedp.Action[chromedp.Void] {
	return chromedp.QueryAfter(path, func(ctx context.Context, target *chromedp.Target, nodes []*chromedp.Node) (chromedp.Void, error) {
		if len(nodes) != 1 {
			return chromedp.Void{}, fmt.Errorf("%d elements are %s, want one", len(nodes), path)
		}
		return chromedp.MouseClickNode(nodes[0])(ctx, target)
	}, chromedp.NodeVisible)
}

// has tells whether an XPath finds something visible.
func (b *tab) has(t *testing.T, path string) bool {
	t.Helper()
	return obtain(t, b, chromedp.Evaluate[bool](fmt.Sprintf(
		`(e => e !== null && e.getClientRects().length > 0)(document.evaluate(%q, document, null, 9).singleNodeValue)`, path)))
}

// at is the address of the page.
func (b *tab) at(t *testing.T) string {
	t.Helper()
	return obtain(t, b, chromedp.Location())
}

// text is what a person reads, with single spaces.
func (b *tab) text(t *testing.T) string {
	t.Helper()
	return strings.Join(strings.Fields(obtain(t, b, chromedp.Evaluate[string]("document.body.innerText"))), " ")
}

// reads demands that all these stand on the page.
func (b *tab) reads(t *testing.T, wants ...string) {
	t.Helper()
	text := b.text(t)
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not stand on the page; %s", want, b.scene())
		}
	}
}

// holds tells whether the source of the page has a string anywhere.
func (b *tab) holds(t *testing.T, part string) bool {
	t.Helper()
	return strings.Contains(obtain(t, b, chromedp.OuterHTML(chromedp.CSS("html"))), part)
}

// shoot writes a picture of the whole page in a window of this width and colour scheme.
func (b *tab) shoot(t *testing.T, name string, width int64, scheme string) {
	t.Helper()
	b.look(t, window{"window", width, 800, false}, scheme)
	picture := obtain(t, b, chromedp.FullScreenshot(100))
	b.settle(t)
	keepPicture(t, name, picture)
}

// keepPicture writes a picture where people look for it.
func keepPicture(t *testing.T, name string, picture []byte) {
	t.Helper()
	file := filepath.Join("screenshots", name+".png")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
