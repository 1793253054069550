package usage

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

// whichCode explains why a code was not exchanged.
func (a Attempt) whichCode(refusal *oauth.Error, now time.Time) advice {
	if a.Place != "token" || a.Parameters.Get("grant_type") != "authorization_code" {
		return advice{}
	}
	code := a.Parameters.Get("code")
	if code == "" {
		return advice{mend: oauth.Say("Send the parameter code that the browser brought to the redirect URL.")}
	}
	if told := a.shape("code", code); !told.mend.IsZero() {
		return told
	}
	granted := a.Authorization
	fresh := oauth.Say("Send the person to the authorize page again.")
	if !granted.CodeHash.Matches(a.Presented.Hash(oauth.KindCode)) {
		if a.holds(oauth.KindAccessToken) || a.holds(oauth.KindRefreshToken) {
			return advice{oauth.Say("What came as code is a token."), oauth.Say("Send as code what the browser brought to the redirect URL.")}
		}
		return advice{oauth.Say("No such code was given; if one was, it ended hours ago."), fresh}
	}
	switch {
	case granted.ApplicationID != a.Application.ID:
		return advice{oauth.Say("The code was given to another application."), oauth.Say("Use the client_id that was in the authorization request. Settings for tests and for production may be mixed up.")}
	case refusal.Ended:
		return advice{counted(seconds(granted.CreatedAt, now),
			oauth.Say("The code was used twice, so all tokens that came of it are revoked. The second time was one second after it was made."),
			oauth.Say("The code was used twice, so all tokens that came of it are revoked. The second time was %s seconds after it was made.", strconv.Itoa(seconds(granted.CreatedAt, now)))),
			oauth.Say("Exchange each code once. Look for what sends the request twice: a page that is loaded again, a request that is repeated, two handlers of one callback. Then send the person to the authorize page again.")}
	case granted.Status == oauth.StatusRevoked:
		return advice{oauth.Say("The authorization had ended: %s.", reason(granted.RevokedReason)), fresh}
	}
	if told := a.whichBinding(); !told.mend.IsZero() {
		return told
	}
	switch refusal {
	case oauth.ErrEnded:
		return advice{oauth.Say("The account approved this for a limited time, which is over."), fresh}
	case oauth.ErrAccountDisabled:
		return advice{oauth.Say("The account is disabled."), oauth.Say("Nothing can be done until the account is enabled.")}
	}
	if !now.Before(granted.CodeExpiresAt) {
		return advice{oauth.Say("The code was %s seconds old; codes live for %s.", strconv.Itoa(seconds(granted.CreatedAt, now)), strconv.Itoa(seconds(granted.CreatedAt, granted.CodeExpiresAt))),
			oauth.Say("Exchange the code as soon as the browser brings it, and send the person to the authorize page again.")}
	}
	return advice{mend: fresh}
}

// whichBinding explains what did not come with a code as it should.
func (a Attempt) whichBinding() advice {
	granted, redirect, verifier := a.Authorization, a.Parameters.Get("redirect_uri"), a.Parameters.Get("code_verifier")
	switch {
	case granted.RedirectURISent && redirect == "":
		return advice{oauth.Say("No redirect_uri came with the code, but the authorization request had one."), oauth.Say("Send the same redirect_uri again: %s.", granted.RedirectURI)}
	case redirect != "" && redirect != granted.RedirectURI:
		wrong, _ := redirectDifference([]string{granted.RedirectURI}, redirect)
		return advice{wrong, oauth.Say("Send the redirect_uri of the authorization request: %s.", granted.RedirectURI)}
	case granted.Challenge.Verify(verifier) == nil:
		return advice{}
	case granted.Challenge == "":
		return advice{oauth.Say("A code_verifier came, but the authorization request had no code_challenge."), oauth.Say("Send a code_challenge to the authorize page, or no code_verifier.")}
	case verifier == "":
		return advice{oauth.Say("The code_verifier is missing: the authorization request had a code_challenge."), oauth.Say("Keep the code_verifier of each authorization request, for example in the session, and send it with the code.")}
	case verifier == string(granted.Challenge):
		return advice{oauth.Say("The code_verifier that came is the code_challenge."), oauth.Say("Send the random string itself as code_verifier, and its SHA-256 as code_challenge.")}
	case len(verifier) < 43 || len(verifier) > 128:
		return advice{counted(len(verifier), oauth.Say("The code_verifier has one character; it must have 43 to 128."),
			oauth.Say("The code_verifier has %s characters; it must have 43 to 128.", strconv.Itoa(len(verifier)))), oauth.Say("Make it of 32 random bytes in base64url, which are 43 characters.")}
	case url.QueryEscape(verifier) != verifier:
		return advice{oauth.Say("The code_verifier has another character than A-Z a-z 0-9 - . _ ~, such as those of base64."), oauth.Say("Make it of 32 random bytes in base64url, which are 43 characters.")}
	}
	return advice{oauth.Say("The code_verifier is not the one whose SHA-256 was the code_challenge."),
		oauth.Say("Keep the code_verifier of each authorization request apart: two windows of one person must not share it. The code_challenge is the base64url of the SHA-256 of its characters.")}
}

// whichRefreshToken explains why a refresh failed.
func (a Attempt) whichRefreshToken(refusal *oauth.Error, now time.Time) advice {
	if a.Place != "token" || a.Parameters.Get("grant_type") != "refresh_token" {
		return advice{}
	}
	token := a.Parameters.Get("refresh_token")
	if token == "" {
		return advice{mend: oauth.Say("Send the refresh_token of the last answer.")}
	}
	if told := a.shape("refresh_token", token); !told.mend.IsZero() {
		return told
	}
	again := oauth.Say("Send the person to the authorize page again.")
	newest := oauth.Say("Store the refresh token of each answer in place of the one before, for all servers and workers of the application together.")
	granted := a.Authorization
	switch {
	case granted.ApplicationID != a.Application.ID && a.holds(oauth.KindRefreshToken):
		return advice{oauth.Say("The refresh token was given to another application."), oauth.Say("Use the client_id that the token was given to. Settings for tests and for production may be mixed up.")}
	case a.holds(oauth.KindAccessToken):
		return advice{oauth.Say("What came as refresh_token is an access token."), oauth.Say("Send the refresh_token of the last answer.")}
	case granted.CodeHash.Matches(a.Presented.Hash(oauth.KindCode)):
		return advice{oauth.Say("What came as refresh_token is a code."), oauth.Say("Exchange the code with grant_type=authorization_code.")}
	case refusal == oauth.ErrReplayedRefreshToken:
		return advice{oauth.Say("The refresh token was replaced by a rotation; the one in use then began on %s. All tokens are revoked, since somebody may have stolen it.", moment(granted.RotatedAt)), newest}
	case refusal == oauth.ErrEnded:
		return advice{oauth.Say("The account approved this for a limited time, which is over."), again}
	case refusal == oauth.ErrAccountDisabled:
		return advice{oauth.Say("The account is disabled."), oauth.Say("Keep the refresh token: it works again when the account is enabled. Asking the person does not help.")}
	case granted.Status == oauth.StatusRevoked && a.holds(oauth.KindRefreshToken):
		return advice{oauth.Say("The authorization has ended: %s, on %s.", reason(granted.RevokedReason), moment(granted.RevokedAt)), again}
	case granted.PreviousRefreshHash.Matches(a.Presented.Hash(oauth.KindRefreshToken)):
		return advice{oauth.Say("The refresh token was replaced by a rotation on %s.", moment(granted.RotatedAt)), newest}
	case a.holds(oauth.KindRefreshToken):
		return advice{oauth.Say("The refresh token was last used on %s.", moment(granted.RotatedAt)), again}
	case refusal.Code != oauth.InvalidGrant:
		return advice{}
	}
	return advice{oauth.Say("No such refresh token was given; if one was, it ended long ago."), again}
}

// whichAccessToken explains why an API refused an access token.
func (a Attempt) whichAccessToken(refusal *oauth.Error, now time.Time) advice {
	granted := a.Authorization
	switch {
	case refusal.Code == oauth.InsufficientScope:
		return advice{oauth.Say("The access token may do: %s. The API asks for: %s.", orNothing(a.Held), string(a.Scope)),
			oauth.Say("Ask people for %s on the authorize page.", string(a.Scope.Without(a.Held)))}
	case refusal.Code != oauth.InvalidToken || a.Place != "check" && a.Place != "me":
		return advice{}
	case granted.Status == oauth.StatusRevoked:
		return advice{oauth.Say("The authorization of this access token has ended."), oauth.Say("Send the person to the authorize page again.")}
	}
	renew := oauth.Say("Renew the tokens before expires_in has passed, and once more when an API answers 401.")
	for _, t := range []oauth.AccessToken{granted.Access, granted.PreviousAccess} {
		if t.Hash.Matches(a.Presented.Hash(oauth.KindAccessToken)) && !now.Before(t.ExpiresAt) {
			return advice{counted(seconds(t.ExpiresAt, now), oauth.Say("The access token expired on %s, one second before.", moment(t.ExpiresAt)),
				oauth.Say("The access token expired on %s, %s seconds before.", moment(t.ExpiresAt), strconv.Itoa(seconds(t.ExpiresAt, now)))), renew}
		}
	}
	return advice{oauth.Say("The account of this access token is disabled."), oauth.Say("Nothing can be done until the account is enabled.")}
}

// shape explains what cannot be a code or a token at all.
func (a Attempt) shape(name, value string) advice {
	whole := oauth.Say("Send it as it came, all %s characters.", strconv.Itoa(oauth.TokenLength))
	switch {
	case strings.TrimSpace(value) != value:
		return advice{oauth.Say("%s has a space or a line break around it.", name), whole}
	case strings.Contains(value, "%"):
		return advice{oauth.Say("%s is percent-encoded twice.", name), whole}
	case len(value) != oauth.TokenLength:
		return advice{counted(len(value), oauth.Say("%s has one character instead of %s.", name, strconv.Itoa(oauth.TokenLength)),
			oauth.Say("%s has %s characters instead of %s.", name, strconv.Itoa(len(value)), strconv.Itoa(oauth.TokenLength))), whole}
	}
	return advice{}
}

// holds reports whether what was presented is the authorization's token of a kind, of
// this generation or the one before.
func (a Attempt) holds(kind oauth.Kind) bool {
	hash := a.Presented.Hash(kind)
	if kind == oauth.KindRefreshToken {
		return a.Authorization.RefreshHash.Matches(hash) || a.Authorization.PreviousRefreshHash.Matches(hash)
	}
	return a.Authorization.Access.Hash.Matches(hash) || a.Authorization.PreviousAccess.Hash.Matches(hash)
}

func seconds(from, to time.Time) int { return int(to.Sub(from) / time.Second) }

// counted is one of two sentences, for a number that is one or not.
func counted(n int, one, other oauth.Sentence) oauth.Sentence {
	if n == 1 {
		return one
	}
	return other
}

func orNothing(s oauth.Scope) string {
	if s == "" {
		return "-"
	}
	return string(s)
}

// reason says why an authorization has ended.
func reason(r oauth.Reason) oauth.Sentence {
	switch r {
	case oauth.ReasonRefused:
		return oauth.Say("the account did not allow it")
	case oauth.ReasonRequested:
		return oauth.Say("the application revoked it")
	case oauth.ReasonDisconnected:
		return oauth.Say("the account disconnected the application")
	case oauth.ReasonOperator:
		return oauth.Say("those who run this platform revoked it")
	case oauth.ReasonCodeReplay:
		return oauth.Say("its code was used twice")
	case oauth.ReasonTokenReplay:
		return oauth.Say("an old refresh token was used")
	case oauth.ReasonWornOut:
		return oauth.Say("it was refreshed too often")
	case oauth.ReasonSurplus:
		return oauth.Say("the account has approved the application many times since")
	case oauth.ReasonRemoved:
		return oauth.Say("the account was taken from those that may use this draft")
	}
	return oauth.Say("it was revoked")
}
