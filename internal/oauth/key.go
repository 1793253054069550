package oauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
)

// Key is the server key. It lies outside the database; together with a
// presented refresh token it derives that token's successors. It also seals what
// pages carry, such as the tickets of consent pages, and derives the secrets of
// webhooks. Losing it costs replays, the recognition of old generations, those
// secrets and the pages that are open, nothing else.
type Key struct{ secret [32]byte }

// KeyID tells which server key a generation was derived with. It reveals
// nothing about the key.
type KeyID [8]byte

// NewKey draws a server key.
func NewKey(random io.Reader) (Key, error) {
	var k Key
	if _, err := io.ReadFull(random, k.secret[:]); err != nil {
		return Key{}, fmt.Errorf("draw a server key: %w", err)
	}
	return k, nil
}

// ParseKey reads the 64 hexadecimal characters that Hex writes.
func ParseKey(s string) (Key, error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 32 {
		return Key{}, fmt.Errorf("a server key is 64 hexadecimal characters")
	}
	return Key{secret: [32]byte(raw)}, nil
}

// Hex is the key as it is kept in its file. It is secret.
func (k Key) Hex() string { return hex.EncodeToString(k.secret[:]) }

// ID names the key.
func (k Key) ID() KeyID {
	sum := sha256.Sum256(append([]byte("latchkey.key_id\x00"), k.secret[:]...))
	return KeyID(sum[:8])
}

// mac is HMAC-SHA256 (RFC 2104) of a label and 32 bytes at most, under a key of a block at
// most: a refresh needs three, and crypto/hmac allocates eight times for each.
func mac(key []byte, label string, last []byte) [sha256.Size]byte {
	const room = sha256.BlockSize + len("latchkey.refresh\x00") + sha256.Size
	var inner [room]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range sha256.BlockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	message := append(append(inner[:sha256.BlockSize], label...), last...)
	sum := sha256.Sum256(message)
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}

// Successors derives the access and refresh token that follow a refresh token.
// The same token always yields the same two, so that a refresh can be repeated;
// without the server key neither can be computed.
func (k Key) Successors(refresh Token) (access, next Token) {
	nonce := k.nonce(refresh.ID)
	return derive(refresh, "access_token\x00", nonce), derive(refresh, "refresh_token\x00", nonce)
}

func (k Key) nonce(id ID) [sha256.Size]byte {
	return mac(k.secret[:], "latchkey.refresh\x00", id[:])
}

func derive(refresh Token, label string, nonce [sha256.Size]byte) Token {
	sum := mac(refresh.Secret[:], label, nonce[:])
	return Token{ID: refresh.ID, Secret: Secret(sum[:16])}
}

// Reaches reports whether refresh is an older generation of the refresh token
// whose hash is current: it derives forward, at most steps times.
func (k Key) Reaches(refresh Token, current Hash, steps int) bool {
	nonce := k.nonce(refresh.ID)
	for range steps {
		refresh = derive(refresh, "refresh_token\x00", nonce)
		if current.Matches(refresh.Hash(KindRefreshToken)) {
			return true
		}
	}
	return false
}

// Seal authenticates the parts under a label. Each part is length-prefixed, so
// that no two lists of parts are alike.
func (k Key) Seal(label string, parts ...string) [sha256.Size]byte {
	h := hmac.New(sha256.New, k.secret[:])
	fmt.Fprintf(h, "latchkey.seal\x00%s\x00", label)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// SameSeal compares a presented seal in constant time.
func SameSeal(presented []byte, seal [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare(presented, seal[:]) == 1
}
