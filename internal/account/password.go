package account

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/latchkey/latchkey/internal/oauth"
)

// The parameters of argon2id: the OWASP Password Storage Cheat Sheet's for 19 MiB.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonKeySize = 32
)

// The length of a password in characters. The upper bound keeps hashing cheap.
const (
	minPassword = 8
	maxPassword = 256
)

// hasher computes argon2id, a few at a time so that memory stays bounded.
type hasher struct {
	random io.Reader
	slots  chan struct{}
	// decoy is compared with when there is no account, so that it takes as long. It is
	// the hash of no password: to compute one would hold up the start.
	decoy string
}

func newHasher(random io.Reader, parallel int) (*hasher, error) {
	var drawn [16 + argonKeySize]byte
	if _, err := io.ReadFull(random, drawn[:]); err != nil {
		return nil, fmt.Errorf("draw a decoy: %w", err)
	}
	return &hasher{random: random, slots: make(chan struct{}, parallel), decoy: phc(drawn[:16], drawn[16:])}, nil
}

// phc writes a salt and a key in the form in which they are stored.
func phc(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return phcHead() + b64.EncodeToString(salt) + "$" + b64.EncodeToString(key)
}

// phcHead is what all that is stored begins with: the parameters.
func phcHead() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonTime, argonThreads)
}

func (h *hasher) key(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKeySize), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns the PHC string of a password with a fresh salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	var salt [16]byte
	if _, err := io.ReadFull(h.random, salt[:]); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	key, err := h.key(ctx, password, salt[:])
	if err != nil {
		return "", err
	}
	return phc(salt[:], key), nil
}

// verify compares a password with a stored PHC string.
func (h *hasher) verify(ctx context.Context, password, stored string) (bool, error) {
	fields := strings.Split(stored, "$")
	if len(fields) != 6 || !strings.HasPrefix(stored, phcHead()) {
		return false, fmt.Errorf("a stored password has an unknown form")
	}
	salt, err := base64.RawStdEncoding.DecodeString(fields[4])
	if err != nil {
		return false, fmt.Errorf("a stored password has a broken salt: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(fields[5])
	if err != nil {
		return false, fmt.Errorf("a stored password has a broken hash: %w", err)
	}
	got, err := h.key(ctx, password, salt)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

// commonPasswords are the stems of passwords that guessers try first, in lower
// case: what they try is a stem, often with digits and signs behind it.
//
//go:embed common_passwords.txt
var commonPasswords string

// checkPassword returns what is wrong with a new password, or nothing. The words
// are what a guesser knows of the account: address, name, username.
func checkPassword(password string, words ...string) oauth.Sentence {
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return oauth.Say("Use at least %d characters.", minPassword)
	case n > maxPassword:
		return oauth.Say("Use at most %d characters.", maxPassword)
	case isCommon(password):
		return oauth.Say("This password is one of those that are guessed first. Choose another; three unrelated words are a good one.")
	}
	for _, word := range words {
		local, _, _ := strings.Cut(word, "@")
		likeIt := stem(password) == stem(local) && len(stem(local)) > 2
		if strings.EqualFold(password, word) || strings.EqualFold(password, local) || likeIt {
			return oauth.Say("This password is made of your own name or address. Choose another.")
		}
	}
	return oauth.Sentence{}
}

// refusePassword is what is wrong with a new password, nil for nothing.
func refusePassword(password string, words ...string) *Problem {
	wrong := checkPassword(password, words...)
	if wrong.IsZero() {
		return nil
	}
	return &Problem{Field: "password", Message: wrong}
}

func isCommon(password string) bool {
	lower := strings.ToLower(password)
	return isMonotonous(lower) || isListed(lower) || isListed(stem(password))
}

func isListed(word string) bool {
	return word != "" && strings.Contains("\n"+commonPasswords, "\n"+word+"\n")
}

// stem undoes what people do to a common word: capitals, digits and signs behind
// it, and signs that look like letters inside it.
func stem(password string) string {
	lower := strings.TrimRightFunc(strings.ToLower(password), func(r rune) bool { return !unicode.IsLetter(r) })
	return strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s").Replace(lower)
}

// isMonotonous finds a short pattern repeated, and runs such as 12345678.
func isMonotonous(s string) bool {
	for size := 1; size <= 3; size++ {
		if len(s) > size && s[size:] == s[:len(s)-size] {
			return true
		}
	}
	steps := map[int]int{}
	for i := 1; i < len(s); i++ {
		step := int(s[i]) - int(s[i-1])
		if s[i-1] == '9' && s[i] == '0' {
			step = 1
		}
		steps[step]++
	}
	return steps[1] >= len(s)-2 || steps[-1] >= len(s)-2
}
