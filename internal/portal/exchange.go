package portal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/signin"
)

// exchange is a request of a trial as it is shown, and what was answered.
type exchange struct {
	request string
	answer  answer
}

// callAs sends a token or a revocation request for somebody who tries an application.
func (p *Portal) callAs(r *http.Request, a oauth.Application, person *signin.Person, target string, body []oauth.Parameter) (exchange, error) {
	trial, err := p.Grants.Try(r.Context(), a, person.Account.ID, p.trialCallback(a))
	if err != nil {
		return exchange{}, err
	}
	form := url.Values{}
	for _, one := range body {
		form.Set(one.Name, one.Value)
	}
	q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return exchange{}, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return exchange{p.requestOf(a, target, body), record(p.Protocol.Trial(trial), q, r.RemoteAddr)}, nil
}

// callAPI asks the API who the account is.
func (p *Portal) callAPI(r *http.Request, token string) (exchange, error) {
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, p.Me, nil)
	if err != nil {
		return exchange{}, err
	}
	q.Header.Set("Authorization", "Bearer "+token)
	return exchange{startText(http.MethodGet, p.Me) + "Authorization: Bearer " + token + "\n", record(p.Protocol.Me, q, r.RemoteAddr)}, nil
}

// requestOf is a request to an endpoint as a program would send it, with credentials.
func (p *Portal) requestOf(a oauth.Application, target string, body []oauth.Parameter) string {
	text := startText(http.MethodPost, target)
	if a.Public {
		body = append(body[:len(body):len(body)], oauth.Parameter{Name: "client_id", Value: a.ClientID})
	} else {
		text += "Authorization: Basic base64(" + a.ClientID + ":$CLIENT_SECRET)\n"
	}
	return text + "Content-Type: application/x-www-form-urlencoded\n\n" + lines("", body)
}

// getText is a request with everything in its query.
func getText(target string, query []oauth.Parameter) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("GET %s\n%s HTTP/1.1\nHost: %s\n", u.Path, lines("?", query), u.Host)
}

func startText(method, target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %s HTTP/1.1\nHost: %s\n", method, u.Path, u.Host)
}

// lines writes parameters below each other, so that they can be read.
func lines(first string, parameters []oauth.Parameter) string {
	var all []string
	for _, one := range parameters {
		if one.Value != "" {
			all = append(all, strings.TrimPrefix(oauth.AddToRedirectURI("", one), "?"))
		}
	}
	return "  " + first + strings.Join(all, "\n  &")
}

// answer records what a handler answers.
type answer struct {
	header http.Header
	status int
	body   *bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// record lets a handler of this server answer a request that no network carries.
func record(h http.Handler, q *http.Request, from string) answer {
	a := answer{header: http.Header{}, status: http.StatusOK, body: &bytes.Buffer{}}
	q.RemoteAddr = from
	h.ServeHTTP(&a, q)
	return a
}

// text is the answer as it is shown: what of the headers matters, and the body, indented.
func (a answer) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\n", a.status, http.StatusText(a.status))
	for _, name := range []string{"Content-Type", "Cache-Control", "Www-Authenticate", "Retry-After"} {
		if value := a.header.Get(name); value != "" {
			fmt.Fprintf(&b, "%s: %s\n", strings.Replace(name, "Www", "WWW", 1), value)
		}
	}
	return b.String() + "\n" + indented(a.body.String()) + "\n"
}

// tokens are those that the answer gives, empty where it gives none.
func (a answer) tokens() (given struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}) {
	// An answer that is no JSON object gives none.
	_ = json.Unmarshal(a.body.Bytes(), &given)
	return given
}
