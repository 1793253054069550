package endpoint

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
)

// maxBody is the size of a request body in bytes.
const maxBody = 64 << 10

// readParameters reads the body, form or JSON, which it also returns. The query is never looked at:
// what stands in URLs ends in logs.
func readParameters(w http.ResponseWriter, r *http.Request) (oauth.Parameters, []byte, error) {
	var none oauth.Parameters
	if len(r.Header["Content-Type"]) > 1 {
		return none, nil, oauth.NewError(oauth.InvalidRequest, "there are several Content-Type headers")
	}
	if encoded(r) {
		return none, nil, oauth.NewError(oauth.InvalidRequest, "Content-Encoding is not accepted; send the body as it is")
	}
	var parse func([]byte) (oauth.Parameters, error)
	switch mediaTypeOf(r) {
	case typeForm:
		parse = func(b []byte) (oauth.Parameters, error) { return oauth.ParseParameters(string(b)) }
	case typeJSON:
		parse = oauth.ParseJSONParameters
	default:
		return none, nil, oauth.NewError(oauth.InvalidRequest, "Content-Type must be application/x-www-form-urlencoded or application/json")
	}
	body, err := readBody(w, r)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return none, nil, oauth.NewError(oauth.TooLarge, "the body is larger than %d bytes", maxBody)
	case err != nil:
		return none, nil, oauth.NewError(oauth.InvalidRequest, "the body could not be read to its end")
	}
	p, err := parse(body)
	if err != nil {
		return none, body, oauth.NewError(oauth.InvalidRequest, "%v", err)
	}
	if refusal := p.RefuseRepeated(); refusal != nil {
		return p, body, refusal
	}
	return p, body, nil
}

const (
	typeForm = "application/x-www-form-urlencoded"
	typeJSON = "application/json"
)

// mediaTypeOf is the Content-Type of a request without its parameters, of which none means
// anything here and some clients write what is none.
func mediaTypeOf(r *http.Request) string {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// encoded reports whether the body is something else than its Content-Type says, such as gzip
// of it.
func encoded(r *http.Request) bool {
	for _, coding := range r.Header["Content-Encoding"] {
		if coding != "" && !strings.EqualFold(coding, "identity") {
			return true
		}
	}
	return false
}

// readBody makes room for what the request announces, within the limit. Who announces more
// is told before anything is read, which a client may wait for (RFC 9110 §10.1.1).
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	switch {
	case r.ContentLength > maxBody:
		return nil, &http.MaxBytesError{Limit: maxBody}
	case r.ContentLength < 0:
		return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// credentials finds what an application sent of itself, in HTTP Basic or in the
// body (RFC 6749 §2.3.1). Both places together must agree.
func credentials(r *http.Request, p oauth.Parameters) (grant.Credentials, error) {
	c := grant.Credentials{ClientID: p.Get("client_id"), Secret: p.Get("client_secret")}
	if len(r.Header["Authorization"]) > 1 {
		return c, oauth.NewError(oauth.InvalidRequest, "there are several Authorization headers")
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return c, nil
	}
	id, secret, ok := oauth.ParseBasic(header)
	switch {
	case !ok:
		return c, oauth.NewError(oauth.InvalidClient, "the Authorization header is not HTTP Basic with client_id and client_secret")
	case c.ClientID != "" && c.ClientID != id:
		return c, oauth.NewError(oauth.InvalidRequest, "client_id in the body is another than in HTTP Basic; send the credentials in one place")
	case c.Secret != "" && c.Secret != secret:
		return c, oauth.NewError(oauth.InvalidRequest, "client_secret in the body is another than in HTTP Basic; send the credentials in one place")
	}
	return grant.Credentials{ClientID: id, Secret: secret}, nil
}

// client reads the body and authenticates the application: how every request of
// an application begins.
func (e *Endpoints) client(w http.ResponseWriter, r *http.Request) (grant.Client, oauth.Parameters, error) {
	p, body, err := readParameters(w, r)
	if err != nil {
		return grant.Client{}, p, e.claimed(r, p, body, err)
	}
	c, err := credentials(r, p)
	if err != nil {
		challenge(w, r, p, err)
		return grant.Client{}, p, e.claimed(r, p, body, err)
	}
	client, err := e.grants.Authenticate(r.Context(), c)
	if err != nil {
		challenge(w, r, p, err)
		err = e.unproven(r, p, body, c, err)
	}
	return client, p, err
}

// challenge asks for HTTP Basic where it was tried (RFC 6749 §5.2), and where nothing was: some
// clients send credentials only then. Of those in a body clients that are told to use Basic
// would not read what is wrong.
func challenge(w http.ResponseWriter, r *http.Request, p oauth.Parameters, err error) {
	inBody := r.Header.Get("Authorization") == "" && p.Get("client_id") != ""
	if oauth.ErrorOf(err).Code.Status == http.StatusUnauthorized && !inBody {
		w.Header().Set("WWW-Authenticate", `Basic realm="latchkey"`)
	}
}
