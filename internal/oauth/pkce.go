package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
)

// Challenge is a code_challenge of the method S256 (RFC 7636 §4.2); it is empty
// when the authorization request carried none.
type Challenge string

// ErrNoChallenge is the answer to an authorization request without the code_challenge that
// its application must send.
var ErrNoChallenge = NewError(InvalidRequest, "code_challenge is missing: PKCE is required here (RFC 7636), with code_challenge_method=S256")

// ParseChallenge checks code_challenge and code_challenge_method of an
// authorization request. Only S256 is offered: plain protects nothing that a
// reader of the request does not already have.
func ParseChallenge(challenge, method string, required bool) (Challenge, *Error) {
	switch {
	case challenge == "" && method != "":
		return "", NewError(InvalidRequest, "code_challenge_method came without code_challenge")
	case challenge == "" && required:
		return "", ErrNoChallenge
	case challenge == "":
		return "", nil
	case method != "S256":
		return "", NewError(InvalidRequest, "code_challenge_method must be S256; without it RFC 7636 means plain, which is not offered")
	}
	if _, ok := parse32(challenge); !ok {
		return "", NewError(InvalidRequest, "code_challenge must be the base64url of a SHA-256, 43 characters without padding")
	}
	return Challenge(challenge), nil
}

// Verify compares the code_verifier of a token request (RFC 7636 §4.6). A
// challenge makes the verifier mandatory; a verifier without a challenge is
// refused, so that stripping the challenge from a request is noticed.
func (c Challenge) Verify(verifier string) *Error {
	switch {
	case c == "" && verifier == "":
		return nil
	case c == "":
		return NewError(InvalidGrant, "code_verifier was sent, but the authorization request had no code_challenge")
	case verifier == "":
		return NewError(InvalidGrant, "code_verifier is missing: the authorization request had a code_challenge")
	case !validVerifier(verifier):
		return NewError(InvalidGrant, "code_verifier must be 43 to 128 characters of A-Z a-z 0-9 - . _ ~")
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(tokenEncoding.EncodeToString(sum[:])), []byte(c)) != 1 {
		return NewError(InvalidGrant, "code_verifier does not match the code_challenge of the authorization request")
	}
	return nil
}

// validVerifier follows RFC 7636 §4.1.
func validVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if !unreserved(s[i]) {
			return false
		}
	}
	return true
}

// unreserved are the characters that RFC 3986 §2.3 never escapes.
func unreserved(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
