package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// ParseBasic reads the credentials of an application from the value of an
// Authorization header with the scheme Basic. RFC 6749 §2.3.1 wants them
// form-encoded before they are joined; many clients send them raw. Neither a
// client_id nor a client_secret has a character that could mean two things, so
// both are read.
func ParseBasic(header string) (clientID, secret string, ok bool) {
	encoded, ok := CutScheme(header, "Basic")
	if !ok {
		return "", "", false
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	rawID, rawSecret, ok := strings.Cut(string(raw), ":")
	if !ok || rawID == "" {
		return "", "", false
	}
	if clientID, err = url.QueryUnescape(rawID); err != nil {
		return "", "", false
	}
	if secret, err = url.QueryUnescape(rawSecret); err != nil {
		return "", "", false
	}
	return clientID, secret, true
}

// CutScheme splits the value of an Authorization header. Schemes are compared
// without case (RFC 9110 §11.1).
func CutScheme(header, scheme string) (credentials string, ok bool) {
	name, credentials, found := strings.Cut(header, " ")
	if !strings.EqualFold(name, scheme) {
		return "", false
	}
	return strings.Trim(credentials, " "), found
}
