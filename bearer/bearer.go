// Package bearer is HTTP middleware for Go APIs that accept Latchkey's access tokens.
//
// A [Guard] asks Latchkey's check endpoint about the bearer token of every request (RFC 6750 §2.1)
// and lets the request through only on a clear yes: what the token stands for is then found with
// [TokenFrom]. Nothing is cached, so a revocation is seen by the next request. When Latchkey cannot
// be asked, the answer is 503, never a pass, and [Guard.ErrorLog] is told why.
//
// Import it as github.com/latchkey/latchkey/bearer. The scopes that an API requires are those of
// the server's configuration: Latchkey refuses to check any other, and the guard then lets nobody
// through.
//
// Not here: getting, refreshing or revoking tokens (golang.org/x/oauth2 does that), introspection
// (RFC 7662), tokens in a query or a form (RFC 6750 §2.2 and §2.3), which are not read, and CORS:
// what answers preflights, which bring no token, belongs around the guard.
package bearer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	defaultTimeout = 5 * time.Second
	maxBody        = 64 << 10
	maxToken       = 8 << 10
	retryAfter     = "5" // seconds
)

// Token is what Latchkey said about the access token of a request.
type Token struct {
	// AccountID is the account that the token acts for. For the grant type client_credentials it
	// is the account of the application's owner.
	AccountID string
	// ClientID is the application that was given the token.
	ClientID string
	// Scope lists what the token may do; it has at least the scopes that were required.
	Scope []string
	// GrantType is how the application got the token. "client_credentials" means that no person
	// approved: the application acts by itself, and an API that serves a person's data must be
	// able to tell the two apart (RFC 9700 §4.15).
	GrantType string
}

// Guard asks one check endpoint about tokens. It is safe for concurrent use.
type Guard struct {
	// ErrorLog gets a line for each request that is answered 503, unless its client has left, with
	// the cause: no connection, no answer in time, or the status of the check endpoint and what its
	// answer says, as for a scope that the server does not have. The API's client is not told what
	// it says: that is about the API and its server, a client cannot mend it, and what answered may
	// be a proxy or a firewall between the two, whose words are not for the public. Tokens are not
	// in the line. Nil stands for [slog.Default]. Set it before the guard is used.
	ErrorLog *slog.Logger

	checkURL string
	client   *http.Client
}

// New returns a guard that asks checkURL, which for a provider at https://id.example is
// https://id.example/irk/oauth/check. The URL is absolute, http or https, without user info, query
// or fragment; anything else is an error. Tokens travel to it, so it is https unless the network
// between is trusted (RFC 6750 §5.3).
//
// The client may be nil; it is copied. Without a Timeout it gets one of 5 seconds, and without a
// Transport that of the guard, which keeps connections for many requests at once, gives up those in
// HTTP/2 that have gone silent for ten seconds, and uses no proxy of the environment (HTTP_PROXY,
// HTTPS_PROXY): where one is needed, give a Transport that has it. When an answer did not come in
// time, the idle connections of the Transport are closed.
// The cookie jar is not used, and redirects are not followed. So tokens go to checkURL alone, unless
// a Transport of your own sends them elsewhere.
func New(checkURL string, client *http.Client) (*Guard, error) {
	u, err := url.Parse(checkURL)
	if err != nil {
		return nil, errors.New("bearer: the check URL cannot be parsed")
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, errors.New("bearer: the check URL must be absolute, http or https")
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(checkURL, "#") {
		return nil, errors.New("bearer: the check URL must have no user info, query or fragment")
	}

	var c http.Client
	if client != nil {
		c = *client
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Guard{checkURL: u.String(), client: &c}, nil
}

// newTransport keeps more idle connections to its one host than the default of two, and sends
// tokens through no proxy. A program that put something else into http.DefaultTransport gets that.
func newTransport() http.RoundTripper {
	standard, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t := standard.Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 64
	t.MaxResponseHeaderBytes = maxBody
	if t.HTTP2 == nil {
		// A connection on which nothing arrives any more would be used for minutes: a request that
		// is not answered does not end it.
		t.HTTP2 = &http.HTTP2Config{SendPingTimeout: defaultTimeout, PingTimeout: defaultTimeout}
	}
	return t
}

// Require returns middleware that lets a request through when its access token is alive and has all
// the given scopes. It panics when one of them is not a scope token (RFC 6749 §3.3), for instance
// empty or two joined by a space.
//
// Every other request is answered here, with Cache-Control: no-store:
//
//   - 401 with a challenge that names the scopes and no error code when there is no bearer token
//     (RFC 6750 §3.1); Latchkey is not asked;
//   - 401 invalid_token when the token has characters that no token has (RFC 6750 §2.1);
//   - 400 invalid_request when there are several Authorization headers;
//   - 401 or 403 as Latchkey answered: status, WWW-Authenticate and JSON body;
//   - 503 temporarily_unavailable with Retry-After when Latchkey cannot be reached or answers
//     anything else, such as 400 for a scope that the server is not configured with; the cause goes
//     to [Guard.ErrorLog].
//
// Latchkey is sent the token and the scopes, nothing else of the request, and the request is handed
// on unchanged but for its context.
func (g *Guard) Require(scope string, more ...string) func(http.Handler) http.Handler {
	scopes := append([]string{scope}, more...)
	for _, s := range scopes {
		if !isScopeToken(s) {
			panic(fmt.Sprintf("bearer: %q is not a scope token", s))
		}
	}
	list := strings.Join(scopes, " ")
	checkURL := g.checkURL + "?" + strings.ReplaceAll(url.Values{"scope": {list}}.Encode(), "+", "%20")

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			headers := r.Header.Values("Authorization")
			if len(headers) > 1 {
				answer(w, http.StatusBadRequest, "invalid_request", "Send one Authorization header.")
				return
			}
			credentials, ok := readBearer(headers)
			if !ok {
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer scope="%s"`, list))
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if !isToken(credentials) {
				const description = "The access token is malformed."
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(
					`Bearer error="invalid_token", error_description="%s", scope="%s"`, description, list))
				answer(w, http.StatusUnauthorized, "invalid_token", description)
				return
			}

			token, refusal := g.check(r.Context(), checkURL, credentials, scopes)
			if refusal != nil {
				g.report(r.Context(), refusal, list)
				refusal.write(w)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
		})
	}
}

// TokenFrom returns the token of a request that [Guard.Require] let through; ok is false for the
// context of any other request.
func TokenFrom(ctx context.Context) (token Token, ok bool) {
	token, ok = ctx.Value(tokenKey{}).(Token)
	return token, ok
}

type tokenKey struct{}

// readBearer returns the credentials of the Bearer scheme, whose name has no case (RFC 9110 §11.1).
func readBearer(headers []string) (credentials string, ok bool) {
	if len(headers) == 0 {
		return "", false
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	credentials = strings.Trim(rest, " ")
	return credentials, strings.EqualFold(scheme, "Bearer") && credentials != ""
}

// isToken says whether s is a b64token (RFC 6750 §2.1) of a sensible length.
func isToken(s string) bool {
	body := strings.TrimRight(s, "=")
	return body != "" && len(s) <= maxToken && !strings.ContainsFunc(body, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && !strings.ContainsRune("-._~+/", c)
	})
}

// isScopeToken says whether s is a scope-token (RFC 6749 §3.3).
func isScopeToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c < 0x21 || c > 0x7e || c == '"' || c == '\\'
	})
}

// check asks Latchkey. It returns the token, or the refusal to send instead.
func (g *Guard) check(ctx context.Context, checkURL, credentials string, scopes []string) (Token, *refusal) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, checkURL, nil)
	if err != nil {
		return Token{}, unavailable("The authorization server could not be asked.", err)
	}
	req.Header.Set("Authorization", "Bearer "+credentials)
	req.Header.Set("Accept", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		var failure *url.Error
		if errors.As(err, &failure) && failure.Timeout() {
			// Those that are kept may lead to the same machine, which says nothing any more.
			g.client.CloseIdleConnections()
		}
		return Token{}, unavailable("The authorization server could not be reached.", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("the answer has more than %d bytes", maxBody)
	}
	if err != nil {
		return Token{}, unavailable("The authorization server's answer could not be read.", err)
	}

	switch resp.StatusCode {
	case http.StatusOK:
		if token, ok := readToken(resp.Header, scopes); ok {
			return token, nil
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		challenge := resp.Header.Values("WWW-Authenticate")
		if isRefusal(challenge, body) {
			return Token{}, &refusal{status: resp.StatusCode, challenge: challenge, body: body}
		}
	}
	return Token{}, unavailable(fmt.Sprintf(
		"The authorization server's answer to the check, status %d, is not understood.", resp.StatusCode), whatWasSaid(resp.StatusCode, body))
}

// whatWasSaid is an answer that decides nothing, as its error (RFC 6749 §5.2) tells.
func whatWasSaid(status int, body []byte) error {
	e, ok := readError(body)
	if !ok {
		return fmt.Errorf("the check was answered with status %d", status)
	}
	return fmt.Errorf("the check was answered with status %d: %s: %s", status, e.Error, e.Description)
}

// report tells why a request is answered 503, unless its client has left. A deadline that the
// API set is no reason for silence: Latchkey may be slow.
func (g *Guard) report(ctx context.Context, f *refusal, scope string) {
	if f.cause == nil || errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	log := g.ErrorLog
	if log == nil {
		log = slog.Default()
	}
	log.ErrorContext(ctx, "bearer: an access token could not be checked", "cause", f.cause, "scope", scope)
}

// readToken believes a 200 only when it says everything and covers the scopes: a page that a proxy
// puts in Latchkey's place lets nobody in.
func readToken(h http.Header, scopes []string) (Token, bool) {
	values := make([]string, 0, 4)
	for _, name := range []string{"X-Account-Id", "X-Client-Id", "X-Scope", "X-Grant-Type"} {
		if v := h.Values(name); len(v) == 1 && v[0] != "" {
			values = append(values, v[0])
		}
	}
	if len(values) != 4 {
		return Token{}, false
	}
	token := Token{AccountID: values[0], ClientID: values[1], Scope: strings.Fields(values[2]), GrantType: values[3]}
	for _, s := range scopes {
		if !slices.Contains(token.Scope, s) {
			return Token{}, false
		}
	}
	return token, true
}

// isRefusal tells Latchkey's own 401 or 403 (RFC 6750 §3) from one of something in between.
func isRefusal(challenge []string, body []byte) bool {
	bearer := slices.ContainsFunc(challenge, func(c string) bool {
		scheme, _, _ := strings.Cut(c, " ")
		return strings.EqualFold(scheme, "Bearer")
	})
	_, ok := readError(body)
	return bearer && ok
}
