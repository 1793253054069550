package oauth

import "time"

// Revocation ends an authorization, whatever state it is in.
type Revocation struct {
	ID     ID
	Reason Reason
}

// AuthorizationID names the row.
func (e Revocation) AuthorizationID() ID { return e.ID }

// Repeatable is true: the second changes nothing.
func (e Revocation) Repeatable() bool { return true }

// Decide revokes once; a second revocation changes nothing.
func (e Revocation) Decide(a Authorization, _ bool, now time.Time) (Authorization, error) {
	if a.Status == StatusRevoked {
		return a, nil
	}
	return a.Revoked(e.Reason, now), nil
}
