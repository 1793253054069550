package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// start clears what the action before left to show.
func (c *connection) start() {
	c.problem, c.note, c.exchanges = "", "", nil
}

func (c *connection) fail(got answer) {
	code, description := got.failure()
	if got.ok() {
		code, description = "no token", "The provider answered 200 without a bearer token."
	}
	c.problem, c.note = "Error: "+code, description
}

// call asks the API who the account is.
func (a *app) call(ctx context.Context, c *connection, meta *metadata) {
	got := a.provider.get(ctx, meta.Me, c.token.access)
	c.show(got)
	if !got.ok() {
		c.fail(got)
		return
	}
	var object struct {
		User struct {
			Name     string `json:"name"`
			Username string `json:"username"`
		} `json:"user"`
	}
	if json.Unmarshal(got.body, &object) != nil {
		c.problem = "Error: the answer is not understood"
		return
	}
	if c.name = object.User.Name; c.name == "" {
		c.name = object.User.Username
	}
}

// callWithoutScope asks for what the token may not do; a 403 is the expected answer (RFC 6750 §3.1).
func (a *app) callWithoutScope(ctx context.Context, c *connection, meta *metadata) {
	query := strings.ReplaceAll(url.Values{"scope": {a.config.MissingScope}}.Encode(), "+", "%20")
	got := a.provider.get(ctx, meta.Check+"?"+query, c.token.access)
	c.show(got)
	code, _ := got.failure()
	switch {
	case got.status == http.StatusForbidden && code == "insufficient_scope":
		c.note = "As expected: 403 insufficient_scope. The token may do “" + c.token.scope +
			"”, and this call needs “" + a.config.MissingScope + "”."
	case got.ok():
		c.note = "The call worked: this token has the scope “" + a.config.MissingScope + "”."
	default:
		c.fail(got)
	}
}

// refresh gets the next generation of tokens (RFC 6749 §6).
func (a *app) refresh(ctx context.Context, c *connection, meta *metadata) {
	if c.token.refresh == "" {
		c.note = "This token came without a refresh token: ask for a new one instead."
		return
	}
	got := a.provider.post(ctx, meta.Token, a.withCredentials(map[string]string{
		"grant_type":    "refresh_token",
		"refresh_token": c.token.refresh,
	}))
	c.exchanges = append(c.exchanges, got.exchange)
	next, ok := readToken(got, c.token.grantType, c.token.scope)
	if !ok {
		c.fail(got)
		return
	}
	if next.refresh == "" {
		next.refresh = c.token.refresh
	}
	c.token, c.revoked = next, false
	c.note = "Refreshed: both tokens are new, and the refresh token before has been used up."
}

// revoke ends the whole authorization (RFC 7009 §2.1). The dead tokens are kept, to show that they
// are dead.
func (a *app) revoke(ctx context.Context, c *connection, meta *metadata) {
	sent := c.token.refresh
	if sent == "" {
		sent = c.token.access
	}
	got := a.provider.post(ctx, meta.Revocation, a.withCredentials(map[string]string{"token": sent}))
	c.exchanges = append(c.exchanges, got.exchange)
	if !got.ok() {
		c.fail(got)
		return
	}
	c.revoked = true
	c.note = "Every token of this authorization is dead. “Call the API” shows what that looks like."
}

// show keeps an API answer for the page.
func (c *connection) show(got answer) {
	c.exchanges = append(c.exchanges, got.exchange)
	c.answer = got.exchange.whole()
}
