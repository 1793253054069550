package e2e_test

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// browser behaves as a person's browser does as far as HTTP goes: it keeps cookies, follows
// redirects on the issuer's host and submits the forms that it was shown.
type browser struct {
	origin *url.URL
	person account
	client *http.Client
}

// page is where the browser ended up: a document, or a redirect away from the issuer.
type page struct {
	status int
	url    *url.URL
	header http.Header
	root   *html.Node
	away   *url.URL // where a redirect leads that leaves the issuer's host
}

// browser opens one that has no cookies yet and will sign in as the person given.
func (s *server) browser(person account) *browser {
	origin, err := url.Parse(s.url)
	if err != nil {
		panic(err) // the URL was matched when the server started
	}
	return newBrowser(origin, person, s.client.Transport)
}

func newBrowser(origin *url.URL, person account, transport http.RoundTripper) *browser {
	jar, _ := cookiejar.New(nil) // fails with no options
	b := &browser{origin: origin, person: person}
	b.client = &http.Client{Transport: transport, Jar: jar, Timeout: patience, CheckRedirect: b.checkRedirect}
	return b
}

func (b *browser) checkRedirect(next *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case last.Method == http.MethodPost && next.Response.StatusCode != http.StatusSeeOther:
		return errors.New("a POST was answered by a redirect other than 303")
	case next.URL.Host != b.origin.Host || next.URL.Scheme != b.origin.Scheme:
		return http.ErrUseLastResponse
	case len(via) > 10:
		return errors.New("redirects without end")
	}
	return nil
}

// visit opens an authorization request given by its parameters.
func (b *browser) visit(t *testing.T, q url.Values) *page {
	t.Helper()
	return b.open(t, "/auth/authorize?"+q.Encode())
}

// open follows a link on the issuer's host.
func (b *browser) open(t *testing.T, ref string) *page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.origin.String()+ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.do(t, req)
}

func (b *browser) do(t *testing.T, req *http.Request) *page {
	t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{status: res.StatusCode, url: res.Request.URL, header: res.Header}
	if p.root, err = html.Parse(strings.NewReader(string(body))); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		if p.away, err = res.Location(); err != nil {
			t.Fatalf("%d without a usable Location: %v", res.StatusCode, err)
		}
	}
	return p
}

// authorize walks an authorization request to its end as a person who agrees, and returns the URL
// of the application that the browser is sent to.
func (b *browser) authorize(t *testing.T, q url.Values) *url.URL {
	t.Helper()
	return b.agree(t, b.visit(t, q))
}

// agree signs in and allows, as far as the pages ask for it.
func (b *browser) agree(t *testing.T, p *page) *url.URL {
	t.Helper()
	for range 4 {
		switch {
		case p.away != nil:
			return p.away
		case p.offers("Sign in"):
			p = b.signIn(t, p)
		case p.offers("Allow"):
			p = b.press(t, p, "Allow")
		default:
			t.Fatalf("the page offers neither to sign in nor to allow:\n%d %s\n%s", p.status, p.url, p.text())
		}
	}
	t.Fatalf("no end after four pages, now at %s:\n%s", p.url, p.text())
	return nil
}

// signIn fills the sign-in form of the page.
func (b *browser) signIn(t *testing.T, p *page) *page {
	t.Helper()
	return b.press(t, p, "Sign in", "email", b.person.email, "password", b.person.password)
}

// press submits the form that the button with this text belongs to, filled by pairs of name and value.
func (b *browser) press(t *testing.T, p *page, button string, fill ...string) *page {
	t.Helper()
	req := b.submission(t, p, button, fill...)
	req.Header.Set("Referer", p.url.String())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Origin", b.origin.String())
	return b.do(t, req)
}

// submission is the request that the button would send, without the headers that tell its origin.
func (b *browser) submission(t *testing.T, p *page, button string, fill ...string) *http.Request {
	t.Helper()
	form, pressed := p.button(button)
	if form == nil {
		t.Fatalf("no button %q on the page:\n%d %s\n%s", button, p.status, p.url, p.text())
	}
	if !strings.EqualFold(attr(form, "method"), "post") {
		t.Fatalf("the form of %q has the method %q", button, attr(form, "method"))
	}
	values := asLoaded(form)
	for i := 0; i < len(fill); i += 2 {
		if !values.Has(fill[i]) {
			t.Fatalf("the form of %q has no field %q", button, fill[i])
		}
		values.Set(fill[i], fill[i+1])
	}
	if name := attr(pressed, "name"); name != "" {
		values.Add(name, attr(pressed, "value"))
	}
	return b.post(t, p, form, pressed, values)
}

// asLoaded is what a form sends that nobody touched, without its buttons.
func asLoaded(form *html.Node) url.Values {
	values := url.Values{}
	for in := range descendants(form, "input") {
		switch kind := attr(in, "type"); {
		case attr(in, "name") == "" || kind == "submit" || has(in, "disabled"):
		case (kind == "checkbox" || kind == "radio") && !has(in, "checked"):
		default:
			values.Add(attr(in, "name"), attr(in, "value"))
		}
	}
	for text := range descendants(form, "textarea") {
		value := ""
		if text.FirstChild != nil {
			value = text.FirstChild.Data
		}
		values.Add(attr(text, "name"), value)
	}
	for list := range descendants(form, "select") {
		for option := range descendants(list, "option") {
			if !values.Has(attr(list, "name")) || has(option, "selected") {
				values.Set(attr(list, "name"), attr(option, "value"))
			}
		}
	}
	return values
}

func (b *browser) post(t *testing.T, p *page, form, pressed *html.Node, values url.Values) *http.Request {
	t.Helper()
	action := attr(form, "action")
	if attr(pressed, "formaction") != "" {
		action = attr(pressed, "formaction")
	}
	target, err := p.url.Parse(action)
	if err != nil {
		t.Fatal(err)
	}
	// Browsers send line ends as CR LF whatever the value held.
	ends := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n")
	for _, vs := range values {
		for i := range vs {
			vs[i] = ends.Replace(vs[i])
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// offers tells whether the page has a form with such a button.
func (p *page) offers(button string) bool {
	form, _ := p.button(button)
	return form != nil
}

// button finds a form by the visible text of its button.
func (p *page) button(label string) (form, button *html.Node) {
	for f := range descendants(p.root, "form") {
		for b := range descendants(f, "button") {
			if words(b) == label {
				return f, b
			}
		}
		for in := range descendants(f, "input") {
			if attr(in, "type") == "submit" && attr(in, "value") == label {
				return f, in
			}
		}
	}
	return nil, nil
}

// text is what a person reads on the page.
func (p *page) text() string {
	for body := range descendants(p.root, "body") {
		return words(body)
	}
	return ""
}

// checkErrorPage demands a page that explains and leads nowhere.
func (p *page) checkErrorPage(t *testing.T) {
	t.Helper()
	if p.away != nil {
		t.Fatalf("redirects to %s, want an error page", p.away)
	}
	if p.status < 400 || p.status > 499 {
		t.Errorf("status %d, want an error of the client; page:\n%s", p.status, p.text())
	}
	if kind, _, _ := mime.ParseMediaType(p.header.Get("Content-Type")); kind != "text/html" {
		t.Errorf("Content-Type is %q, want a page", p.header.Get("Content-Type"))
	}
	if p.text() == "" || p.offers("Allow") || p.offers("Sign in") {
		t.Errorf("not a page that explains an error:\n%s", p.text())
	}
}

// checkNoCode demands that the browser was given no code.
func (p *page) checkNoCode(t *testing.T) {
	t.Helper()
	if p.away != nil && p.away.Query().Has("code") {
		t.Errorf("a code was given: redirect to %s", p.away.Redacted())
	}
}

func descendants(n *html.Node, tag string) func(yield func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for d := range n.Descendants() {
			if d.Type == html.ElementNode && d.Data == tag && !yield(d) {
				return
			}
		}
	}
}

func attr(n *html.Node, name string) string {
	i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
	if i < 0 {
		return ""
	}
	return n.Attr[i].Val
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func words(n *html.Node) string {
	var text []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text = append(text, strings.Fields(d.Data)...)
		}
	}
	return strings.Join(text, " ")
}

// fetch gets an address as a script does.
func fetch(t *testing.T, client *http.Client, address string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
