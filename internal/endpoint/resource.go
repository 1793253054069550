package endpoint

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/usage"
)

// bearer finds the access token of a request (RFC 6750 §2.1) and what it stands for.
func (e *Endpoints) bearer(r *http.Request, scope oauth.Scope) (grant.Access, error) {
	headers := r.Header["Authorization"]
	if len(headers) > 1 {
		return grant.Access{}, oauth.NewError(oauth.InvalidRequest, "there are several Authorization headers")
	}
	token, ok := bearerToken(r)
	if !ok {
		return grant.Access{}, oauth.NewError(oauth.InvalidToken, "send an access token in the header Authorization: Bearer")
	}
	access, err := e.grants.Access(r.Context(), token)
	if err != nil {
		return grant.Access{}, err
	}
	if err := access.Require(scope); err != nil {
		e.meter.Called(access.Application.ID, access.Person())
		return access, &refused{usage.Attempt{Application: *access.Application, Proven: true, Scope: scope, Held: access.Scope}, err}
	}
	e.called(access, scope, r.RemoteAddr)
	return access, nil
}

// called counts that an API let an application act, with a scope of an account where it
// told. remoteAddr is where the application called from, empty where that is not known.
func (e *Endpoints) called(access grant.Access, scope oauth.Scope, remoteAddr string) {
	person := access.Person()
	e.meter.Called(access.Application.ID, person)
	if !person.IsZero() {
		e.meter.Used(oauth.Connection{AccountID: person, ApplicationID: access.Application.ID}, scope, remoteAddr)
	}
}

func bearerToken(r *http.Request) (string, bool) {
	return oauth.CutScheme(r.Header.Get("Authorization"), "Bearer")
}

// bearerChallenge is the WWW-Authenticate header of an error (RFC 6750 §3). A
// request that brought no token is told no error code (§3.1).
func bearerChallenge(r *http.Request, err *oauth.Error) string {
	switch err.Code {
	case oauth.InvalidToken:
		if _, sent := bearerToken(r); !sent {
			return `Bearer realm="latchkey"`
		}
		return fmt.Sprintf(`Bearer realm="latchkey", error="%s", error_description="%s"`, err.Code.Wire, err.Description)
	case oauth.InsufficientScope:
		return fmt.Sprintf(`Bearer realm="latchkey", error="%s", error_description="%s", scope="%s"`, err.Code.Wire, err.Description, err.Scope)
	}
	return ""
}

// Me is the API's first resource: who the access token's account is.
func (e *Endpoints) Me() http.Handler {
	return e.serve(rules{place: "me", method: http.MethodGet, open: true}, func(w http.ResponseWriter, r *http.Request) error {
		access, err := e.bearer(r, oauth.ProfileScope)
		if err != nil {
			return err
		}
		a, err := e.grants.Account(r.Context(), access)
		if err != nil {
			return err
		}
		body := meBody{User: user{
			ID: a.ID.String(), Username: a.Username, Name: a.Name, Email: a.Email, CreatedAt: a.CreatedAt.Format(time.RFC3339),
		}}
		if a.AvatarURL != "" {
			if a.Picture() != "" {
				a.AvatarURL = e.issuer + a.AvatarURL
			}
			body.User.AvatarURL = &a.AvatarURL
		}
		writeJSON(w, http.StatusOK, body)
		return nil
	})
}

type meBody struct {
	User user `json:"user"`
}

type user struct {
	ID        string  `json:"id"`
	Username  string  `json:"username"`
	Name      string  `json:"name"`
	Email     string  `json:"email"`
	AvatarURL *string `json:"avatar_url"`
	CreatedAt string  `json:"created_at"`
}

// Check lets a gateway ask whether a request may pass: the access token of the
// Authorization header must have every scope of the query. The answer is in
// headers, which gateways can hand on.
func (e *Endpoints) Check() http.Handler {
	return e.serve(rules{place: "check", method: http.MethodGet}, func(w http.ResponseWriter, r *http.Request) error {
		scope, err := e.checkedScope(r)
		if err != nil {
			return err
		}
		access, err := e.bearer(r, scope)
		if err != nil {
			return err
		}
		h := w.Header()
		values := []string{access.AccountID.String(), access.Application.ClientID, string(access.Scope), string(access.GrantType)}
		for i, name := range [...]string{"X-Account-Id", "X-Client-Id", "X-Scope", "X-Grant-Type"} {
			h[name] = values[i : i+1 : i+1]
		}
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

// checkedScope reads the scope that a gateway demands. Forgetting it must not
// let everybody pass.
func (e *Endpoints) checkedScope(r *http.Request) (oauth.Scope, error) {
	// Most gateways ask for one scope, which needs no decoding.
	if name, one := strings.CutPrefix(r.URL.RawQuery, "scope="); one && !strings.ContainsAny(name, "%+&;") && e.grants.Configured().Has(name) {
		return oauth.ScopeOf(name), nil
	}
	p, err := oauth.ParseParameters(r.URL.RawQuery)
	if err != nil {
		return "", oauth.NewError(oauth.InvalidRequest, "%v", err)
	}
	if refusal := p.RefuseRepeated(); refusal != nil {
		return "", refusal
	}
	scope, refusal := oauth.ParseScope(p.Get("scope"))
	if refusal != nil {
		return "", oauth.NewError(oauth.InvalidRequest, "%s", refusal.Description)
	}
	if scope == "" {
		return "", oauth.NewError(oauth.InvalidRequest, "scope is missing: say in the query what the token must have, such as ?scope=profile")
	}
	if unknown := scope.Without(e.grants.Configured()); unknown != "" {
		return "", oauth.NewError(oauth.InvalidRequest, "unknown scope: %s; known are: %s", unknown, e.grants.Configured())
	}
	return scope, nil
}
