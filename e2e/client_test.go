package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	tokenPath      = "/irk/oauth/token"
	revokePath     = "/irk/oauth/revoke"
	introspectPath = "/irk/oauth/introspect"
	checkPath      = "/irk/oauth/check"
	mePath         = "/irk/api/v1/me"
	discoveryPath  = "/.well-known/oauth-authorization-server"

	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// tokenShape is what codes and tokens look like on the wire.
var tokenShape = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// message is a request of an application to the protocol's endpoints.
type message struct {
	method string
	path   string
	header http.Header
	body   string
	// chunked hides the body's length from the server.
	chunked bool
}

// answer is what came back.
type answer struct {
	to     message
	status int
	header http.Header
	body   []byte
}

// send is usable on any goroutine.
func (s *server) send(m message) (answer, error) {
	var body io.Reader = strings.NewReader(m.body)
	if m.chunked {
		body = io.MultiReader(body)
	}
	req, err := http.NewRequest(m.method, s.url+m.path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header = m.header.Clone()
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return answer{m, res.StatusCode, res.Header, got}, err
}

// do demands of every answer of the protocol that nobody stores it, nor takes it for a page.
func (s *server) do(t *testing.T, m message) answer {
	t.Helper()
	a, err := s.send(m)
	if err != nil {
		t.Fatal(err)
	}
	if path, _, _ := strings.Cut(m.path, "?"); slices.Contains([]string{tokenPath, revokePath, introspectPath, checkPath, mePath}, path) {
		for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %s", m.method, m.path, name, got, want)
			}
		}
	}
	return a
}

// post makes a message from a body as it stands.
func post(path, contentType, body string) message {
	m := message{method: http.MethodPost, path: path, header: http.Header{}, body: body}
	if contentType != "" {
		m.header.Set("Content-Type", contentType)
	}
	return m
}

// get makes a message to a resource, with a bearer token unless it is empty.
func get(path, token string) message {
	m := message{method: http.MethodGet, path: path, header: http.Header{}}
	if token != "" {
		m.header.Set("Authorization", "Bearer "+token)
	}
	return m
}

// basic puts credentials, as they stand, into the header.
func (m message) basic(user, password string) message {
	m.header = m.header.Clone()
	m.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	return m
}

// style is one of the four ways that client code sends a request.
type style struct {
	name        string
	json, basic bool
}

func styles() []style {
	return []style{
		{"in a form with credentials in the body", false, false},
		{"in a form with credentials in Basic", false, true},
		{"in JSON with credentials in the body", true, false},
		{"in JSON with credentials in Basic", true, true},
	}
}

// write makes the application's message in this style.
func (st style) write(app application, path string, v url.Values) message {
	if !st.basic {
		v = app.identify(v)
	}
	m := post(path, formType, v.Encode())
	if st.json {
		m = post(path, jsonType, toJSON(v))
	}
	if st.basic {
		return m.basic(app.ClientID, app.ClientSecret)
	}
	return m
}

// identify returns the values with the application's credentials beside them.
func (a application) identify(v url.Values) url.Values {
	all := url.Values{"client_id": {a.ClientID}}
	if a.ClientSecret != "" {
		all.Set("client_secret", a.ClientSecret)
	}
	for name, values := range v {
		all[name] = values
	}
	return all
}

func toJSON(v url.Values) string {
	object := map[string]string{}
	for name := range v {
		object[name] = v.Get(name)
	}
	b, err := json.Marshal(object)
	if err != nil {
		panic(err) // a map of strings always has a JSON form
	}
	return string(b)
}

// form sends values with the application's credentials in the body.
func (s *server) form(t *testing.T, path string, app application, v url.Values) answer {
	t.Helper()
	return s.do(t, post(path, formType, app.identify(v).Encode()))
}

// code has Ada approve the application and returns the code.
func (s *server) code(t *testing.T, app application, pairs ...string) string {
	t.Helper()
	to := s.session.authorize(t, app.request(pairs...))
	code := to.Query().Get("code")
	if !tokenShape.MatchString(code) {
		t.Fatalf("no code in the way back to the application: %s", to)
	}
	return code
}

// redemption is the ordinary request that turns a code into tokens.
func (a application) redemption(code string, pairs ...string) url.Values {
	return with(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.redirect}}, pairs...)
}

func (s *server) redeem(t *testing.T, app application, code string, pairs ...string) answer {
	t.Helper()
	return s.form(t, tokenPath, app, app.redemption(code, pairs...))
}

func refreshment(token string, pairs ...string) url.Values {
	return with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, pairs...)
}

func (s *server) refresh(t *testing.T, app application, token string, pairs ...string) answer {
	t.Helper()
	return s.form(t, tokenPath, app, refreshment(token, pairs...))
}

func (s *server) clientCredentials(t *testing.T, app application, scope string) answer {
	t.Helper()
	return s.form(t, tokenPath, app, with(url.Values{"grant_type": {"client_credentials"}}, "scope", scope))
}

func (s *server) revoke(t *testing.T, app application, token string, pairs ...string) answer {
	t.Helper()
	return s.form(t, revokePath, app, with(url.Values{"token": {token}}, pairs...))
}

func (s *server) introspect(t *testing.T, app application, token string) map[string]any {
	t.Helper()
	a := s.form(t, introspectPath, app, url.Values{"token": {token}})
	if a.status != http.StatusOK {
		t.Fatalf("introspection answers %d: %s", a.status, a.body)
	}
	return a.object(t)
}

func (s *server) me(t *testing.T, token string) answer {
	t.Helper()
	return s.do(t, get(mePath, token))
}

// tokens is the answer of the token endpoint.
type tokens struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`
	ExpiresIn int64  `json:"expires_in"`
	Refresh   string `json:"refresh_token"`
	Scope     string `json:"scope"`
	CreatedAt int64  `json:"created_at"`
}

// tokens demands success.
func (a answer) tokens(t *testing.T) tokens {
	t.Helper()
	var got tokens
	if a.status != http.StatusOK {
		t.Fatalf("%s answers %d: %s", a.to.path, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		t.Fatalf("token answer %s: %v", a.body, err)
	}
	return got
}

// grant has Ada approve the application and redeems the code.
func (s *server) grant(t *testing.T, app application, pairs ...string) tokens {
	t.Helper()
	if app.ClientSecret != "" {
		return s.redeem(t, app, s.code(t, app, pairs...)).tokens(t)
	}
	verifier := strings.Repeat("verifier-", 6)
	pairs = append(pairs, "code_challenge", challenge(verifier), "code_challenge_method", "S256")
	return s.redeem(t, app, s.code(t, app, pairs...), "code_verifier", verifier).tokens(t)
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(a.body, &fields); err != nil || fields == nil {
		t.Fatalf("%s answers %d with no JSON object: %q", a.to.path, a.status, a.body)
	}
	return fields
}

// checkStatus demands a status and shows the answer otherwise.
func (a answer) checkStatus(t *testing.T, want int) {
	t.Helper()
	if a.status != want {
		t.Fatalf("%s %s answers %d, want %d: %s", a.to.method, a.to.path, a.status, want, a.body)
	}
}

// checkRefused demands an error in the form of RFC 6749, section 5.2.
func (a answer) checkRefused(t *testing.T, code string) {
	t.Helper()
	want := http.StatusBadRequest
	if code == "invalid_client" {
		want = http.StatusUnauthorized
	}
	a.checkRefusedWith(t, want, code)
}

func (a answer) checkRefusedWith(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d %s; answer: %s", a.status, status, code, a.body)
	}
	if kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); kind != jsonType {
		t.Errorf("Content-Type is %q, want JSON", a.header.Get("Content-Type"))
	}
	fields := a.object(t)
	if fields["error"] != code {
		t.Errorf("error is %v, want %s; answer: %s", fields["error"], code, a.body)
	}
	if uri, _ := fields["error_uri"].(string); !strings.HasSuffix(uri, "/docs/errors#"+code) {
		t.Errorf("error_uri is %q", uri)
	}
	description, _ := fields["error_description"].(string)
	if err := describes(description); err != nil {
		t.Error(err)
	}
	// Basic is asked for where it was tried, and where nothing was.
	challenge := ""
	if code == "invalid_client" && (a.to.header.Get("Authorization") != "" || !strings.Contains(a.to.body, "client_id")) {
		challenge = `Basic realm="latchkey"`
	}
	if got := a.header.Get("WWW-Authenticate"); got != challenge {
		t.Errorf("WWW-Authenticate is %q with %d, want %q", got, status, challenge)
	}
}

// describes tells whether a description is there and keeps to the characters of RFC 6749.
func describes(description string) error {
	if len(description) < 10 {
		return fmt.Errorf("error_description %q tells nobody what to mend", description)
	}
	for _, r := range description {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return fmt.Errorf("error_description %q holds %q", description, r)
		}
	}
	return nil
}

// checkAlive demands that the access token works.
func (s *server) checkAlive(t *testing.T, token string) {
	t.Helper()
	if a := s.me(t, token); a.status != http.StatusOK {
		t.Errorf("a token that should work is answered %d: %s", a.status, a.body)
	}
}

// checkDead demands that neither token of an authorization works any more.
func (s *server) checkDead(t *testing.T, app application, dead tokens) {
	t.Helper()
	a := s.me(t, dead.Access)
	if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("a dead access token is answered %d with %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	if dead.Refresh != "" {
		s.refresh(t, app, dead.Refresh).checkRefused(t, "invalid_grant")
	}
}
