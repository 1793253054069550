package usage

import (
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Attempt is what is known of a request that was refused.
type Attempt struct {
	// Place is the endpoint: authorize, token, revoke, introspect, check or me.
	Place       string
	Application oauth.Application
	RemoteAddr  string
}

// refusal is what the developers are told of the attempt.
func (a Attempt) refusal(id oauth.ID, refusal *oauth.Error, _ time.Time) oauth.Refusal {
	return oauth.Refusal{
		ID: id, ApplicationID: a.Application.ID, Place: a.Place, Code: refusal.Code.Wire, Description: refusal.Description,
		Address: a.address(),
	}
}

// address is the client's: whole where it is an application's server, and otherwise its
// block, since it may be a person's.
func (a Attempt) address() string {
	client := throttle.Client(a.RemoteAddr)
	switch {
	case !client.IsValid():
		return ""
	case a.Application.Public || a.Place == "authorize" || a.Place == "check" || a.Place == "me":
		return Network(client)
	}
	return client.String()
}
