package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// connect sends the browser to the provider with a fresh state and PKCE challenge (RFC 7636 §4.2).
func (a *app) connect(w http.ResponseWriter, r *http.Request) {
	id, c := a.sessions.open(w, r)
	meta, err := a.provider.metadata(r.Context())
	if err != nil {
		c.start()
		c.problem = "Error: " + err.Error()
		a.finish(w, r, id, c)
		return
	}
	p := pending{state: random(), verifier: random()}
	challenge := sha256.Sum256([]byte(p.verifier))
	query := url.Values{
		"client_id":             {a.config.ClientID},
		"redirect_uri":          {a.config.redirectURI()},
		"response_type":         {"code"},
		"scope":                 {a.config.Scope},
		"state":                 {p.state},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	p.sent = browserStep(meta.Authorize, query)
	p.sent.Status = "the browser was sent there"
	a.sessions.begin(id, p)

	separator := "?"
	if strings.Contains(meta.Authorize, "?") {
		separator = "&"
	}
	target := meta.Authorize + separator + strings.ReplaceAll(query.Encode(), "+", "%20")
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// callback takes the authorization answer (RFC 6749 §4.1.2). Nothing of it is believed before state
// and iss are verified.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	id, c, _ := a.sessions.find(r)
	p, ok := a.sessions.redeem(id, query.Get("state"))
	if !ok {
		a.refuse(w, "Error: state does not match", "This answer belongs to no request that this browser "+
			"started here, so it was ignored and no code was exchanged (RFC 6749 §10.12). Connect again.")
		return
	}
	meta, err := a.provider.metadata(r.Context())
	if err != nil {
		c.start()
		c.problem = "Error: " + err.Error()
		a.finish(w, r, id, c)
		return
	}
	// RFC 9207 §2.4: a provider that announces iss and leaves it out is refused as well.
	if iss := query["iss"]; (len(iss) > 0 || meta.IssInAnswer) && (len(iss) != 1 || iss[0] != meta.Issuer) {
		a.refuse(w, "Error: iss does not match", "This answer comes from another provider than the one "+
			"that was asked, so it was ignored and no code was exchanged (RFC 9207 §2.4).")
		return
	}

	c.start()
	back := browserStep(a.config.redirectURI(), query)
	back.Status = "the browser came back"
	back.Failed = query.Has("error")
	c.exchanges = append(c.exchanges, p.sent, back)
	if code := query.Get("error"); code != "" {
		c.problem = "Error: " + code
		if code == "access_denied" {
			c.problem = "Refused: access_denied"
		}
		c.note = query.Get("error_description")
		a.finish(w, r, id, c)
		return
	}
	a.obtain(r.Context(), &c, meta, "authorization_code", map[string]string{
		"code":          query.Get("code"),
		"redirect_uri":  a.config.redirectURI(),
		"code_verifier": p.verifier,
	})
	a.finish(w, r, id, c)
}

// obtain asks the token endpoint for a token by a grant (RFC 6749 §4.1.3, §4.4.2), then calls me.
func (a *app) obtain(ctx context.Context, c *connection, meta *metadata, grantType string, parameters map[string]string) {
	parameters["grant_type"] = grantType
	got := a.provider.post(ctx, meta.Token, a.withCredentials(parameters))
	c.exchanges = append(c.exchanges, got.exchange)
	token, ok := readToken(got, grantType, a.config.Scope)
	if !ok {
		c.fail(got)
		return
	}
	// Nothing of an earlier token may be shown beside the new one.
	*c = connection{token: token, exchanges: c.exchanges}
	a.call(ctx, c, meta)
}

// clientCredentials gets a token for the developer's own account; it replaces the one there is.
func (a *app) clientCredentials(w http.ResponseWriter, r *http.Request) {
	id, c := a.sessions.open(w, r)
	c.start()
	meta, err := a.provider.metadata(r.Context())
	if err != nil {
		c.problem = "Error: " + err.Error()
	} else {
		a.obtain(r.Context(), &c, meta, "client_credentials", map[string]string{"scope": a.config.Scope})
	}
	a.finish(w, r, id, c)
}

func (a *app) withCredentials(parameters map[string]string) map[string]string {
	parameters["client_id"] = a.config.ClientID
	parameters["client_secret"] = a.config.ClientSecret
	return parameters
}

// withToken runs an action on a connection that has a token; without one there is nothing to do.
func (a *app) withToken(action func(context.Context, *connection, *metadata)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, c, ok := a.sessions.find(r)
		if !ok || c.token.access == "" {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		c.start()
		meta, err := a.provider.metadata(r.Context())
		if err != nil {
			c.problem = "Error: " + err.Error()
		} else {
			action(r.Context(), &c, meta)
		}
		a.finish(w, r, id, c)
	}
}

// finish keeps what an action did and shows it (303, so that a reload repeats nothing).
func (a *app) finish(w http.ResponseWriter, r *http.Request, id string, c connection) {
	a.sessions.save(id, c)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) forget(w http.ResponseWriter, r *http.Request) {
	if id, _, ok := a.sessions.find(r); ok {
		a.sessions.forget(w, id)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
