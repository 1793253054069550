package oauth

import "time"

// Account is the resource owner: a person on the platform.
type Account struct {
	ID       ID
	Email    string
	Username string
	Name     string
	// AvatarURL is empty when the account has no picture, the path of one that this
	// server keeps (Picture.Path), or the URL of one elsewhere.
	AvatarURL string
	// Administrator may allow scopes that need an approval.
	Administrator bool
	// Disabled accounts cannot sign in, and no token of theirs works.
	Disabled  bool
	CreatedAt time.Time
}

// Picture is the path of the account's picture, if this server keeps it.
func (a Account) Picture() string {
	if _, own := PictureOf(a.AvatarURL); !own {
		return ""
	}
	return a.AvatarURL
}

// Session is a browser in which an account is signed in.
type Session struct {
	ID        ID
	AccountID ID
	// Hash is of the cookie's token.
	Hash      Hash
	UserAgent string
	// Address is the client's IP address at sign-in.
	Address    string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
}
