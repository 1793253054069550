package usage

import (
	"regexp"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/throttle"
)

// Attempt is what is known of a request that was refused. It may hold secrets; what its
// developers are told of it does not.
type Attempt struct {
	// Place is the endpoint: authorize, token, revoke, introspect, check or me.
	Place       string
	Application oauth.Application
	// Proven: the application had proved who it is. Of those that had not, somebody else
	// may have sent some.
	Proven     bool
	RemoteAddr string
	// ContentType is the media type of a request to token, revoke or introspect, without
	// parameters.
	ContentType string
	// Encoded: the body has a Content-Encoding.
	Encoded bool
	// NotBasic: the Authorization header is something else than HTTP Basic.
	NotBasic bool
	// LooksJSON: the body is an object of JSON, whatever its type says.
	LooksJSON bool
	// Unreadable: the body could not be read as what it says it is.
	Unreadable bool
	Parameters oauth.Parameters
	// Secret is the client_secret that was presented, wherever.
	Secret string
	// Authorization is what a code or a refresh token names, or an access token, zero
	// where there is none.
	Authorization oauth.Authorization
	// Presented is that code or token.
	Presented oauth.Token
	// Scope is what an API asked for, Held what the access token may do.
	Scope, Held oauth.Scope
	Catalogue   oauth.Catalogue
}

// advice is what was wrong, where more is known than the answer says, and how to mend it.
type advice struct{ wrong, mend oauth.Sentence }

// refusal is what the developers are told of the attempt.
func (a Attempt) refusal(id oauth.ID, refusal *oauth.Error, now time.Time) oauth.Refusal {
	told := a.advise(refusal, now)
	return oauth.Refusal{
		ID: id, ApplicationID: a.Application.ID, Place: a.Place, Code: refusal.Code.Wire, Description: withoutSecrets(refusal.Description),
		Wrong: told.wrong, Mend: told.mend, Address: a.address(),
	}
}

// withoutSecrets leaves out what has the length of a token or a secret: somebody may have
// sent one in the wrong place.
func withoutSecrets(s string) string {
	return regexp.MustCompile(`[A-Za-z0-9_-]{40,}`).ReplaceAllString(s, "[...]")
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

// advise finds what in the request explains that it was refused. What is looked at first
// explains what comes after.
func (a Attempt) advise(refusal *oauth.Error, now time.Time) advice {
	for _, look := range []func(*oauth.Error, time.Time) advice{
		a.whoIsSuspended, a.whichBody, a.whatIsTwice, a.whichClient, a.whichRedirect, a.whichResponse, a.whichChallenge,
		a.whichScope, a.whichGrant, a.whichCode, a.whichRefreshToken, a.whichAccessToken, a.whatElse,
	} {
		if told := look(refusal, now); !told.mend.IsZero() {
			return told
		}
	}
	return advice{mend: oauth.Say("Compare the request with the documentation of the endpoint.")}
}

func (a Attempt) whoIsSuspended(*oauth.Error, time.Time) advice {
	if !a.Application.Suspended() {
		return advice{}
	}
	return advice{oauth.Say("The application is suspended."), oauth.Say("Ask those who run this platform.")}
}

func (a Attempt) whatIsTwice(*oauth.Error, time.Time) advice {
	if a.Parameters.RefuseRepeated() == nil {
		return advice{}
	}
	return advice{mend: oauth.Say("Send each parameter once, also when it is in the query of an address already.")}
}

// whatElse is about what is the same for all that it happens to.
func (a Attempt) whatElse(refusal *oauth.Error, _ time.Time) advice {
	switch {
	case refusal.Code == oauth.TooManyRequests:
		return advice{oauth.Say("Too many refresh tokens came that are none of this authorization."), oauth.Say("Wait as long as the header Retry-After says, and keep only the newest refresh token of each account.")}
	case refusal.Code == oauth.UnauthorizedClient && a.Application.Public:
		return advice{oauth.Say("The application is public, and this is for confidential ones."), oauth.Say("Register a confidential application for what runs on a server.")}
	case refusal.Code == oauth.UnauthorizedClient:
		return advice{mend: oauth.Say("Replace the secret in the settings of the application, and use the new one.")}
	case refusal.Code == oauth.AccessDenied:
		// That a person did not allow it is not written down.
		return advice{mend: oauth.Say("Name the account among the test accounts, or submit the application for review.")}
	case (a.Place == "revoke" || a.Place == "introspect") && a.Parameters.Get("token") == "":
		return advice{mend: oauth.Say("Send the token in the body, as the parameter token.")}
	case a.Parameters.Get("prompt") != "" && refusal.Code == oauth.InvalidRequest:
		return advice{mend: oauth.Say("Send prompt=none alone, or leave it out.")}
	}
	return advice{}
}
