package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	callTimeout = 10 * time.Second
	maxBody     = 64 << 10
)

// metadata is what this application uses of the authorization server's metadata (RFC 8414 §2),
// with two endpoints that are Latchkey's own.
type metadata struct {
	Issuer      string `json:"issuer"`
	Authorize   string `json:"authorization_endpoint"`
	Token       string `json:"token_endpoint"`
	Revocation  string `json:"revocation_endpoint"`
	Me          string `json:"latchkey_me_endpoint"`
	Check       string `json:"latchkey_check_endpoint"`
	IssInAnswer bool   `json:"authorization_response_iss_parameter_supported"`
}

// provider makes the calls.
type provider struct {
	issuer string
	client *http.Client
	known  atomic.Pointer[metadata]
}

func newProvider(issuer string) *provider {
	return &provider{issuer: issuer, client: &http.Client{
		Timeout: callTimeout,
		// Credentials go to the endpoint that was asked, nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// metadata reads the endpoints at first use; a failure is not remembered.
func (p *provider) metadata(ctx context.Context) (*metadata, error) {
	if known := p.known.Load(); known != nil {
		return known, nil
	}
	a := p.get(ctx, strings.TrimSuffix(p.issuer, "/")+"/.well-known/oauth-authorization-server", "")
	if a.err != nil {
		return nil, a.err
	}
	var found metadata
	if a.status != http.StatusOK || json.Unmarshal(a.body, &found) != nil ||
		slices.Contains([]string{found.Authorize, found.Token, found.Revocation, found.Me, found.Check}, "") {
		return nil, errors.New("the provider's metadata is incomplete")
	}
	// RFC 8414 §3.3: metadata of another issuer must not be used.
	if found.Issuer != p.issuer {
		return nil, errors.New("the provider's metadata names another issuer")
	}
	p.known.Store(&found)
	return &found, nil
}

// answer is what came back of one call, with the exchange as the page shows it.
type answer struct {
	status   int
	body     []byte
	err      error // the provider was not reached or not understood
	exchange exchange
}

func (a answer) ok() bool { return a.err == nil && a.status == http.StatusOK }

// failure returns the error code and description of an answer that is not ok.
func (a answer) failure() (code, description string) {
	if a.err != nil {
		return "no answer", a.err.Error()
	}
	var object struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(a.body, &object) != nil || object.Error == "" {
		return fmt.Sprintf("status %d", a.status), ""
	}
	return object.Error, object.Description
}

// get calls with a bearer token (RFC 6750 §2.1), or with none when it is empty.
func (p *provider) get(ctx context.Context, url, accessToken string) answer {
	shown := ""
	header := http.Header{}
	if accessToken != "" {
		header.Set("Authorization", "Bearer "+accessToken)
		shown = "Authorization: Bearer " + shorten(accessToken)
	}
	return p.send(ctx, http.MethodGet, url, header, nil, shown)
}

// post sends an object of strings as JSON.
func (p *provider) post(ctx context.Context, url string, object map[string]string) answer {
	body, err := json.Marshal(object)
	if err != nil {
		return answer{err: err}
	}
	header := http.Header{"Content-Type": {"application/json"}}
	return p.send(ctx, http.MethodPost, url, header, body, "Content-Type: application/json\n\n"+pretty(body))
}

func (p *provider) send(ctx context.Context, method, target string, header http.Header, body []byte, shown string) answer {
	a := answer{exchange: exchange{Method: method, URL: target, Request: shown, Status: "no answer", Failed: true}}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		a.err = errors.New("the provider's URL cannot be used")
		return a
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		a.err = fmt.Errorf("the provider could not be reached: %w", err)
		return a
	}
	defer resp.Body.Close()
	a.status = resp.StatusCode
	a.exchange.Status = strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
	a.exchange.Failed = resp.StatusCode >= http.StatusBadRequest
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil || len(a.body) > maxBody {
		a.body, a.err = nil, errors.New("the provider's answer could not be read")
		return a
	}
	a.exchange.Answer = pretty(a.body)
	a.exchange.Challenge = resp.Header.Get("WWW-Authenticate")
	return a
}

// readToken reads an answer of the token endpoint (RFC 6749 §5.1); requested is the scope when the
// answer names none.
func readToken(a answer, grantType, requested string) (token, bool) {
	var object struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"`
		RefreshToken string `json:"refresh_token"`
		Scope        string `json:"scope"`
	}
	if !a.ok() || json.Unmarshal(a.body, &object) != nil ||
		object.AccessToken == "" || !strings.EqualFold(object.TokenType, "Bearer") {
		return token{}, false
	}
	if object.Scope == "" {
		object.Scope = requested
	}
	return token{
		access: object.AccessToken, refresh: object.RefreshToken, scope: object.Scope, grantType: grantType,
		expires: time.Now().Add(time.Duration(object.ExpiresIn) * time.Second),
	}, true
}
