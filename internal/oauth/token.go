package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"time"
)

// TokenLength is the number of characters of a code, an access token, a refresh
// token, a session cookie and a client_id.
const TokenLength = 43

// Secret is the second half of a token: 128 bits that only its holder has.
type Secret [16]byte

// Token is what a code, an access token, a refresh token or a session cookie
// carries: the id of its row and a secret. On the wire it is base64url.
type Token struct {
	ID     ID
	Secret Secret
}

// NewToken draws a fresh secret for the row id.
func NewToken(random io.Reader, id ID) (Token, error) {
	t := Token{ID: id}
	if _, err := io.ReadFull(random, t.Secret[:]); err != nil {
		return Token{}, fmt.Errorf("draw a token: %w", err)
	}
	return t, nil
}

var tokenEncoding = base64.RawURLEncoding.Strict()

// ParseToken reads a token strictly: exactly 43 characters of base64url with no
// stray bits, naming an id that is plausible at now.
func ParseToken(s string, now time.Time) (Token, bool) {
	raw, ok := parse32(s)
	if !ok {
		return Token{}, false
	}
	t := Token{ID: ID(raw[:16]), Secret: Secret(raw[16:])}
	return t, t.ID.Plausible(now)
}

func parse32(s string) (raw [32]byte, ok bool) {
	if len(s) != TokenLength {
		return raw, false
	}
	// The decoder skips line breaks, so the number of decoded bytes is checked too.
	n, err := tokenEncoding.Decode(raw[:], []byte(s))
	return raw, err == nil && n == len(raw)
}

// String is the token as it goes over the wire. It is secret: never log it.
func (t Token) String() string {
	var raw [32]byte
	copy(raw[:16], t.ID[:])
	copy(raw[16:], t.Secret[:])
	return tokenEncoding.EncodeToString(raw[:])
}

// Kind separates the hashes of tokens, so that one kind never passes for another.
type Kind string

// The kinds of token.
const (
	KindCode         Kind = "latchkey.code\x00"
	KindAccessToken  Kind = "latchkey.access_token\x00"
	KindRefreshToken Kind = "latchkey.refresh_token\x00"
	KindSession      Kind = "latchkey.session\x00"
)

// Hash is what is stored of a token or a client secret: a SHA-256, from which
// neither can be computed. The zero Hash is an empty column.
type Hash [sha256.Size]byte

// Hash is SHA-256(kind || id || secret).
func (t Token) Hash(kind Kind) Hash {
	var b [64]byte
	n := copy(b[:], kind)
	n += copy(b[n:], t.ID[:])
	n += copy(b[n:], t.Secret[:])
	return sha256.Sum256(b[:n])
}

// IsZero reports whether the column is empty.
func (h Hash) IsZero() bool { return h == Hash{} }

// Matches compares in constant time. An empty column matches nothing.
func (h Hash) Matches(presented Hash) bool {
	return !h.IsZero() && subtle.ConstantTimeCompare(h[:], presented[:]) == 1
}
