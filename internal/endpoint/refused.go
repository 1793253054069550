package endpoint

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/usage"
)

// refused is an error with what the developers of the application may be told of the
// request. What programs are answered is the error alone.
type refused struct {
	attempt usage.Attempt
	err     error
}

// Error is what the error says.
func (r *refused) Error() string { return r.err.Error() }

// Unwrap is the error.
func (r *refused) Unwrap() error { return r.err }

// proven is about a request of an application that has proved who it is.
func (e *Endpoints) proven(c grant.Client, p oauth.Parameters, err error) error {
	return &refused{usage.Attempt{Application: c.Application(), Proven: true, Parameters: p}, err}
}

// unproven is about a request of an application that could not prove who it is.
func (e *Endpoints) unproven(r *http.Request, p oauth.Parameters, body []byte, c grant.Credentials, err error) error {
	var known *grant.Refused
	switch {
	case errors.As(err, &known):
		return &refused{usage.Attempt{Application: known.Application, Parameters: p, LooksJSON: looksJSON(body), Secret: c.Secret}, err}
	case c.ClientID == "":
		return e.claimed(r, p, body, err)
	}
	return err
}

// claimed is about a request that came not so far as to prove anything: its application is
// the one that it names.
func (e *Endpoints) claimed(r *http.Request, p oauth.Parameters, body []byte, err error) error {
	if body == nil && oauth.ErrorOf(err).Code != oauth.TooLarge && r.Header.Get("Expect") == "" {
		// Nobody has read it, because of its type; the server would, before it answers.
		// What cannot be read leaves it short.
		body, _ = io.ReadAll(io.LimitReader(r.Body, maxBody))
	}
	// What cannot be read names none.
	inBasic, _, _ := oauth.ParseBasic(r.Header.Get("Authorization"))
	inJSON, _ := oauth.ParseJSONParameters(body)
	inForm, _ := oauth.ParseParameters(string(body))
	for _, clientID := range []string{inBasic, p.Get("client_id"), inJSON.Get("client_id"), inForm.Get("client_id")} {
		if a, known := e.grants.Claimed(r.Context(), clientID); known {
			return &refused{usage.Attempt{Application: a, Parameters: p, LooksJSON: looksJSON(body), Unreadable: p.Encode() == ""}, err}
		}
	}
	return err
}

func looksJSON(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) }

// note writes a refused request down for the developers of its application, where that is
// known. What failed through no fault of theirs is left out, and what one of them sends by
// hand and is answered on a page: it has no place.
func (e *Endpoints) note(q *http.Request, place string, err error, told *oauth.Error) {
	if place == "" || told.Cause != nil || told.Code == oauth.ServerError || told.Code == oauth.Unavailable {
		return
	}
	var a usage.Attempt
	var here *refused
	if errors.As(err, &here) {
		a = here.attempt
	}
	var known *grant.Refused
	if errors.As(err, &known) {
		a.Application, a.Authorization, a.Presented = known.Application, known.Authorization, known.Presented
		a.Proven = a.Proven || place == "check" || place == "me"
	}
	if a.Application.ID.IsZero() {
		return
	}
	a.Place, a.RemoteAddr, a.Catalogue = place, q.RemoteAddr, e.grants.Catalogue()
	a.ContentType, a.Encoded = mediaTypeOf(q), encoded(q)
	header := q.Header.Get("Authorization")
	_, _, basic := oauth.ParseBasic(header)
	a.NotBasic = header != "" && !basic
	e.meter.Refused(a, told)
}
