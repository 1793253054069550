package oauth

import (
	"cmp"
	"slices"
	"strings"
)

// Scope is a list of scope tokens separated by single spaces, in the order in
// which they were asked for and each once (RFC 6749 §3.3). The empty Scope
// permits nothing. It is comparable; Equal compares without the order.
type Scope string

// ProfileScope is what the API's first resource needs.
const ProfileScope Scope = "profile"

// maxScopeTokens is how many tokens a scope parameter may have, repeated ones too: each is
// looked for among the others, and whoever sends them has proved nothing yet.
const maxScopeTokens = 256

// ErrManyScopes is the answer to a scope parameter with more.
var ErrManyScopes = NewError(InvalidScope, "scope has more than %d tokens", maxScopeTokens)

// ParseScope reads the value of a scope parameter. Tokens may be separated by
// one or more spaces; a repeated token counts once.
func ParseScope(s string) (Scope, *Error) {
	var tokens []string
	left := maxScopeTokens
	for token := range strings.SplitSeq(s, " ") {
		if token == "" {
			continue
		}
		if !validScopeToken(token) {
			return "", NewError(InvalidScope, "scope has a character that RFC 6749 section 3.3 does not allow")
		}
		if left--; left < 0 {
			return "", ErrManyScopes
		}
		if !slices.Contains(tokens, token) {
			tokens = append(tokens, token)
		}
	}
	return Scope(strings.Join(tokens, " ")), nil
}

// validScopeToken follows RFC 6749 §3.3: 1*( %x21 / %x23-5B / %x5D-7E ).
func validScopeToken(token string) bool {
	for i := range len(token) {
		if c := token[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return token != ""
}

// ScopeOf joins tokens that are known to be valid.
func ScopeOf(tokens ...string) Scope { return Scope(strings.Join(tokens, " ")) }

// Tokens lists the scope tokens.
func (s Scope) Tokens() []string { return strings.Fields(string(s)) }

// Has reports whether the token is in s.
func (s Scope) Has(token string) bool {
	for t := range strings.SplitSeq(string(s), " ") {
		if t == token && t != "" {
			return true
		}
	}
	return false
}

// Covers reports whether every token of other is in s.
func (s Scope) Covers(other Scope) bool {
	if s == other {
		return true
	}
	for t := range strings.SplitSeq(string(other), " ") {
		if t != "" && !s.Has(t) {
			return false
		}
	}
	return true
}

// Equal reports whether both hold the same tokens, in whatever order.
func (s Scope) Equal(other Scope) bool { return s.Covers(other) && other.Covers(s) }

// Within keeps the tokens of s that limit has too, in the order of s.
func (s Scope) Within(limit Scope) Scope {
	if limit.Covers(s) {
		return s
	}
	return s.filter(limit.Has)
}

// Without keeps the tokens of s that other does not have.
func (s Scope) Without(other Scope) Scope {
	if other.Covers(s) {
		return ""
	}
	return s.filter(func(t string) bool { return !other.Has(t) })
}

// With adds the tokens of other behind those of s.
func (s Scope) With(other Scope) Scope {
	return ScopeOf(append(s.Tokens(), other.Without(s).Tokens()...)...)
}

func (s Scope) filter(keep func(string) bool) Scope {
	return ScopeOf(slices.DeleteFunc(s.Tokens(), func(t string) bool { return !keep(t) })...)
}

// Permission is a scope that the platform has configured.
type Permission struct {
	// Name is the scope token.
	Name string
	// Description is a sentence that the person who is asked understands.
	Description string
	// Sensitive permissions are set apart where people are asked for them.
	Sensitive bool
	// NeedsApproval: applications get it only when an administrator allows it.
	NeedsApproval bool
	// NeedsConsent: only a person can give it; client_credentials never yields it.
	NeedsConsent bool
}

// Catalogue is what the platform has configured about scopes.
type Catalogue struct {
	Permissions []Permission
	// Default is what a request without a scope asks for.
	Default Scope
}

// All is every configured scope.
func (c Catalogue) All() Scope {
	return c.where(func(Permission) bool { return true })
}

// Find returns the permission with this name.
func (c Catalogue) Find(name string) (Permission, bool) {
	i := slices.IndexFunc(c.Permissions, func(p Permission) bool { return p.Name == name })
	if i < 0 {
		return Permission{}, false
	}
	return c.Permissions[i], true
}

// ForApplicationsAlone is every scope that needs no person's consent.
func (c Catalogue) ForApplicationsAlone() Scope {
	return c.where(func(p Permission) bool { return !p.NeedsConsent })
}

// WithoutApproval is every scope that a developer may choose without an administrator.
func (c Catalogue) WithoutApproval() Scope {
	return c.where(func(p Permission) bool { return !p.NeedsApproval })
}

// Usual is what is asked for where anything allowed may be: of it the default, or else all.
func (c Catalogue) Usual(allowed Scope) Scope { return cmp.Or(c.Default.Within(allowed), allowed) }

// unknown is what of a scope is not configured.
func (c Catalogue) unknown(s Scope) Scope {
	for t := range strings.SplitSeq(string(s), " ") {
		if _, known := c.Find(t); !known {
			return s.Without(c.All())
		}
	}
	return ""
}

func (c Catalogue) where(keep func(Permission) bool) Scope {
	var names []string
	for _, p := range c.Permissions {
		if keep(p) {
			names = append(names, p.Name)
		}
	}
	return ScopeOf(names...)
}

// Request decides what a scope parameter asks for: the default when it is
// absent, otherwise configured scopes that the application is allowed.
func (c Catalogue) Request(parameter string, allowed Scope) (Scope, *Error) {
	scope := c.Default
	if parameter != "" {
		parsed, err := ParseScope(parameter)
		if err != nil {
			return "", err
		}
		// Spaces alone ask for nothing, as an absent parameter does.
		scope = cmp.Or(parsed, scope)
	}
	if scope == "" {
		return "", NewError(InvalidScope, "scope is missing, and this server has no default scope; ask for at least one")
	}
	if unknown := c.unknown(scope); unknown != "" {
		return "", NewError(InvalidScope, "unknown scope: %s; known are: %s", unknown, c.All())
	}
	if refused := scope.Without(allowed); refused != "" {
		return "", NewError(InvalidScope, "this application may not ask for the scope: %s; allow it in the application's settings", refused)
	}
	return scope, nil
}
