package e2e_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// watch collects what must not happen on any page: messages in the console, violations of a
// content security policy, requests to strangers.
type watch struct {
	origins []string

	mu        sync.Mutex
	complains []string
	expected  []string
	documents []string // addresses that were asked for as pages
	last      network.RequestID
}

func newWatch(origins []string) *watch { return &watch{origins: origins} }

// see takes an event from the tab; it must not block.
func (w *watch) see(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		w.request(e)
	case *log.EventEntryAdded:
		// Chromium reports the status of every page that is no success; tests judge it themselves.
		if e.Entry.Source != log.EntrySourceNetwork || !slices.Contains(w.documents, e.Entry.URL) {
			w.complain("console: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		w.complain("console.%s was called", e.Type)
	case *runtime.EventExceptionThrown:
		w.complain("a script failed: %v", e.ExceptionDetails)
	case *audits.EventIssueAdded:
		w.issue(e.Issue)
	}
}

func (w *watch) request(e *network.EventRequestWillBeSent) {
	u, err := url.Parse(e.Request.URL)
	switch {
	case err != nil:
		w.complain("a request to %q", e.Request.URL)
	case u.Scheme == "data":
	case !slices.Contains(w.origins, origin(u)):
		w.complain("a request to a stranger: %s", e.Request.URL)
	case e.Type == network.ResourceTypeDocument:
		w.documents, w.last = append(w.documents, e.Request.URL), e.RequestID
	}
}

// issue keeps what Chromium's own audit says of policies and forms.
func (w *watch) issue(issue *audits.InspectorIssue) {
	if policy := issue.Details.ContentSecurityPolicyIssueDetails; policy != nil {
		w.complain("content security policy: %s blocks %s", policy.ViolatedDirective, policy.BlockedURL)
	}
	if form := issue.Details.GenericIssueDetails; form != nil && strings.HasPrefix(string(form.ErrorType), "Form") {
		w.complain("audit: %s in an element's %s", form.ErrorType, form.ViolatingNodeAttribute)
	}
}

func (w *watch) complain(format string, args ...any) {
	if c := fmt.Sprintf(format, args...); !slices.Contains(w.complains, c) {
		w.complains = append(w.complains, c)
	}
}

// expect says that the pages of this test give rise to complaints with this text.
func (w *watch) expect(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expected = append(w.expected, text)
}

// lastDocument is the request of the page that was asked for last.
func (w *watch) lastDocument() network.RequestID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// take returns the complaints so far that are not expected.
func (w *watch) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.complains
	w.complains = nil
	return slices.DeleteFunc(all, func(c string) bool {
		return slices.ContainsFunc(w.expected, func(part string) bool { return strings.Contains(c, part) })
	})
}

// judge fails the test for what was seen. A round trip first brings in what is on its way.
func (b *tab) judge(t *testing.T) {
	t.Helper()
	b.do(t, chromedp.Evaluate[chromedp.Void]("0"))
	for _, c := range b.watch.take() {
		t.Error(c)
	}
}

// origin is scheme and host, or the scheme alone where there is no host.
func origin(u *url.URL) string {
	if u.Host == "" {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// landing is an application's own server. Its callback keeps the answer and sends the browser on.
type landing struct {
	*httptest.Server
	onward   string        // where to, by default a page of its own
	gate     chan struct{} // when there is one, callbacks wait until it is closed
	arrivals chan url.Values

	mu    sync.Mutex
	pages map[string]string // further pages by path
}

func newLanding(t *testing.T) *landing {
	t.Helper()
	l := unstarted(t)
	l.Start()
	return l
}

func unstarted(t *testing.T) *landing {
	t.Helper()
	l := &landing{onward: "/landed", arrivals: make(chan url.Values, 8), pages: map[string]string{}}
	l.show("/landed", "<h1>Landed</h1>")
	l.Server = httptest.NewUnstartedServer(l)
	// Chromium breaks off a handshake before it is told to trust the certificate.
	l.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(l.Close)
	return l
}

// show puts a page on the server.
func (l *landing) show(path, body string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages[path] = body
}

// listen moves a landing that has not started to another address.
func (l *landing) listen(t *testing.T, address string) {
	t.Helper()
	to, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	_ = l.Listener.Close() // nothing was accepted on it
	l.Listener = to
}

func (l *landing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/callback" {
		l.arrivals <- r.URL.Query()
		if l.gate != nil {
			select {
			case <-l.gate:
			case <-r.Context().Done():
			}
		}
		http.Redirect(w, r, l.onward, http.StatusFound)
		return
	}
	l.mu.Lock()
	body, ok := l.pages[r.URL.Path]
	l.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><title>Test</title>%s`, body)
}

// arrived waits for the next answer at the callback.
func (l *landing) arrived(t *testing.T) url.Values {
	t.Helper()
	select {
	case q := <-l.arrivals:
		return q
	case <-time.After(patience):
		t.Fatal("nothing came to the callback")
		return nil
	}
}

// untouched demands that no answer came that nobody has looked at.
func (l *landing) untouched(t *testing.T) {
	t.Helper()
	select {
	case q := <-l.arrivals:
		t.Errorf("the callback was called with %v", q)
	default:
	}
}

// testWatch shows that the other tests can fail: a page that does everything wrong is noticed.
func testWatch(t *testing.T, c *chromium, _ *server) {
	stranger, l := newLanding(t), newLanding(t)
	l.show("/wrong", `<meta http-equiv="Content-Security-Policy" content="script-src 'unsafe-inline'">
		<h1 id="a">A</h1><h1 id="a">B</h1><div style="width: 400px">wide</div><form><input name="unlabelled"></form>
		<script>console.error("oh")</script><script src="/x.js"></script><img alt="" src="`+stranger.URL+`/x.png">`)
	b := c.profile(t, l.URL)
	b.do(t, chromedp.Navigate(l.URL+"/wrong"))
	l.show("/heavy", "<h1>Heavy</h1>"+strings.Repeat("x ", maxPage))
	seen := strings.Join(append(append(b.complaints(t), b.examine(t)...), b.watch.take()...), "\n")
	b.do(t, chromedp.Navigate(l.URL+"/heavy"))
	seen += strings.Join(b.examine(t), "\n") + validate(t, source{"wrong", "<!DOCTYPE html><title>Wrong</title><p><div></p></div>"})
	for _, want := range []string{
		"pixels wide on a phone", "2 main headings", "the same id twice: [a]",
		"console.error was called", "a request to a stranger: " + stranger.URL, "content security policy: ", "console: Loading the script",
		"axe, phone, light: label: ", "axe, desk, dark: label: ", "more than 61440", "wrong:1:",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q was not noticed; seen:\n%s", want, seen)
		}
	}
}
