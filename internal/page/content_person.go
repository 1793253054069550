package page

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// Connection is an application that the account has approved.
type Connection struct {
	Application     oauth.Application
	Since, LastUsed time.Time
	Permissions     []oauth.Permission
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
	// Picture is the path of the account's picture, empty for none; Elsewhere is the
	// address of one that another site keeps, which the page does not load.
	Picture, Elsewhere string
	Problems           map[string]oauth.Sentence
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
	Device, Address     string
	CreatedAt, LastSeen time.Time
	Current             bool
}

func (Connections) template() string { return "connections" }
func (Profile) template() string     { return "profile" }
func (Security) template() string    { return "security" }
