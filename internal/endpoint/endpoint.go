// Package endpoint is the protocol over HTTP for programs: token, revoke,
// introspect, check, the server's metadata and the API's me. A request is parsed
// once and an answer is written once; what it means is decided in internal/grant.
// Nothing here sets or reads a cookie.
package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/usage"
)

// Paths are where the protocol is found, below the issuer. None may be empty: see
// DefaultPaths.
type Paths struct {
	Authorize, Token, Revoke, Introspect, Check, Me string
}

// DefaultPaths are those of the contract.
func DefaultPaths() Paths {
	return Paths{
		Authorize:  "/auth/authorize",
		Token:      "/irk/oauth/token",
		Revoke:     "/irk/oauth/revoke",
		Introspect: "/irk/oauth/introspect",
		Check:      "/irk/oauth/check",
		Me:         "/irk/api/v1/me",
	}
}

// Metadata is where RFC 8414 §3 puts the server's metadata.
const Metadata = "/.well-known/oauth-authorization-server"

// Endpoints answers programs.
type Endpoints struct {
	grants *grant.Grants
	meter  *usage.Meter
	issuer string
	paths  Paths
	log    *slog.Logger
	// plain endpoints answer what came without TLS.
	plain bool
}

// New makes the endpoints of an issuer. The meter counts what they are asked.
func New(grants *grant.Grants, meter *usage.Meter, issuer string, paths Paths, log *slog.Logger) *Endpoints {
	return &Endpoints{grants: grants, meter: meter, issuer: issuer, paths: paths, log: log}
}

// WithoutTLS are the endpoints as they answer what came without TLS: with an error, before
// anything is read (RFC 6749 §3.2, RFC 6750 §5.3).
func (e *Endpoints) WithoutTLS() *Endpoints {
	refusing := *e
	refusing.plain = true
	return &refusing
}

// handler answers a request of the right method, or returns the error to answer with.
type handler func(http.ResponseWriter, *http.Request) error

// rules are what an endpoint does alike for every request.
type rules struct {
	// place is how the developers of applications know it, empty where they are told nothing.
	place  string
	method string
	// open lets pages of every origin call it, without credentials of the browser.
	open bool
}

func (e *Endpoints) serve(r rules, h handler) http.Handler {
	allowed := []string{r.method}
	if r.open {
		allowed = append(allowed, http.MethodOptions)
	}
	if r.method == http.MethodGet {
		allowed = append(allowed, http.MethodHead)
	}
	allow := strings.Join(allowed, ", ")
	type field struct {
		name   string
		values []string
	}
	common := []field{
		{"Cache-Control", []string{"no-store"}},
		{"Pragma", []string{"no-cache"}}, // RFC 6749 §5.1
		{"X-Content-Type-Options", []string{"nosniff"}},
	}
	if r.open {
		common = append(common, field{"Access-Control-Allow-Origin", []string{"*"}},
			field{"Access-Control-Expose-Headers", []string{"WWW-Authenticate, Retry-After"}})
	}
	if e.plain {
		h = func(http.ResponseWriter, *http.Request) error {
			return oauth.NewError(oauth.InvalidRequest, "this request came without TLS; send it to the https URL")
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		header := w.Header()
		for _, f := range common {
			header[f.name] = f.values
		}
		switch {
		case r.open && q.Method == http.MethodOptions:
			header.Set("Allow", allow)
			header.Set("Access-Control-Allow-Methods", allow)
			header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			header.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
		case !slices.Contains(allowed, q.Method):
			// Also OPTIONS where no page of another site may call: a gateway that
			// asks with its caller's method must not take a 204 for a yes.
			header.Set("Allow", allow)
			refused := oauth.NewError(oauth.InvalidRequest, "this endpoint is called with %s", r.method)
			writeJSON(w, http.StatusMethodNotAllowed, e.errorBody(refused))
		default:
			if err := h(w, q); err != nil {
				e.fail(w, q, r, err)
			}
		}
	})
}

// fail writes the one error answer of the protocol (RFC 6749 §5.2, RFC 6750 §3).
func (e *Endpoints) fail(w http.ResponseWriter, q *http.Request, r rules, err error) {
	known := oauth.ErrorOf(err)
	// A client that has left, or says no more and still listens, is nothing to mend. It is
	// answered all the same: an answer that nobody writes is a 200.
	if known.Cause != nil && !errors.Is(known.Cause, context.Canceled) {
		e.log.Error("request failed", "path", q.URL.Path, "code", known.Code.Wire, "cause", known.Cause)
	}
	header := w.Header()
	if challenge := bearerChallenge(q, known); challenge != "" {
		header.Set("WWW-Authenticate", challenge)
	}
	if known.RetryAfter > 0 {
		header.Set("Retry-After", oauth.RetryAfter(known.RetryAfter))
	}
	writeJSON(w, known.Code.Status, e.errorBody(known))
	e.note(q, r.place, err, known)
}

func (e *Endpoints) errorBody(err *oauth.Error) any {
	return struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		URI         string `json:"error_uri"`
	}{err.Code.Wire, err.Description, err.Code.Documentation(e.issuer)}
}

var applicationJSON = []string{"application/json"}

func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		// Every body is a struct of strings and numbers, so this is a mistake in this package.
		http.Error(w, "the answer could not be written", http.StatusInternalServerError)
		return
	}
	w.Header()["Content-Type"] = applicationJSON
	w.WriteHeader(status)
	// The client is gone if this fails, and nobody is left to tell.
	_, _ = w.Write(encoded)
}
