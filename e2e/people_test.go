package e2e_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// callback is registered for an application unless a test says otherwise; nothing listens there.
const callback = "https://client.example/callback"

// account is a person on the platform and what they type to sign in.
type account struct {
	email, password, name string
}

// newcomer is a person who has no account yet.
func (s *server) newcomer(name string) account {
	a := account{strings.ToLower(rand.Text()) + "@people.example", "pass phrase " + rand.Text(), name}
	s.vault.add("password", a.password)
	return a
}

// newAccount creates an account by the command line.
func (s *server) newAccount(t *testing.T, name string, flags ...string) account {
	t.Helper()
	a := s.newcomer(name)
	args := []string{"account", "create", "--email", a.email, "--name", a.name, "--password-stdin", "--json"}
	s.command(t, a.password+"\n", append(args, flags...)...)
	return a
}

// signedIn is a new account, and a browser in which it is signed in.
func (s *server) signedIn(t *testing.T, name string, flags ...string) (account, *browser) {
	t.Helper()
	a := s.newAccount(t, name, flags...)
	return a, s.signIn(t, a)
}

// signIn opens a browser in which a person has signed in, or tried to.
func (s *server) signIn(t *testing.T, person account) *browser {
	t.Helper()
	b := s.browser(person)
	b.signIn(t, b.open(t, "/sign-in"))
	return b
}

// registration is what an application is created with; the zero value is a confidential one of
// Ada's that may ask for profile and events.
type registration struct {
	owner          string
	redirects      []string
	scopes         []string
	optional       []string
	public         bool
	resourceServer bool
}

// application is a registered client, as its developer knows it.
type application struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	redirect     string
}

// register creates an application by the command line.
func (s *server) register(t *testing.T, r registration) application {
	t.Helper()
	if r.owner == "" {
		r.owner = s.ada.email
	}
	if r.redirects == nil {
		r.redirects = []string{callback}
	}
	if r.scopes == nil {
		r.scopes = []string{"profile", "events"}
	}
	args := []string{"application", "create", "--owner", r.owner, "--name", "Calendar " + rand.Text()[:6], "--json"}
	for _, u := range r.redirects {
		args = append(args, "--redirect-uri", u)
	}
	for _, scope := range r.scopes {
		args = append(args, "--scope", scope)
	}
	for _, scope := range r.optional {
		args = append(args, "--optional-scope", scope)
	}
	if r.public {
		args = append(args, "--public")
	}
	if r.resourceServer {
		args = append(args, "--resource-server")
	}
	app := application{redirect: r.redirects[0]}
	if err := json.Unmarshal([]byte(s.command(t, "", args...)), &app); err != nil {
		t.Fatalf("application create --json: %v", err)
	}
	if app.ClientID == "" || (app.ClientSecret == "") != r.public {
		t.Fatalf("application create answers client_id %q and a secret of %d characters (public: %v)",
			app.ClientID, len(app.ClientSecret), r.public)
	}
	s.vault.add("client secret", app.ClientSecret)
	return app
}

// request is the query of an ordinary authorization request, changed by pairs of name and value;
// an empty value takes the parameter away.
func (a application) request(pairs ...string) url.Values {
	q := url.Values{
		"client_id":     {a.ClientID},
		"redirect_uri":  {a.redirect},
		"response_type": {"code"},
		"scope":         {"profile"},
		"state":         {"af0ifjsldkj"},
	}
	return with(q, pairs...)
}

// with sets pairs of name and value in v; an empty value takes the parameter away.
func with(v url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// challenge is the S256 transformation of RFC 7636.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// vault remembers what must never be seen in a log or a file.
type vault struct {
	mu      sync.Mutex
	values  map[string]string // value to kind
	cookies []*http.Cookie
}

func newVault() *vault { return &vault{values: map[string]string{}} }

// add ignores what is too short to be recognised.
func (v *vault) add(kind, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(value) >= 12 {
		v.values[value] = kind
	}
}

// kinds counts what was collected, so that a scan can prove that it looked for something.
func (v *vault) kinds() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := map[string]int{}
	for _, kind := range v.values {
		n[kind]++
	}
	return n
}

// inspect fails the test when data contains something collected.
func (v *vault) inspect(t *testing.T, what string, data []byte) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for value, kind := range v.values {
		if bytes.Contains(data, []byte(value)) || bytes.Contains(data, []byte(url.QueryEscape(value))) {
			t.Errorf("%s contains a %s", what, kind)
		}
	}
}

// inspectRaw looks for the secret half of tokens in binary form as well.
func (v *vault) inspectRaw(t *testing.T, what string, data []byte) {
	t.Helper()
	v.inspect(t, what, data)
	v.mu.Lock()
	defer v.mu.Unlock()
	for value, kind := range v.values {
		raw, err := base64.RawURLEncoding.DecodeString(value)
		if err == nil && len(raw) == 32 && bytes.Contains(data, raw[16:]) {
			t.Errorf("%s contains the bytes of a %s", what, kind)
		}
	}
}

// setCookies returns every cookie that answers have set so far.
func (v *vault) setCookies() []*http.Cookie {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]*http.Cookie(nil), v.cookies...)
}

// witness collects the secrets in the answers that pass through it.
type witness struct {
	next  http.RoundTripper
	vault *vault
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, c := range res.Cookies() {
		w.vault.add("cookie", c.Value)
		w.vault.mu.Lock()
		w.vault.cookies = append(w.vault.cookies, c)
		w.vault.mu.Unlock()
	}
	if to, err := res.Location(); err == nil {
		w.vault.add("code", to.Query().Get("code"))
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "application/json" {
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close() // all of it has been read
		res.Body = io.NopCloser(bytes.NewReader(body))
		var answer tokens
		if json.Unmarshal(body, &answer) == nil {
			w.vault.add("access token", answer.Access)
			w.vault.add("refresh token", answer.Refresh)
		}
	}
	return res, nil
}
