package page

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Connection is an application that the account has approved.
type Connection struct {
	Application oauth.Application
	Since       time.Time
	// EndsAt is zero where the account set no limit.
	EndsAt time.Time
	// UsedAt is when the application last used its access, and Network from where;
	// RefreshedAt is when it last got tokens. Each is zero for never.
	UsedAt      time.Time
	Network     string
	RefreshedAt time.Time
	Permissions []Permitted
}

// Permitted is what an application may do.
type Permitted struct {
	oauth.Permission
	// Used tells that the application has really done it.
	Used bool
}

// Connections lists the approved applications.
type Connections struct {
	Frame
	Connections []Connection
}

// Profile edits what the account says of itself.
type Profile struct {
	Frame
	Name, Username string
	// Elsewhere is the address of a picture that another site keeps, which the page does
	// not load.
	Elsewhere string
	// Verified: an application of the account has the verified mark, which another name takes.
	Verified bool
	Problems map[string]oauth.Sentence
}

// Security changes the password and ends sessions.
type Security struct {
	Frame
	Problems map[string]oauth.Sentence
	Sessions []Session
}

// Session is a browser in which the account is signed in.
type Session struct {
	ID                  string
	Device              oauth.Sentence
	Address             string
	CreatedAt, LastSeen time.Time
	Current             bool
}

func (Connections) template() string { return "connections" }
func (Profile) template() string     { return "profile" }
func (Security) template() string    { return "security" }
