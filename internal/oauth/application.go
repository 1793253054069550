package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Application is the OAuth client. It belongs to the account that registered it.
type Application struct {
	ID ID
	// ClientID is the 43 characters that the application is known by; its first
	// half is the ID.
	ClientID string
	OwnerID  ID
	// OwnerName and OwnerDisabled are the owner's, read along with the application.
	OwnerName     string
	OwnerDisabled bool
	Name          string
	// Site is the application's home page, empty or an https or loopback URL. Privacy
	// and Terms are where it says what it does with data, and on which conditions.
	Site, Privacy, Terms string
	// Logo names a picture that this server keeps, and is empty for none.
	Logo         string
	RedirectURIs []string
	// Scope is what the application may ask for.
	Scope Scope
	// OptionalScope is what of Scope an account may leave out when it approves.
	OptionalScope Scope
	// Public applications have no secret (RFC 6749 §2.1). It is decided when
	// the application is created and stays.
	Public bool
	// ResourceServer applications may introspect every token.
	ResourceServer bool
	// SecretHash is empty for public applications.
	SecretHash      Hash
	SecretCreatedAt time.Time
	// PreviousSecretHash works until PreviousSecretEndsAt after a rotation.
	PreviousSecretHash                            Hash
	PreviousSecretCreatedAt, PreviousSecretEndsAt time.Time
	// SecretUsedAt and PreviousSecretUsedAt are when a secret was last seen, to the hour.
	SecretUsedAt, PreviousSecretUsedAt time.Time
	// SubmittedAt is when the owner asked for a review, zero unless an answer is due.
	// VerifiedAt is when an administrator found the application to be what it says it is,
	// zero for never.
	SubmittedAt, VerifiedAt time.Time
	// SuspendedAt is zero unless an administrator suspended the application, for a reason
	// that the owner is shown.
	SuspendedAt     time.Time
	SuspendedReason string
	// ReviewNote is why an administrator sent the application back, or took the mark from it.
	ReviewNote string
	// RequestedScope is what the owner asks an administrator to allow.
	RequestedScope Scope
	// InheritedAt is when the owner got the application from another account, zero where it
	// registered it.
	InheritedAt time.Time
	CreatedAt   time.Time
}

// NewClientID draws the id of an application and the client_id that carries it.
func NewClientID(random io.Reader, now time.Time) (ID, string, error) {
	id, err := NewID(random, now)
	if err != nil {
		return ID{}, "", err
	}
	t, err := NewToken(random, id)
	return id, t.String(), err
}

// ParseClientID finds the id that a client_id carries.
func ParseClientID(clientID string, now time.Time) (ID, bool) {
	t, ok := ParseToken(clientID, now)
	return t.ID, ok
}

// NewClientSecret draws a client_secret: 256 bits as 64 hexadecimal characters.
func NewClientSecret(random io.Reader) (string, error) {
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("draw a client secret: %w", err)
	}
	return hex.EncodeToString(raw[:]), nil
}

// HashClientSecret is what is stored of a client secret. The secret has 256
// bits, so a fast hash keeps it.
func HashClientSecret(application ID, secret string) Hash {
	var room [128]byte
	b := append(room[:0], "latchkey.client_secret\x00"...)
	b = append(b, application[:]...)
	return sha256.Sum256(append(b, secret...))
}

// AcceptsSecret reports whether a secret works.
func (a Application) AcceptsSecret(secret string, now time.Time) bool {
	current, previous := a.MatchSecret(secret, now)
	return current || previous
}

// MatchSecret compares in constant time with the current secret and, while it
// still works, with the previous one.
func (a Application) MatchSecret(secret string, now time.Time) (current, previous bool) {
	presented := HashClientSecret(a.ID, secret)
	current = a.SecretHash.Matches(presented)
	previous = a.PreviousSecretHash.Matches(presented) && now.Before(a.PreviousSecretEndsAt)
	return current, previous
}

// KnownToOwnerAlone reports whether a secret that works was made since the application
// has its owner: the one before knows older ones.
func (a Application) KnownToOwnerAlone(secret string) bool {
	made := a.PreviousSecretCreatedAt
	if a.SecretHash.Matches(HashClientSecret(a.ID, secret)) {
		made = a.SecretCreatedAt
	}
	return made.After(a.InheritedAt)
}

// Suspended reports whether the application is switched off: by an
// administrator, or because its owner's account is disabled.
func (a Application) Suspended() bool { return !a.SuspendedAt.IsZero() || a.OwnerDisabled }

// Verified reports whether an administrator found the application to be what it says it is.
func (a Application) Verified() bool { return !a.VerifiedAt.IsZero() }

// Submitted reports whether the application waits for an administrator's answer.
func (a Application) Submitted() bool { return !a.SubmittedAt.IsZero() && !a.Verified() }

// ScopeState is what a scope that an administrator has to allow is to an application.
type ScopeState string

// The states of a scope.
const (
	ScopeAllowed   ScopeState = "allowed"
	ScopeRequested ScopeState = "requested"
	ScopeNeither   ScopeState = "neither"
)

// StateOf is what one scope is to the application.
func (a Application) StateOf(scope string) ScopeState {
	switch {
	case a.Scope.Has(scope):
		return ScopeAllowed
	case a.RequestedScope.Has(scope):
		return ScopeRequested
	}
	return ScopeNeither
}

// Remarked is the application after an edit: it loses the verified mark when it is no
// longer what was looked at, by its name, its logo or the hosts to which it returns.
func (a Application) Remarked(before Application) Application {
	if a.Name != before.Name || a.Logo != before.Logo || !slices.Equal(redirectHosts(a), redirectHosts(before)) {
		a.VerifiedAt = time.Time{}
	}
	return a
}

func redirectHosts(a Application) []string {
	var hosts []string
	for _, uri := range a.RedirectURIs {
		hosts = append(hosts, RedirectHost(uri))
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// Identity is a digest of what a person is shown of an application.
type Identity Hash

// String is the digest in hexadecimal digits.
func (i Identity) String() string { return hex.EncodeToString(i[:]) }

// Identity covers the name, the owner and the owner's name, the site, the redirect URIs
// and the logo, if there is one. When it changes, remembered consents count no more.
func (a Application) Identity() Identity {
	h := sha256.New()
	parts := []string{a.Name, a.OwnerID.String(), a.OwnerName, a.Site, strings.Join(a.RedirectURIs, " ")}
	if a.Logo != "" {
		parts = append(parts, a.Logo)
	}
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return Identity(h.Sum(nil))
}

// RedirectURI decides where the answer to an authorization request goes. The
// presented one must be registered; it may be empty when just one is registered
// (RFC 6749 §3.1.2.3).
func (a Application) RedirectURI(presented string) (string, *Error) {
	switch {
	case len(a.RedirectURIs) == 0:
		return "", NewError(InvalidRequest, "this application has no redirect URL; register one in its settings")
	case presented == "" && len(a.RedirectURIs) == 1:
		return a.RedirectURIs[0], nil
	case presented == "":
		return "", NewError(InvalidRequest, "redirect_uri is missing, and the application has registered several")
	case !MatchRedirectURI(a.RedirectURIs, presented):
		return "", NewError(InvalidRequest, "redirect_uri is not registered for this application; it is compared as an exact string")
	}
	return presented, nil
}
