package endpoint

import (
	"net/http"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Token answers token requests (RFC 6749 §3.2). Every grant goes through the
// same three steps, so none can forget one.
func (e *Endpoints) Token() http.Handler {
	return e.serve(rules{place: "token", method: http.MethodPost, open: true}, func(w http.ResponseWriter, r *http.Request) error {
		client, p, err := e.client(w, r)
		if err != nil {
			return err
		}
		tokens, err := e.grantTokens(r, client, p)
		if err != nil {
			return e.proven(client, p, err)
		}
		writeTokens(w, tokens)
		return nil
	})
}

func writeTokens(w http.ResponseWriter, tokens grant.Tokens) {
	writeJSON(w, http.StatusOK, tokenBody{
		AccessToken: tokens.AccessToken, TokenType: "Bearer", ExpiresIn: tokens.ExpiresIn,
		RefreshToken: tokens.RefreshToken, Scope: string(tokens.Scope), CreatedAt: tokens.CreatedAt.Unix(),
	})
}

type tokenBody struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	CreatedAt    int64  `json:"created_at"`
}

func (e *Endpoints) grantTokens(r *http.Request, c grant.Client, p oauth.Parameters) (grant.Tokens, error) {
	switch grantType := p.Get("grant_type"); grantType {
	case "authorization_code":
		return e.grants.Redeem(r.Context(), c, codeRequest(r, p))
	case "refresh_token":
		return e.grants.Refresh(r.Context(), c, refreshRequest(r, p))
	case "client_credentials":
		return e.grants.ClientCredentials(r.Context(), c, p.Get("scope"))
	case "":
		return grant.Tokens{}, oauth.NewError(oauth.InvalidRequest, "grant_type is missing")
	}
	return grant.Tokens{}, oauth.NewError(oauth.UnsupportedGrantType, "grant_type must be authorization_code, refresh_token or client_credentials")
}

func codeRequest(r *http.Request, p oauth.Parameters) grant.CodeRequest {
	return grant.CodeRequest{
		Code: p.Get("code"), RedirectURI: p.Get("redirect_uri"), Verifier: p.Get("code_verifier"), Address: throttle.Client(r.RemoteAddr),
	}
}

func refreshRequest(r *http.Request, p oauth.Parameters) grant.RefreshRequest {
	return grant.RefreshRequest{RefreshToken: p.Get("refresh_token"), Scope: p.Get("scope"), Address: throttle.Client(r.RemoteAddr)}
}

// Revoke ends the authorization of a token (RFC 7009). The hint about its type
// is not needed: every token names its authorization.
func (e *Endpoints) Revoke() http.Handler {
	return e.serve(rules{place: "revoke", method: http.MethodPost, open: true}, func(w http.ResponseWriter, r *http.Request) error {
		client, p, err := e.client(w, r)
		if err != nil {
			return err
		}
		if err := e.grants.RevokeToken(r.Context(), client, p.Get("token"), throttle.Client(r.RemoteAddr)); err != nil {
			return e.proven(client, p, err)
		}
		writeJSON(w, http.StatusOK, struct{}{})
		return nil
	})
}

// Introspect tells applications about access tokens (RFC 7662).
func (e *Endpoints) Introspect() http.Handler {
	return e.serve(rules{place: "introspect", method: http.MethodPost}, func(w http.ResponseWriter, r *http.Request) error {
		client, p, err := e.client(w, r)
		if err != nil {
			return err
		}
		access, active, err := e.grants.Introspect(r.Context(), client, p.Get("token"))
		if err != nil {
			return e.proven(client, p, err)
		}
		body := introspection{Active: active}
		if active {
			// Which scope the API is about, it does not say, nor from where it was called.
			e.called(access, "", "")
			account, err := e.grants.Account(r.Context(), access)
			if err != nil {
				return err
			}
			body = introspection{
				Active: true, Scope: string(access.Scope), ClientID: access.Application.ClientID,
				Username: account.Username, Subject: account.ID.String(), TokenType: "Bearer",
				GrantType: string(access.GrantType), ExpiresAt: access.Token.ExpiresAt.Unix(), IssuedAt: access.Token.IssuedAt.Unix(),
			}
		}
		writeJSON(w, http.StatusOK, body)
		return nil
	})
}

// introspection leaves out all but active of what is not.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Username  string `json:"username,omitempty"`
	Subject   string `json:"sub,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	GrantType string `json:"grant_type,omitempty"`
	ExpiresAt int64  `json:"exp,omitempty"`
	IssuedAt  int64  `json:"iat,omitempty"`
}
