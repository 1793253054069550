package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Code is what went wrong. Its Wire value is what clients read; its status is
// decided here and nowhere else.
type Code struct {
	// Wire is the value of the error parameter.
	Wire string
	// Status is the HTTP status of an answer that carries the error itself, not a redirect.
	Status int
}

// Documentation is where an issuer tells what an error means (RFC 6749 §5.2, error_uri).
func (c Code) Documentation(issuer string) string { return issuer + "/docs/errors#" + c.Wire }

// The codes of RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1 and OpenID Connect
// Core §3.1.2.6, and what a server says about its own state.
var (
	InvalidRequest       = Code{"invalid_request", http.StatusBadRequest}
	InvalidClient        = Code{"invalid_client", http.StatusUnauthorized}
	InvalidGrant         = Code{"invalid_grant", http.StatusBadRequest}
	UnauthorizedClient   = Code{"unauthorized_client", http.StatusBadRequest}
	UnsupportedGrantType = Code{"unsupported_grant_type", http.StatusBadRequest}
	InvalidScope         = Code{"invalid_scope", http.StatusBadRequest}

	AccessDenied            = Code{"access_denied", http.StatusForbidden}
	UnsupportedResponseType = Code{"unsupported_response_type", http.StatusBadRequest}
	LoginRequired           = Code{"login_required", http.StatusBadRequest}
	ConsentRequired         = Code{"consent_required", http.StatusBadRequest}

	InvalidToken      = Code{"invalid_token", http.StatusUnauthorized}
	InsufficientScope = Code{"insufficient_scope", http.StatusForbidden}

	ServerError     = Code{"server_error", http.StatusInternalServerError}
	Unavailable     = Code{"temporarily_unavailable", http.StatusServiceUnavailable}
	TooManyRequests = Code{"temporarily_unavailable", http.StatusTooManyRequests}
	TooLarge        = Code{"invalid_request", http.StatusRequestEntityTooLarge}
)

// Error is the one error type of the protocol. Those that others tell apart are variables,
// which nobody changes.
type Error struct {
	Code Code
	// Description tells the developer what to mend. It is public: no secrets.
	Description string
	// Scope is what an access token would need, with InsufficientScope.
	Scope Scope
	// Ended tells that the event ended its authorization instead of doing what was
	// asked: somebody may hold what is not theirs.
	Ended bool
	// RetryAfter is set where waiting helps.
	RetryAfter time.Duration
	// Cause is private: it is logged, never sent.
	Cause error
}

// NewError makes an error whose description is formatted and kept to the
// characters that RFC 6749 §5.2 allows.
func NewError(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Description: describable(fmt.Sprintf(format, args...))}
}

// ended marks an error that comes with the end of its authorization.
func (e *Error) ended() *Error {
	e.Ended = true
	return e
}

// ErrorOf is the error that is answered for err: itself where it is one of the
// protocol, otherwise one whose cause is private.
func ErrorOf(err error) *Error {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: Unavailable, Description: "The server is busy. Try again in a few seconds.", RetryAfter: 2 * time.Second, Cause: err}
	}
	return Internal(err)
}

// Internal wraps a cause that nobody outside should see.
func Internal(cause error) *Error {
	return &Error{Code: ServerError, Description: "The server could not answer. Try again later.", Cause: cause}
}

// RetryAfter is the value of the header of this name for a time to wait: whole seconds,
// none too few.
func RetryAfter(wait time.Duration) string {
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

// Error is for logs: the code, the description and the cause.
func (e *Error) Error() string {
	s := e.Code.Wire + ": " + e.Description
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// maxDescription bounds what a description repeats of its input.
const maxDescription = 400

// describable keeps to %x20-21 / %x23-5B / %x5D-7E.
func describable(s string) string {
	if len(s) > maxDescription {
		s = s[:maxDescription] + "..."
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < 0x20 || r > 0x7e:
			return '?'
		}
		return r
	}, s)
}
