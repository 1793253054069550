package demo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/latchkey/latchkey/internal/demo"
)

const (
	secret  = "5ec7e75ec7e75ec7e7"
	access  = "RC5Gaccess-token"
	refresh = "xrnkrefresh-token"
	code    = "c0deauthorization-code"
)

// call is a request that the provider's stand-in received.
type call struct {
	path, contentType, authorization string
	body                             map[string]string
}

// provider stands for Latchkey: it approves at once, unless refusing.
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	calls    []call
	refusing bool
	revoked  bool
}

func newProvider(t *testing.T) *provider {
	p := &provider{}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := call{path: r.URL.Path, contentType: r.Header.Get("Content-Type"), authorization: r.Header.Get("Authorization")}
	json.NewDecoder(r.Body).Decode(&c.body)
	p.calls = append(p.calls, c)
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/a", "token_endpoint": p.URL + "/t",
			"revocation_endpoint": p.URL + "/r", "latchkey_me_endpoint": p.URL + "/m", "latchkey_check_endpoint": p.URL + "/c",
			"authorization_response_iss_parameter_supported": true,
		})
	case "/a":
		q := r.URL.Query()
		answer := url.Values{"state": q["state"], "iss": {p.URL}}
		if p.refusing {
			answer.Set("error", "access_denied")
			answer.Set("error_description", "The account said no.")
		} else {
			answer.Set("code", code)
		}
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+answer.Encode(), http.StatusSeeOther)
	case "/t":
		answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 7200, "scope": "profile"}
		if c.body["grant_type"] != "client_credentials" {
			answer["refresh_token"] = refresh
		}
		json.NewEncoder(w).Encode(answer)
	case "/r":
		p.revoked = true
	case "/m":
		if p.revoked {
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `{"error":"invalid_token","error_description":"The token is dead."}`)
			return
		}
		io.WriteString(w, `{"user":{"id":"1","name":"Ada <b>"}}`)
	case "/c":
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"error":"insufficient_scope"}`)
	}
}

// called returns the calls to path.
func (p *provider) called(path string) []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.calls), func(c call) bool { return c.path != path })
}

// browser is a person's browser in front of the example application.
type browser struct {
	*testing.T
	client *http.Client
	base   string
}

func open(t *testing.T, p *provider) *browser {
	var application http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		application.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	application = demo.New(demo.Config{
		Issuer: p.URL, BaseURL: server.URL, ClientID: "client-1", ClientSecret: secret,
		Scope: "profile", MissingScope: "community",
	})
	jar, _ := cookiejar.New(nil)
	return &browser{t, &http.Client{Jar: jar}, server.URL}
}

func (b *browser) read(resp *http.Response, err error) (int, string) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	page := string(body)
	for _, s := range []string{secret, access, refresh, code} {
		if strings.Contains(page, s) {
			b.Errorf("the page shows the secret %s", s)
		}
	}
	return resp.StatusCode, page
}

func (b *browser) get(path string) (int, string) {
	b.Helper()
	return b.read(b.client.Get(b.base + path))
}

func (b *browser) press(path string) string {
	b.Helper()
	_, page := b.read(b.client.Post(b.base+path, "", nil))
	return page
}

// leave follows Connect to the provider's door and returns the state that went with it.
func (b *browser) leave() (state string) {
	b.Helper()
	stay := *b.client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := stay.Get(b.base + "/connect")
	if err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
	target, err := resp.Location()
	if err != nil {
		b.Fatal(err)
	}
	return target.Query().Get("state")
}

func (b *browser) wants(page string, parts ...string) {
	b.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			b.Errorf("the page lacks %q:\n%s", part, page)
		}
	}
}

func TestConnectExchangesTheCodeAsAJSONBodyWithTheContractsKeys(t *testing.T) {
	p := newProvider(t)
	b := open(t, p)
	_, page := b.get("/connect")
	b.wants(page, ">Connected as Ada &lt;b&gt;<", "expires in 71", "c0de…", "RC5G…")

	exchanges := p.called("/t")
	if len(exchanges) != 1 || exchanges[0].contentType != "application/json" || exchanges[0].authorization != "" {
		t.Fatalf("exchanged with %+v", exchanges)
	}
	body := exchanges[0].body
	if len(body["code_verifier"]) != 43 {
		t.Errorf("code_verifier %q", body["code_verifier"])
	}
	delete(body, "code_verifier")
	want := map[string]string{
		"client_id": "client-1", "client_secret": secret, "grant_type": "authorization_code",
		"code": code, "redirect_uri": b.base + "/callback",
	}
	if !reflect.DeepEqual(body, want) {
		t.Errorf("exchanged with %v, want %v", body, want)
	}
	if me := p.called("/m"); len(me) != 1 || me[0].authorization != "Bearer "+access {
		t.Errorf("me was called with %+v", me)
	}
}

func TestAnAnswerThatIsNotForThisRequestIsRefusedWithoutAnExchange(t *testing.T) {
	tests := map[string]struct {
		callback string
		status   string
	}{
		"another state":                     {"?code=x&state=other&iss=ISS", "Error: state does not match"},
		"no state":                          {"?code=x&iss=ISS", "Error: state does not match"},
		"another iss":                       {"?code=x&state=STATE&iss=http://evil.example", "Error: iss does not match"},
		"no iss, though it is announced":    {"?code=x&state=STATE", "Error: iss does not match"},
		"an error under another iss":        {"?error=access_denied&state=STATE&iss=http://evil.example", "Error: iss does not match"},
		"the right iss and another's after": {"?code=x&state=STATE&iss=ISS&iss=http://evil.example", "Error: iss does not match"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			b := open(t, p)
			query := strings.NewReplacer("STATE", b.leave(), "ISS", url.QueryEscape(p.URL)).Replace(test.callback)
			status, page := b.get("/callback" + query)
			b.wants(page, test.status)
			if status != http.StatusBadRequest {
				t.Errorf("status %d", status)
			}
			if n := len(p.called("/t")); n != 0 {
				t.Errorf("%d exchanges", n)
			}
		})
	}
}

func TestAStateWorksOnceAndInItsOwnBrowserOnly(t *testing.T) {
	p := newProvider(t)
	b := open(t, p)
	callback := "/callback?code=x&iss=" + url.QueryEscape(p.URL) + "&state=" + b.leave()
	stranger := &browser{t, &http.Client{}, b.base}
	if status, _ := stranger.get(callback); status != http.StatusBadRequest {
		t.Errorf("another browser got %d", status)
	}
	if status, _ := b.get(callback); status != http.StatusOK {
		t.Errorf("the first time got %d", status)
	}
	if status, _ := b.get(callback); status != http.StatusBadRequest {
		t.Errorf("the second time got %d", status)
	}
	if n := len(p.called("/t")); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

func TestARefusalIsShown(t *testing.T) {
	p := newProvider(t)
	p.refusing = true
	b := open(t, p)
	_, page := b.get("/connect")
	b.wants(page, ">Refused: access_denied<", "The account said no.")
}

func TestTheButtonsShowWhatATokenCanAndCannotDo(t *testing.T) {
	p := newProvider(t)
	b := open(t, p)
	_, page := b.get("/")
	b.wants(page, ">Not connected<", ">Connect<", ">Use client credentials<")
	b.get("/connect")
	b.wants(b.press("/call-without-scope"), ">Connected as Ada", "As expected: 403 insufficient_scope")
	b.wants(b.press("/refresh"), ">Connected as Ada", "xrnk…", "&#34;grant_type&#34;: &#34;refresh_token&#34;")
	b.wants(b.press("/revoke"), ">Revoked<")
	b.wants(b.press("/call"), ">Revoked<", "401 Unauthorized", "invalid_token")
	p.mu.Lock()
	p.revoked = false
	p.mu.Unlock()
	b.wants(b.press("/client-credentials"), ">Connected as Ada", "nobody was asked", "no refresh token")
	b.wants(b.press("/forget"), ">Not connected<")
}

func TestAnotherSiteCannotPressTheButtons(t *testing.T) {
	p := newProvider(t)
	b := open(t, p)
	b.get("/connect")
	req, _ := http.NewRequest(http.MethodPost, b.base+"/revoke", nil)
	req.Header.Set("Sec-Fetch-Site", "same-site")
	if status, _ := b.read(b.client.Do(req)); status != http.StatusForbidden || len(p.called("/r")) != 0 {
		t.Errorf("status %d, %d revocations", status, len(p.called("/r")))
	}
}
