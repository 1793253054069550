package oauth

import "sync/atomic"

// Scopes is the catalogue of a platform as it is at the moment: it may be replaced while
// the server runs, when somebody sets a new platform up. It is safe for concurrent use.
type Scopes struct{ now atomic.Pointer[knownScopes] }

// knownScopes is a catalogue with what is often asked of it.
type knownScopes struct {
	Catalogue
	all, alone Scope
}

// NewScopes holds a catalogue.
func NewScopes(c Catalogue) *Scopes {
	s := &Scopes{}
	s.Replace(c)
	return s
}

// Replace puts another catalogue in the place of the present one.
func (s *Scopes) Replace(c Catalogue) {
	s.now.Store(&knownScopes{Catalogue: c, all: c.All(), alone: c.ForApplicationsAlone()})
}

// Catalogue is the present one.
func (s *Scopes) Catalogue() Catalogue { return s.now.Load().Catalogue }

// All is every configured scope.
func (s *Scopes) All() Scope { return s.now.Load().all }

// ForApplicationsAlone is every scope that needs no person's consent.
func (s *Scopes) ForApplicationsAlone() Scope { return s.now.Load().alone }

// WithoutApproval is every scope that a developer may choose without an administrator.
func (s *Scopes) WithoutApproval() Scope { return s.now.Load().WithoutApproval() }

// Default is what a request without a scope asks for.
func (s *Scopes) Default() Scope { return s.now.Load().Default }
