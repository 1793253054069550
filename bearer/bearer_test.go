package bearer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey/latchkey/bearer"
)

const (
	live   = "RC5Glive"
	robot  = "RC5Grobot"
	narrow = "RC5Gnarrow"
	dead   = "RC5Gdead"
)

// checkEndpoint stands for Latchkey and remembers what it was asked.
type checkEndpoint struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
}

func (c *checkEndpoint) requests() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

func newCheckEndpoint(t *testing.T, answer http.HandlerFunc) *checkEndpoint {
	t.Helper()
	c := &checkEndpoint{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.asked = append(c.asked, r)
		c.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

func asContract(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") {
	case live:
		yes(w, "profile community", "authorization_code")
	case robot:
		yes(w, "profile community", "client_credentials")
	case narrow:
		no(w, http.StatusForbidden, `Bearer error="insufficient_scope", scope="profile community"`,
			`{"error":"insufficient_scope","error_description":"The token lacks community."}`)
	default:
		no(w, http.StatusUnauthorized, `Bearer error="invalid_token"`,
			`{"error":"invalid_token","error_description":"The token is unknown or dead."}`)
	}
}

func yes(w http.ResponseWriter, scope, grantType string) {
	w.Header().Set("X-Account-Id", "account-1")
	w.Header().Set("X-Client-Id", "client-1")
	w.Header().Set("X-Scope", scope)
	w.Header().Set("X-Grant-Type", grantType)
}

func no(w http.ResponseWriter, status int, challenge, body string) {
	w.Header().Set("WWW-Authenticate", challenge)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// through sends one request through a guard for profile and community; got is nil when the request
// was not let through.
func through(t *testing.T, checkURL string, client *http.Client, r *http.Request) (resp *http.Response, got *bearer.Token) {
	t.Helper()
	guard, err := bearer.New(checkURL, client)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	guard.Require("profile", "community")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := bearer.TokenFrom(r.Context()); ok {
			got = &token
		} else {
			t.Error("the request was let through without a token in its context")
		}
	})).ServeHTTP(w, r)
	return w.Result(), got
}

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/things", strings.NewReader("x"))
	r.Header["Authorization"] = authorization
	return r
}

func TestALiveTokenIsLetThroughWithWhatLatchkeySaid(t *testing.T) {
	tests := map[string]struct {
		authorization string
		grantType     string
	}{
		"a token that a person approved":                 {"Bearer " + live, "authorization_code"},
		"a token that no person approved":                {"Bearer " + robot, "client_credentials"},
		"the scheme in another case and a second space":  {"bEARER  " + live, "authorization_code"},
		"a trailing space, which is not part of a token": {"Bearer " + live + " ", "authorization_code"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check := newCheckEndpoint(t, asContract)
			resp, got := through(t, check.URL+"/irk/oauth/check", nil, request(test.authorization))
			want := &bearer.Token{
				AccountID: "account-1", ClientID: "client-1",
				Scope: []string{"profile", "community"}, GrantType: test.grantType,
			}
			if resp.StatusCode != http.StatusOK || !reflect.DeepEqual(got, want) {
				t.Errorf("status %d, token %+v, want %+v", resp.StatusCode, got, want)
			}
		})
	}
}

func TestLatchkeyIsSentTheTokenAndTheScopesAndNothingElseOfTheRequest(t *testing.T) {
	check := newCheckEndpoint(t, asContract)
	r := request("Bearer " + live)
	r.Header.Set("Cookie", "session=secret")
	r.Header.Set("X-Forwarded-For", "10.0.0.1")
	before := r.Header.Clone()
	through(t, check.URL+"/irk/oauth/check", nil, r)

	asked := check.requests()
	if len(asked) != 1 {
		t.Fatalf("asked %d times", len(asked))
	}
	if got := asked[0].Method + " " + asked[0].RequestURI; got != "GET /irk/oauth/check?scope=profile%20community" {
		t.Errorf("asked %s", got)
	}
	for name := range asked[0].Header {
		switch name {
		case "Authorization", "Accept", "Accept-Encoding", "User-Agent":
		default:
			t.Errorf("header %s was forwarded", name)
		}
	}
	if !reflect.DeepEqual(r.Header, before) {
		t.Errorf("the caller's headers became %v", r.Header)
	}
}

func TestARefusalByLatchkeyIsPassedOnAsItIs(t *testing.T) {
	tests := map[string]struct {
		token     string
		status    int
		challenge string
		code      string
	}{
		"a dead token is 401":                {dead, 401, `Bearer error="invalid_token"`, "invalid_token"},
		"a token without the scopes is 403":  {narrow, 403, `Bearer error="insufficient_scope", scope="profile community"`, "insufficient_scope"},
		"an unknown but well-formed one too": {"abc-._~+/123==", 401, `Bearer error="invalid_token"`, "invalid_token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check := newCheckEndpoint(t, asContract)
			resp, got := through(t, check.URL, nil, request("Bearer "+test.token))
			wantRefusal(t, resp, got, test.status, test.code)
			if challenge := resp.Header.Get("WWW-Authenticate"); challenge != test.challenge {
				t.Errorf("WWW-Authenticate: %s", challenge)
			}
		})
	}
}

func TestTheGuardAnswersByItselfWhatNeedsNoQuestion(t *testing.T) {
	const bare = `Bearer scope="profile community"`
	const malformed = `Bearer error="invalid_token", error_description="The access token is malformed.", scope="profile community"`
	tests := map[string]struct {
		authorization []string
		status        int
		challenge     string
		code          string
	}{
		"no Authorization header is 401 without an error code": {nil, 401, bare, ""},
		"another scheme is 401 without an error code":          {[]string{"Basic YTpi"}, 401, bare, ""},
		"a scheme that only starts alike is no bearer":         {[]string{"Bearers " + live}, 401, bare, ""},
		"a scheme without a token is 401":                      {[]string{"Bearer"}, 401, bare, ""},
		"a scheme with spaces alone is 401":                    {[]string{"Bearer   "}, 401, bare, ""},
		"two tokens in one header are a malformed one":         {[]string{"Bearer a, Bearer b"}, 401, malformed, "invalid_token"},
		"characters outside b64token are malformed":            {[]string{`Bearer a"b`}, 401, malformed, "invalid_token"},
		"padding alone is malformed":                           {[]string{"Bearer =="}, 401, malformed, "invalid_token"},
		"a token of 9 KiB is malformed":                        {[]string{"Bearer " + strings.Repeat("a", 9<<10)}, 401, malformed, "invalid_token"},
		"several Authorization headers are 400":                {[]string{"Bearer " + live, "Bearer " + live}, 400, "", "invalid_request"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check := newCheckEndpoint(t, asContract)
			resp, got := through(t, check.URL, nil, request(test.authorization...))
			wantRefusal(t, resp, got, test.status, test.code)
			if challenge := resp.Header.Get("WWW-Authenticate"); challenge != test.challenge {
				t.Errorf("WWW-Authenticate: %s", challenge)
			}
			if n := len(check.requests()); n != 0 {
				t.Errorf("Latchkey was asked %d times", n)
			}
		})
	}
}

func TestAnyOtherAnswerIs503AndLetsNobodyThrough(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
		"400 for a scope that is not configured": func(w http.ResponseWriter, r *http.Request) {
			no(w, 400, "", `{"error":"invalid_scope"}`)
		},
		"429":                        func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) },
		"204":                        func(w http.ResponseWriter, r *http.Request) { yes(w, "profile community", "x"); w.WriteHeader(204) },
		"a 200 that says nothing":    func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "welcome") },
		"a 200 without a grant type": func(w http.ResponseWriter, r *http.Request) { yes(w, "profile community", "") },
		"a 200 that lacks a scope":   func(w http.ResponseWriter, r *http.Request) { yes(w, "profile", "authorization_code") },
		"a 200 that names two accounts": func(w http.ResponseWriter, r *http.Request) {
			yes(w, "profile community", "x")
			w.Header().Add("X-Account-Id", "b")
		},
		"a 200 that never ends": func(w http.ResponseWriter, r *http.Request) {
			yes(w, "profile community", "x")
			io.WriteString(w, strings.Repeat("x", 65<<10))
		},
		"a redirect to a 200":             redirectOnce,
		"a 401 without a challenge":       func(w http.ResponseWriter, r *http.Request) { no(w, 401, "", `{"error":"x"}`) },
		"a 401 with another's challenge":  func(w http.ResponseWriter, r *http.Request) { no(w, 401, `Basic realm="proxy"`, `{"error":"x"}`) },
		"a 403 page of something between": func(w http.ResponseWriter, r *http.Request) { no(w, 403, `Bearer error="x"`, "<html>") },
		"a 403 without an error":          func(w http.ResponseWriter, r *http.Request) { no(w, 403, `Bearer error="x"`, `{}`) },
		"a connection that breaks":        func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			check := newCheckEndpoint(t, handler)
			resp, got := through(t, check.URL, nil, request("Bearer "+live))
			wantUnavailable(t, resp, got)
		})
	}
}

func redirectOnce(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/elsewhere" {
		asContract(w, r)
		return
	}
	http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
}

func TestASilentLatchkeyIs503AfterTheTimeout(t *testing.T) {
	check := newCheckEndpoint(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
	})
	resp, got := through(t, check.URL, &http.Client{Timeout: 50 * time.Millisecond}, request("Bearer "+live))
	wantUnavailable(t, resp, got)
}

// TestConnectionsAreKeptForManyRequestsAtOnce makes every request of a round wait for the others,
// so that each needs a connection.
func TestConnectionsAreKeptForManyRequestsAtOnce(t *testing.T) {
	const atOnce = 8
	for name, client := range map[string]*http.Client{"no client": nil, "a client without a Transport": {Timeout: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			var round sync.WaitGroup
			var connections atomic.Int32
			check := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				round.Done()
				round.Wait()
				asContract(w, r)
			}))
			check.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			}
			check.Start()
			t.Cleanup(check.Close)
			guard, err := bearer.New(check.URL, client)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				round.Add(atOnce)
				var asked sync.WaitGroup
				for range atOnce {
					asked.Go(func() { refusedBody(guard) })
				}
				asked.Wait()
			}
			if n := connections.Load(); n != atOnce {
				t.Errorf("%d connections were opened, want %d", n, atOnce)
			}
			if client != nil && client.Transport != nil {
				t.Error("the caller's client was changed")
			}
		})
	}
}

func TestTokensGoThroughNoProxyOfTheEnvironment(t *testing.T) {
	// http.ProxyFromEnvironment, which stands here by default, leaves loopback out.
	standard := http.DefaultTransport.(*http.Transport)
	before := standard.Proxy
	standard.Proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("a proxy is asked for") }
	defer func() { standard.Proxy = before }()
	for name, client := range map[string]*http.Client{"no client": nil, "a client without a Transport": {}} {
		check := newCheckEndpoint(t, asContract)
		if resp, got := through(t, check.URL, client, request("Bearer "+live)); got == nil {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
	}
}

func TestALatchkeyThatIsNotThereIs503(t *testing.T) {
	check := newCheckEndpoint(t, asContract)
	check.Close()
	resp, got := through(t, check.URL, nil, request("Bearer "+live))
	wantUnavailable(t, resp, got)
}

func TestWhyATokenCouldNotBeCheckedIsLoggedAndNotToldToTheClient(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		logged string
	}{
		"a scope that the server does not have": {func(w http.ResponseWriter, r *http.Request) {
			no(w, 400, "", `{"error":"invalid_request","error_description":"unknown scope: bogus; known are: profile"}`)
		}, "status 400: invalid_request: unknown scope: bogus; known are: profile"},
		"a server without its database": {func(w http.ResponseWriter, r *http.Request) {
			no(w, 503, "", `{"error":"temporarily_unavailable","error_description":"no database"}`)
		}, "status 503: temporarily_unavailable: no database"},
		"a page of something between": {func(w http.ResponseWriter, r *http.Request) { no(w, 502, "", "<html>gateway 10.0.0.7") }, "status 502"},
		"a connection that breaks":    {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"a dead token is no failure":  {asContract, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			check := newCheckEndpoint(t, test.answer)
			guard, err := bearer.New(check.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			var own, standard strings.Builder
			guard.ErrorLog = slog.New(slog.NewJSONHandler(&own, nil))
			body := refusedBody(guard)
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewJSONHandler(&standard, nil)))
			defer slog.SetDefault(before)
			guard.ErrorLog = nil
			refusedBody(guard)
			for where, log := range map[string]string{"ErrorLog": own.String(), "the default log": standard.String()} {
				if lines := strings.Count(log, "\n"); !strings.Contains(log, test.logged) || (lines == 1) != (test.logged != "") {
					t.Errorf("%s has %q, want a line with %q", where, log, test.logged)
				}
				if strings.Contains(log, dead) {
					t.Errorf("%s has the token: %s", where, log)
				}
			}
			for _, secret := range []string{"bogus", "database", "10.0.0.7"} {
				if strings.Contains(body, secret) {
					t.Errorf("the client is told %s", body)
				}
			}
		})
	}
}

func TestADeadlineOfTheAPIIsLoggedAndAClientThatLeftIsNot(t *testing.T) {
	check := newCheckEndpoint(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	left, leave := context.WithCancel(t.Context())
	leave()
	for name, test := range map[string]struct {
		ctx    context.Context
		logged string
	}{
		"a deadline that passes": {late, "deadline exceeded"},
		"a client that left":     {left, ""},
	} {
		t.Run(name, func(t *testing.T) {
			guard, err := bearer.New(check.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			var log strings.Builder
			guard.ErrorLog = slog.New(slog.NewJSONHandler(&log, nil))
			w := httptest.NewRecorder()
			guard.Require("profile")(http.NotFoundHandler()).ServeHTTP(w, request("Bearer "+live).WithContext(test.ctx))
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", w.Code)
			}
			if !strings.Contains(log.String(), test.logged) || (log.Len() > 0) != (test.logged != "") {
				t.Errorf("the log has %q, want %q", log.String(), test.logged)
			}
		})
	}
}

// refusedBody is what a client with a dead token gets.
func refusedBody(guard *bearer.Guard) string {
	w := httptest.NewRecorder()
	guard.Require("profile")(http.NotFoundHandler()).ServeHTTP(w, request("Bearer "+dead))
	return w.Body.String()
}

func TestAContextOfAnotherRequestHasNoToken(t *testing.T) {
	if token, ok := bearer.TokenFrom(context.Background()); ok {
		t.Errorf("got %+v", token)
	}
}

func TestNewRefusesAURLThatIsNoCheckEndpoint(t *testing.T) {
	for _, u := range []string{
		"", "/irk/oauth/check", "id.example/check", "ftp://id.example/check", "https://", "http://id.example:x/",
		"https://u:p@id.example/check", "https://id.example/check?scope=a", "https://id.example/check?", "https://id.example/check#",
	} {
		if _, err := bearer.New(u, nil); err == nil {
			t.Errorf("%q was accepted", u)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func TestRequirePanicsOnWhatIsNoScopeToken(t *testing.T) {
	guard, err := bearer.New("https://id.example/irk/oauth/check", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []string{"", "profile community", `a"b`, `a\b`, "é", "a\r\nb", "a\x7f", "a\tb"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was accepted", scope)
				}
			}()
			guard.Require("profile", scope)
		}()
	}
}

func wantUnavailable(t *testing.T, resp *http.Response, got *bearer.Token) {
	t.Helper()
	wantRefusal(t, resp, got, http.StatusServiceUnavailable, "temporarily_unavailable")
	if challenge := resp.Header.Get("WWW-Authenticate"); challenge != "" {
		t.Errorf("WWW-Authenticate: %s", challenge)
	}
}

// wantRefusal checks the status and the error code; no code means an empty body.
func wantRefusal(t *testing.T, resp *http.Response, got *bearer.Token, status int, code string) {
	t.Helper()
	if got != nil {
		t.Errorf("let through with %+v", *got)
	}
	if resp.StatusCode != status {
		t.Errorf("status %d, want %d", resp.StatusCode, status)
	}
	if retry := resp.Header.Get("Retry-After"); (retry != "") != (status == http.StatusServiceUnavailable) {
		t.Errorf("Retry-After: %s", retry)
	}
	if cache := resp.Header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("Cache-Control: %s", cache)
	}
	body, _ := io.ReadAll(resp.Body)
	if code == "" {
		if len(body) > 0 {
			t.Errorf("body %s", body)
		}
		return
	}
	var object struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(body, &object); err != nil || object.Error != code || object.Description == "" {
		t.Errorf("body %s, want error %s", body, code)
	}
	if contentType := resp.Header.Get("Content-Type"); contentType != "application/json" {
		t.Errorf("Content-Type: %s", contentType)
	}
}
