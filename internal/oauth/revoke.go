package oauth

import "time"

// Revocation ends an authorization, whatever state it is in.
type Revocation struct {
	ID     ID
	Reason Reason
	// By is the application that asks for it; the zero value stands for the server
	// itself, its operator or the account.
	By Revoker
}

// Revoker is an authenticated application with the token that it presented (RFC
// 7009 §2.1).
type Revoker struct {
	ApplicationID ID
	Public        bool
	Token         Token
}

// ByID reports whether the id of an authorization and of its application is all that
// decides, so that a write may find out by itself whether it ends something.
func (r Revoker) ByID() bool { return r != Revoker{} && !r.Public }

// mayEnd: whoever has the secret of a confidential application may name its
// authorization by the id half of a token alone; of a public one the token must
// prove itself.
func (r Revoker) mayEnd(a Authorization) bool {
	return r == Revoker{} || r.ApplicationID == a.ApplicationID && (!r.Public || a.hasHeld(r.Token))
}

// AuthorizationID names the row.
func (e Revocation) AuthorizationID() ID { return e.ID }

// Repeatable is true: the second changes nothing.
func (e Revocation) Repeatable() bool { return true }

// Decide revokes once; a second revocation changes nothing. ErrUnrecognised: the
// application may not end this authorization, unless its token is found to be older.
func (e Revocation) Decide(a Authorization, _ bool, now time.Time) (Authorization, error) {
	if !e.By.mayEnd(a) {
		return a, ErrUnrecognised
	}
	if a.Status == StatusRevoked {
		return a, nil
	}
	return a.Revoked(e.Reason, now), nil
}
